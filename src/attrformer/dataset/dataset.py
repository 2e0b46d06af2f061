"""The dataset: ids, sequences, attributes and relations of one source of data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute
from attrformer.dataset.ids import Ids
from attrformer.dataset.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """An edge table between items that the user supplied (also bought, a knowledge graph).

    Args:
        source: int32 `[e]`, item codes.
        target: int32 `[e]`, item codes.
        weight: float32 `[e]`, positive.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Everything that is known before a model sees it.

    Args:
        name: what the protocol line calls it.
        user_ids: external ids of the users, in the order of the rows of `sequences`.
        item_ids: external ids of the catalogue.
        sequences: one row for each user.
        item_attributes: by name, one row for each item.
        user_attributes: by name, one row for each user.
        item_relations: edge tables by relation name.
        item_titles: text shown for each item instead of its id, where the data have one.
    """

    name: str
    user_ids: Ids
    item_ids: Ids
    sequences: Sequences
    item_attributes: dict[str, Attribute] = field(default_factory=dict)
    user_attributes: dict[str, Attribute] = field(default_factory=dict)
    item_relations: dict[str, Edges] = field(default_factory=dict)
    item_titles: tuple[str, ...] | None = None

    @property
    def user_count(self) -> int:
        """Number of users."""
        return len(self.user_ids)

    @property
    def item_count(self) -> int:
        """Number of items in the catalogue."""
        return len(self.item_ids)
