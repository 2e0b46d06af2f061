"""The order of item ids as an item attribute.

Where a shop hands out ids as items are listed, items whose ids follow each other entered the catalogue together: one
series, one maker, one season. Each item gets the runs of neighbouring ids that it belongs to, short and long ones, as
the values of an attribute, and what the model makes of attributes it makes of these. It is read where it is asked for,
and never where ids number items by first appearance in users' histories, which says whose item a target is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.dataset import Dataset
from attrformer.data.id_map import IdMap, order_of
from attrformer.data.id_numbering import FIRST_APPEARANCE, IdNumbering, id_numbering
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations import wording
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.base import NewItems, Relation, Sources, chosen
from attrformer.relations.item_attribute import OPTION, ItemAttributeRelation, item_attribute_relation

NAME: Final = "id_order"

SHORTEST: Final = 8
"""Items of the shortest runs; where these would be more values than are kept, runs are longer."""

STEPS: Final = (1, 5, 25)
"""How much longer each kind of run is than the shortest one."""

NEAR: Final = 8
"""Steps in the order of ids within which items count as neighbours when the order is tested."""

LEAST_LIFT: Final = 1.5
"""How much oftener than by chance neighbours have to follow each other for the order to say something."""

LEAST_DEVIATIONS: Final = 4.0
"""And by how many standard deviations of chance."""

LEAST_ITEMS: Final = 10 * SHORTEST
"""In a smaller catalogue the order is not looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class IdOrderRelation(ItemAttributeRelation):
    """Items whose ids stand near each other; no column of the items' table holds it."""

    kind: ClassVar[str] = "id_order"
    reads_ids: ClassVar[bool] = True

    @property
    def source(self) -> str:
        """The ids of the items."""
        return "item_id"

    @property
    def item_columns(self) -> Mapping[str, AttributeEncoder | None]:
        """None: ids are there in any case."""
        return {}

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the options ask for it, or leave it open and users follow the order."""
        named = NAME in chosen(options.item_attributes, sources.item_attributes, OPTION)
        wanted = options.id_order
        if wanted is False or (wanted is None and named):
            return []
        if named:
            raise ConfigurationError(
                f"The items have an attribute '{NAME}' of their own. Set relations.id_order=false, or rename it."
            )
        sources.check_numbering()
        if wanted is None and not follows_order(sources.item_ids, sources.train):
            return []
        attribute = id_order_attribute(sources.item_ids, options.max_values)
        made = item_attribute_relation(attribute, buckets=options.buckets, max_values=options.max_values)
        return [] if made is None else [cls(**{part.name: getattr(made, part.name) for part in fields(made)})]

    def with_items(self, new: NewItems) -> IdOrderRelation:
        """Each new item has the values of the known item before it."""
        before = items_before(new.known, new.new)
        return replace(
            self,
            codes=np.concatenate([self.codes, self.codes[before]]),
            weights=np.concatenate([self.weights, self.weights[before]]),
        )

    def reason(self, own: int, other: int, title: str) -> str:
        """See `ItemAttributeRelation.reason`."""
        return wording.near_in_order(title) if own == other else wording.goes_with(title)


def id_order_attribute(ids: IdMap, max_values: int) -> Attribute:
    """The runs of neighbouring ids that each item belongs to.

    Args:
        ids: of all items.
        max_values: about how many runs there may be.

    Returns:
        A multi-valued attribute; its values are called by the number of items and the first id of a run.
    """
    places = order_of(ids.values)
    shortest = max(SHORTEST, -(-int(len(ids) * sum(1 / step for step in STEPS)) // max_values))
    names = ids.values.cast(pl.String).to_list()
    first = np.argsort(places)
    codes = np.empty((len(ids), len(STEPS)), dtype=np.int32)
    vocabulary: list[str] = []
    for column, step in enumerate(STEPS):
        length = shortest * step
        # Counted from the first id on: items that are listed later leave the runs of earlier ones as they are.
        codes[:, column] = places // length + len(vocabulary)
        vocabulary += [f"{length} from {names[first[start]]}" for start in range(0, len(ids), length)]
    offsets = np.arange(len(ids) + 1, dtype=np.int64) * len(STEPS)
    return Attribute(NAME, AttributeKind.MULTI, offsets, codes.ravel(), tuple(vocabulary), np.empty(0))


def follows_order(ids: IdMap, train: Sequences) -> bool:
    """Whether users who have an item take one with a neighbouring id next, oftener than by chance.

    By chance is: as often as if what comes next were drawn from all training interactions. What has the same time as
    the interaction before it does not count: a log may list it by id, whatever the ids are.

    Args:
        ids: of all items.
        train: the training interactions.
    """
    if len(ids) < LEAST_ITEMS or not len(train.items):
        return False
    places = order_of(ids.values)
    counts = np.ones(len(train.items) + 1, dtype=bool)
    counts[train.offsets] = False
    if train.times is not None:
        counts[1:-1] &= np.diff(train.times) != 0
    distance = np.abs(np.diff(places[train.items]))[counts[1:-1]]
    distance = distance[distance > 0]
    popularity = np.bincount(places[train.items], minlength=len(ids)) / len(train.items)
    until = np.concatenate([[0.0], np.cumsum(popularity)])
    place = np.arange(len(ids))
    around = until[np.minimum(place + NEAR + 1, len(ids))] - until[np.maximum(place - NEAR, 0)] - popularity
    expected = len(distance) * float(popularity @ around) / max(1.0 - float(popularity @ popularity), 1e-12)
    found = int((distance <= NEAR).sum())
    return found > max(LEAST_LIFT * expected, expected + LEAST_DEVIATIONS * math.sqrt(expected))


def checked_numbering(dataset: Dataset) -> IdNumbering:
    """How the ids of a dataset were numbered, where their order is to be read.

    Args:
        dataset: everything that users did, held-out interactions included, since they may have been numbered as well.

    Raises:
        ConfigurationError: the number of an item says whose it is.
    """
    numbering = id_numbering(dataset.item_ids, dataset.sequences, dataset.user_ids)
    if numbering.kind == FIRST_APPEARANCE:
        raise ConfigurationError(
            f"relations.id_order asks for the order of ids. {numbering.sentence} A model that reads it is told part of "
            "the answer, and learns nothing that holds for new interactions. Set relations.id_order=false, or give "
            "the data with the ids that the shop handed out."
        )
    return numbering


def items_before(known: IdMap, new: IdMap) -> NDArray[np.int64]:
    """The known item before each new one in the order of ids, int64 codes `[n]`; the first one where there is none.

    Args:
        known: ids of the items that are there.
        new: ids of later items, none of them known.
    """
    places = order_of(pl.concat([known.values, new.values.cast(known.values.dtype)]))
    order = np.argsort(places[: len(known)])
    before = np.searchsorted(places[: len(known)][order], places[len(known) :]) - 1
    return order[np.maximum(before, 0)].astype(np.int64)
