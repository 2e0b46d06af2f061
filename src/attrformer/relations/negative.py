"""Interactions that count against an item (returns, dislikes, skips), as a relation that pushes down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.meaning import Condition
from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.base import Relation, Sources, Update
from attrformer.relations.config import RelationsConfig
from attrformer.relations.cooccurrence import counted_rows
from attrformer.relations.positions import BehaviourRelation, CategoryRelation
from attrformer.relations.row_table import RowRelation

NAME: Final = "negative"

ITSELF: Final = 1.0
"""What an item has with itself: most pairs of items have far less."""


@dataclass(frozen=True, slots=True, eq=False)
class NegativeRelation(RowRelation):
    """The item that was returned or disliked, and items that others return or dislike together with it.

    Args:
        condition: tells these interactions.
        levels: of the column at a position that are such interactions.
    """

    kind: ClassVar[str] = NAME

    condition: Condition = field(kw_only=True)
    levels: tuple[int, ...] = field(kw_only=True)

    @classmethod
    def build(cls, sources: Sources, options: RelationsConfig, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the data say which interactions count against an item, and behaviour attributes are read."""
        condition = sources.train.meaning.negative
        if condition is None:
            return []
        read = [each for each in built.values() if isinstance(each, BehaviourRelation)]
        column = next((each for each in read if each.column == condition.column), None)
        if column is None:
            return []
        levels = levels_of(column, condition)
        return [cls.counted(condition, levels, sources.train, sources.n_items, sources.folds, options)]

    @classmethod
    def counted(
        cls,
        condition: Condition,
        levels: tuple[int, ...],
        train: Sequences,
        items: int,
        folds: NDArray[np.int64] | None,
        options: RelationsConfig,
    ) -> NegativeRelation:
        """Counts pairs of interactions that both count against their item.

        Args:
            condition: tells these interactions.
            levels: see the class.
            train: training sequences.
            items: catalogue size.
            folds: fold of each user, int64 `[users]`; None counts for inference only.
            options: of all relations.
        """
        negative = np.zeros(len(train.items), dtype=np.float32)
        if train.negative is not None:
            negative += train.negative
        negative = negative if train.weights is None else negative * train.weights
        top_k = options.kept_entries(items)
        blocks, tables = counted_rows(
            train, items, folds, options.cooccurrence_near, (negative, negative), top_k=top_k, itself=ITSELF
        )
        return cls(NAME, items, blocks, items, **tables, condition=condition, levels=levels)

    @property
    def source(self) -> str:
        """The column."""
        return self.condition.column

    def updated(self, update: Update) -> NegativeRelation:
        """Counted anew."""
        return self.counted(self.condition, self.levels, update.histories, update.n_items, None, update.options)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays, described = RowRelation.to_arrays(self)
        return arrays, {**described, "condition": self.condition.text, "levels": list(self.levels)}

    @classmethod
    def own_fields(cls, described: dict[str, Any]) -> dict[str, Any]:
        """See `RowRelation.own_fields`."""
        return {
            "condition": Condition.parse(described["condition"], NAME),
            "levels": tuple(int(level) for level in described["levels"]),
        }

    def reason(self, title: str) -> str:
        """See `RowRelation.reason`."""
        return wording.against(self.condition.column, self.condition.described, title)


def levels_of(relation: BehaviourRelation, condition: Condition) -> tuple[int, ...]:
    """The levels of a behaviour attribute for which a condition holds.

    Args:
        relation: of the column of the condition; its levels are cut where the condition begins and ends to hold.
        condition: about the column.
    """
    labels = relation.labels if isinstance(relation, CategoryRelation) else None
    if labels is not None:
        inside = np.arange(len(labels), dtype=np.float32)
    else:
        # The largest number of each level stands for it, as a number that equals an edge is of the level below.
        inside = np.append(relation.edges, np.float32(np.inf))
    return tuple(int(place) + 1 for place in np.flatnonzero(condition.holds(inside, labels)))
