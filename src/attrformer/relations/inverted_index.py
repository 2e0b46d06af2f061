"""Who of the training users had an item, and when last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.relations.parts import PART
from attrformer.relations.scratch import scratch_array


@dataclass(frozen=True, slots=True, eq=False)
class InvertedIndex:
    """The users of each item, each once; everything lies ready, since single requests ask for it.

    Args:
        users: int32, users of one item after the other, ascending for each.
        ones: float32, a 1 for each of them.
        bounds: int32 or int64 `[items + 1]`, cuts them by item.
        pairs: int64, item * count + user of each.
        positions: int32, absolute position at which each user last had the item.
        count: training users.
    """

    users: NDArray[np.int32]
    ones: NDArray[np.float32]
    bounds: NDArray[np.integer]
    pairs: NDArray[np.int64]
    positions: NDArray[np.int32]
    count: int

    @classmethod
    def of(cls, train: Sequences, positions: NDArray[np.int64], starts: NDArray[np.int64]) -> InvertedIndex:
        """From positions grouped by item.

        Args:
            train: training sequences.
            positions: int64, absolute positions, ascending for each item.
            starts: int64 `[items + 1]`, cuts `positions` by item.
        """
        items, count, found = len(starts) - 1, max(len(train), 1), 0
        pairs, last = scratch_array((len(positions),), np.int64), scratch_array((len(positions),), np.int32)
        first = 0
        while first < items:
            # Some items at a time, so that what is needed for a while is small beside the index.
            end = max(int(np.searchsorted(starts, starts[first] + PART, side="right")) - 1, first + 1)
            own = np.asarray(positions[starts[first] : starts[end]])
            item = np.repeat(np.arange(first, end), np.diff(starts[first : end + 1]))
            both = item * count + np.searchsorted(train.offsets, own, side="right") - 1
            latest = np.flatnonzero(np.diff(both, append=-1))
            pairs[found : found + len(latest)], last[found : found + len(latest)] = both[latest], own[latest]
            first, found = end, found + len(latest)
        pairs, last = pairs[:found], last[:found]
        bounds = np.searchsorted(pairs, np.arange(len(starts)) * count)
        # Of one type with the users, or scipy would look through both at each use.
        bounds = bounds.astype(np.int32 if len(pairs) < 1 << 31 else np.int64)
        users, ones = scratch_array((found,), np.int32), scratch_array((found,), np.float32)
        np.remainder(pairs, count, out=users, casting="unsafe")
        ones[:] = 1.0
        return cls(users, ones, bounds, pairs, last, count)

    @property
    def table(self) -> scipy.sparse.csr_array:
        """1 where a user had an item, `[items, users]`; no copy."""
        return scipy.sparse.csr_array((self.ones, self.users, self.bounds), shape=(len(self.bounds) - 1, self.count))

    def latest(self, items: NDArray[np.int64], users: NDArray[np.int64]) -> NDArray[np.int32]:
        """Absolute position at which each user last had an item that the user is known to have had, int32 `[n]`."""
        found: NDArray[np.int32] = self.positions[np.searchsorted(self.pairs, items * self.count + users)]
        return found


def added_up(
    table: scipy.sparse.csr_array, values: NDArray[np.floating], items: NDArray[np.integer], counts: NDArray[np.integer]
) -> scipy.sparse.csr_array:
    """What the items of each context add to every user who had them, `[contexts, users]`.

    Args:
        table: `[items, users]`, 1 where a user had an item.
        values: `[n]`, what each item of a context adds.
        items: int `[n]`, those of one context after the other.
        counts: int `[contexts]`, items of each.
    """
    # Of one type with the table's numbers, or scipy would copy the whole table.
    bounds = np.zeros(len(counts) + 1, dtype=table.indptr.dtype)
    np.cumsum(counts, out=bounds[1:])
    contexts = scipy.sparse.csr_array(
        (values, items.astype(table.indices.dtype), bounds), shape=(len(counts), table.shape[0])
    )
    return scipy.sparse.csr_array(contexts @ table)


def strongest(values: NDArray[np.floating], users: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Places of the `count` largest values; of equal ones those of the users with the lower codes.

    Args:
        values: `[n]`.
        users: int `[n]`, the user of each value.
        count: how many are wanted.
    """
    if len(values) <= count:
        return np.arange(len(values))
    least = np.partition(values, len(values) - count)[len(values) - count]
    more, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
    return np.concatenate([more, equal[np.argsort(users[equal])][: count - len(more)]])
