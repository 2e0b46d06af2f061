"""Which training interactions are predicted, and the histories that they are predicted from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of, positions_in_rows
from attrformer.data.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Which interactions of the training sequences are predicted.

    Args:
        positions: int64, absolute, ascending; None for all of them.
        before: int64 `[m + 1]`, how many of these lie before each position.
        count: interactions in all.
    """

    positions: NDArray[np.int64] | None
    before: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, train: Sequences) -> Predicted:
        """Those that the data say, or all."""
        chosen, count = train.targets, len(train.items)
        if chosen is None:
            return cls(None, np.empty(0, dtype=np.int64), count)
        return cls(np.flatnonzero(chosen), offsets_of(chosen), count)

    def last(self, train: Sequences) -> NDArray[np.int64]:
        """The absolute position of the last of each row, int64 `[n]`; the beginning of the row where it has none."""
        starts, stops = train.offsets[:-1], train.offsets[1:]
        if self.positions is None:
            return np.maximum(stops - 1, starts)
        there = self.before[stops] > self.before[starts]
        found = starts.copy()
        found[there] = self.positions[self.before[stops[there]] - 1]
        return found

    def with_history(self, train: Sequences) -> NDArray[np.int64]:
        """Absolute positions of those that something comes before in their row, int64, ascending."""
        positions = np.arange(self.count) if self.positions is None else self.positions
        first = np.zeros(self.count + 1, dtype=bool)
        first[train.offsets[:-1]] = True
        return positions[~first[positions]]

    def following(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first of them that is not before each position, where there is one; int64, the shape of `positions`."""
        if self.positions is None:
            return positions
        return self.positions[np.minimum(self.before[positions], len(self.positions) - 1)]

    def after(
        self, positions: NDArray[np.int64], ends: NDArray[np.int64], window: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The next of them after each position, int64 `[b, t, window]`, and which of them are before the end.

        Args:
            positions: int64 `[b, t]`, absolute.
            ends: int64 `[b]`, where each row ends.
            window: how many are asked for.
        """
        steps = np.arange(window)
        if self.positions is None:
            after = positions[:, :, None] + 1 + steps
            return np.minimum(after, self.count - 1), after < ends[:, None, None]
        number = self.before[positions + 1][:, :, None] + steps
        inside = number < self.before[ends][:, None, None]
        return self.positions[np.minimum(number, len(self.positions) - 1)], inside


def windows_of(
    train: Sequences, predicted: Predicted, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Users and absolute half-open ranges of inputs, cut from the end of each sequence; each position is in one.

    A sequence ends with the last interaction that is predicted.
    """
    inputs = predicted.last(train) - train.offsets[:-1]
    pieces = -(-inputs // length)
    users = np.repeat(np.arange(len(train)), pieces)
    back = positions_in_rows(pieces)
    stops = train.offsets[users] + inputs[users] - back * length
    return users, np.maximum(stops - length, train.offsets[users]), stops


def prefixes_of(
    train: Sequences, predicted: Predicted, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Users and absolute half-open ranges of inputs, one for each target."""
    stops = predicted.with_history(train)
    users = train.row_of_position()[stops]
    return users, np.maximum(stops - length, train.offsets[users]), stops


class Followers:
    """Positions of training that can be predicted, by item.

    Args:
        train: training sequences.
        predicted: which interactions are.
    """

    def __init__(self, train: Sequences, predicted: Predicted) -> None:
        owner, targets = train.row_of_position(), predicted.with_history(train)
        self._items = train.items
        self._positions = targets[np.argsort(train.items[targets], kind="stable")]
        counts = np.bincount(train.items[targets], minlength=int(train.items.max(initial=0)) + 1)
        self._starts = offsets_of(counts)
        self._rank = np.zeros(len(owner), dtype=np.int64)
        self._rank[self._positions] = np.arange(len(targets)) - np.repeat(self._starts[:-1], counts)

    def draw(self, positions: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each position another one with the same item, evenly drawn; itself where there is no other."""
        items = self._items[positions]
        starts, others = self._starts[items], self._starts[items + 1] - self._starts[items] - 1
        drawn = (rng.random(len(items)) * others).astype(np.int64)
        drawn += (drawn >= self._rank[positions]) & (others > 0)
        found: NDArray[np.int64] = self._positions[starts + drawn]
        return found
