"""The values of items over time, searched for an exported graph, which takes them as inputs; without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrformer.relations.changing_attribute import ChangingAttributeRelation

Codes = NDArray[np.int64]


class ValueStates:
    """Which value every item has when.

    Args:
        relation: the values over time.
    """

    def __init__(self, relation: ChangingAttributeRelation) -> None:
        self._missing = len(relation.labels)
        self._starts, self._items = relation.offsets, len(relation.offsets) - 1
        self._moments, number = np.unique(relation.times, return_inverse=True)
        owner = np.repeat(np.arange(self._items), np.diff(relation.offsets))
        self._keys = owner * (len(self._moments) + 1) + number.reshape(-1) + 1
        self._codes = np.append(np.where(relation.codes < 0, self._missing, relation.codes), self._missing)

    def inputs(self, items: Codes, times: Codes | None, last: Codes, as_of: int | None) -> tuple[Codes, Codes]:
        """What the graph reads.

        Args:
            items: int64 `[b, l]`, item codes, the catalogue size as padding.
            times: int64 `[b, l]`, seconds of each; None where they are not known, for the latest values.
            last: int64 `[b]`, the last position of each history.
            as_of: when items have the values that are read, in seconds; None: at the last interaction.

        Returns:
            The value codes of the item of each position at its own time `[b, l]`, and of every item `[b, items]`.
        """
        latest = len(self._moments)
        ranks = np.full(items.shape, latest) if times is None else self._ranks(times)
        now = ranks[np.arange(len(items)), last]
        if as_of is not None:
            now = np.full(len(items), self._ranks(np.array([as_of]))[0])
            ranks = np.minimum(ranks, now[:, None])
        then = self._at(np.minimum(items, self._items - 1), ranks)
        distinct, place = np.unique(now, return_inverse=True)
        states = self._at(np.arange(self._items)[None], distinct[:, None])
        return np.where(items == self._items, self._missing, then), states[place.reshape(-1)]

    def _ranks(self, times: Codes) -> Codes:
        return np.searchsorted(self._moments, times, side="right").astype(np.int64)

    def _at(self, items: Codes, ranks: Codes) -> Codes:
        queries = items * (len(self._moments) + 1) + ranks
        place = np.searchsorted(self._keys, queries, side="right") - 1
        found: Codes = np.where(place >= self._starts[items], self._codes[np.maximum(place, 0)], self._missing)
        return found
