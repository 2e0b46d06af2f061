"""How new an item is as a relation: items by their interactions so far, and by when the first of them was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute
from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.array_checks import INTEGERS, require_array
from attrformer.relations.base import Arrays, NewItems, Relation, Sources, Update
from attrformer.relations.explaining import Attribution, Question

NAME: Final = "newness"

COUNTS: Final = (1, 3, 6, 11, 29, 100, 300)
"""Interactions from which on an item belongs to the next level; below the first of them it is new."""

LATEST: Final = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
"""Shares of all interactions, the latest first, that part items by when their first interaction was."""

UNTOUCHED: Final = 2
"""Groups of items without an interaction: those of which every attribute is known, and those that lack one."""

AGES: Final = len(LATEST) + 1
GROUPS: Final = UNTOUCHED + len(COUNTS) * AGES

_YOUNG: Final = 3
"""Ages up to here, a tenth of the interactions, are called new in explanations."""


@dataclass(frozen=True, slots=True, eq=False)
class NewnessRelation(Relation):
    """The group of each item: how many interactions it has, and how long ago the first one was.

    How much each group is taken by people whose history is of certain groups is fitted once the other relations have
    been trained, on interactions that are later than all that was counted (`recommender/newness.py`).

    Args:
        groups: int64 `[items]`, below `GROUPS`.
        lacking: uint8 `[items]`, 1 for items of which an attribute is missing.
    """

    kind: ClassVar[str] = NAME

    groups: NDArray[np.int64]
    lacking: NDArray[np.uint8]

    @property
    def name(self) -> str:
        """See `Relation.name`."""
        return NAME

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """None: it joins the others once they are trained."""
        return []

    @classmethod
    def counted(cls, train: Sequences, lacking: NDArray[np.uint8]) -> NewnessRelation:
        """Groups items by the interactions that training may see.

        Args:
            train: these interactions.
            lacking: uint8 `[items]`, 1 for items of which an attribute is missing.
        """
        return cls(item_groups(train, lacking), lacking)

    def with_items(self, new: NewItems) -> NewnessRelation:
        """New items have no interactions."""
        lacking = lacking_an_attribute(new.attributes.values(), len(new))
        return NewnessRelation(
            np.concatenate([self.groups, lacking.astype(np.int64)]), np.concatenate([self.lacking, lacking])
        )

    def updated(self, update: Update) -> NewnessRelation:
        """Counted anew: what was new is so no longer."""
        return replace(self, groups=item_groups(update.histories, self.lacking))

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        return {"groups": self.groups, "lacking": self.lacking}, {}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> NewnessRelation:
        """See `Relation.from_arrays`."""
        return cls(arrays["groups"], arrays["lacking"])

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        require_array("groups of newness", self.groups, INTEGERS, (items,), least=0, most=GROUPS - 1)
        require_array("items that lack an attribute", self.lacking, "u", (items,), least=0, most=1)

    def attributions(self, question: Question) -> list[Attribution]:
        """How new the answer is, and the item of the history whose newness goes with it."""
        holders = question.counts().holders(question.items, question.users)
        found = []
        for item, own, count in zip(
            question.items.tolist(), question.strongest.tolist(), holders.tolist(), strict=True
        ):
            new, young = bool(self.groups[item] < UNTOUCHED), bool(is_young(self.groups[item]))
            both = own >= 0 and is_young(self.groups[own]) == young
            title = question.title(own) if both else None
            reason = wording.new_in_catalogue(title) if new else wording.known_so_far(count, young, title)
            found.append(Attribution(own if both else -1, None, None if new else count, reason))
        return found


def is_young(group: int | np.integer) -> bool:
    """Whether items of a group have no interaction, or got their first one lately."""
    return bool(group < UNTOUCHED or (group - UNTOUCHED) % AGES < _YOUNG)


def item_groups(train: Sequences, lacking: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The group of each item, int64 `[items]`; without times, all that have an interaction are of one age.

    Args:
        train: the interactions that count.
        lacking: uint8 `[items]`, 1 for items of which an attribute is missing.
    """
    counts = np.bincount(train.items, minlength=len(lacking))
    ages = np.zeros(len(lacking), dtype=np.int64)
    if train.times is not None and len(train.times):
        first = np.full(len(lacking), train.times.max())
        np.minimum.at(first, train.items, train.times)
        cuts = np.quantile(train.times, [1.0 - share for share in LATEST], method="lower")
        ages = (first[:, None] < cuts).sum(1)
    levels = np.searchsorted(COUNTS, counts, side="right") - 1
    groups: NDArray[np.int64] = np.where(counts > 0, UNTOUCHED + levels * AGES + ages, lacking).astype(np.int64)
    return groups


def lacking_an_attribute(attributes: Iterable[Attribute], items: int) -> NDArray[np.uint8]:
    """1 for items of which an attribute is missing, uint8 `[items]`.

    Args:
        attributes: of the items.
        items: how many there are.
    """
    found = np.zeros(items, dtype=np.uint8)
    for attribute in attributes:
        found |= _missing(attribute)
    return found


def _missing(attribute: Attribute) -> NDArray[np.uint8]:
    found = np.diff(attribute.offsets) == 0
    if len(attribute.numbers):
        found = np.isnan(attribute.numbers)
    elif attribute.vectors.size:
        found = np.isnan(attribute.vectors).all(1)
    elif attribute.texts:
        found = np.array([not text for text in attribute.texts])
    missing: NDArray[np.uint8] = np.asarray(found, dtype=np.uint8)
    return missing
