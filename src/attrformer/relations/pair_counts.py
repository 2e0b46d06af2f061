"""Counts of pairs of items that stand near each other in histories, for some items at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.sequences import Sequences
from attrformer.relations.compiled import kernels
from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.folds import fold_count
from attrformer.relations.parts import grouped, parts_of
from attrformer.relations.scratch import scratch_array

Counting = tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]

BLOCK_PAIRS = 1 << 20
"""Pairs counted at a time, which bounds the memory of counting."""

COMPILED_PAIRS = 1 << 22
"""Pairs counted at a time by compiled code, which holds a single row at a time."""

COMPILED_ROWS = 1 << 13
"""Most rows of these."""

DENSE_CELLS = 1 << 21
"""Cells of whole rows that are counted at a time, so that they stay in the processor's cache."""

CELLS_PER_PAIR = 24
"""Whole rows are faster where at least one cell in so many is met, pairs in a list elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some items and where their pairs lie.

    Args:
        first: of the items, by rank.
        last: one past the last of them.
        whole: whether most of their rows is met, so that they are counted as whole rows.
    """

    first: int
    last: int
    whole: bool


class PairCounts:
    """Windowed, distance-decayed co-occurrence counts, forward plus weakened backward, some rows at a time.

    Nothing of size items x items is ever built: all pairs around one item are found together, so that its row is
    complete in each fold, and can be normalised and cut, before the next item is looked at.

    Args:
        train: training sequences.
        items: catalogue size.
        folds: fold of each user, int64 `[users]`.
        config: window, decay and backward weight.
        counting: how much each interaction counts as the one whose row it is, and as the one that is met, float32
            `[m]` each; None: 1.
    """

    def __init__(
        self,
        train: Sequences,
        items: int,
        folds: NDArray[np.int64],
        config: CooccurrenceConfig,
        counting: Counting = (None, None),
    ) -> None:
        self.items, self.folds = items, fold_count(folds)
        window = int(min(config.window, max(train.lengths.max(initial=0) - 1, 1)))
        self._weights, self._before = _weights_around(window, config)
        # The items with most interactions come first, so that those of one block have about equally many.
        runs = _runs(train, items, folds)
        self.by_rank = np.argsort(-runs.sum(axis=1), kind="stable")
        self._runs = offsets_of(runs[self.by_rank].reshape(-1))
        # Gaps between users are as wide as the window, so that it never reaches from one user to the next.
        length = len(train.items) + window * (len(train) + 2)
        self._padded = scratch_array((length,), np.int32)
        self._places = scratch_array((len(train.items),), np.int32 if length < 1 << 31 else np.int64)
        self._of_row, self._met = (
            None if count is None else scratch_array((length,), np.float32) for count in counting
        )
        self._place(train, folds, window, counting)
        self.kernels = kernels(len(self._places) * len(self._weights), items)

    def _place(self, train: Sequences, folds: NDArray[np.int64], window: int, counting: Counting) -> None:
        """Writes the padded histories, and the places of every item in each fold, ascending."""
        rank = np.empty(self.items, dtype=np.int64)
        rank[self.by_rank] = np.arange(self.items)
        free = self._runs[:-1].copy()
        self._padded[:window] = self.items
        for part in parts_of(train):
            at, rows = part.positions, part.rows
            gaps = window * (np.repeat(np.arange(rows.start, rows.stop), part.lengths) + 1)
            places = np.arange(at.start, at.stop) + gaps
            self._padded[at.start + window * (rows.start + 1) : at.stop + window * (rows.stop + 1)] = self.items
            self._padded[places] = part.items
            for spread, count in ((self._of_row, counting[0]), (self._met, counting[1])):
                if spread is not None and count is not None:
                    spread[places] = count[at]
            run, places, within = grouped(rank[part.items] * self.folds + part.each(folds), places, len(self._padded))
            self._places[free[run] + within] = places
            free += np.bincount(run, minlength=len(free))
        self._padded[len(train.items) + window * len(train) :][-2 * window :] = self.items

    def blocks(self) -> list[Block]:
        """All items in blocks, each of about as many pairs, or of cells where its rows are counted as a whole."""
        ends = self._runs[self.folds :: self.folds] * len(self._weights)
        if self.kernels is not None:
            cuts = np.searchsorted(ends, np.arange(0, ends[-1], COMPILED_PAIRS), side="right")
            bounds = np.unique([*cuts, *range(0, self.items, COMPILED_ROWS), self.items]).tolist()
            return [Block(first, last, False) for first, last in pairwise(bounds)]
        pairs = np.diff(ends, prepend=0)
        cells = (self.items + 1) * self.folds
        # Ranks descend by frequency, so that whole rows are those of the first ones.
        whole = int(np.searchsorted(-pairs * CELLS_PER_PAIR, -cells, side="right"))
        most, found, first = max(1, DENSE_CELLS // cells), [], 0
        while first < self.items:
            before = ends[first - 1] if first else 0
            last = max(int(np.searchsorted(ends, before + BLOCK_PAIRS, side="right")), first + 1)
            if first < whole:
                last = min(last, first + most, whole)
            found.append(Block(first, min(last, self.items), first < whole))
            first = found[-1].last
        return found

    def whole_rows(self, block: Block) -> NDArray[np.float32]:
        """Counts of each item with every item in each fold, float32 `[items of the block, folds, items + 1]`.

        The last column holds nothing of use.

        Args:
            block: one of `blocks`.
        """
        runs = self._runs[block.first * self.folds : block.last * self.folds + 1]
        step = max(1, BLOCK_PAIRS // len(self._weights))
        shape = (len(runs) - 1, self.items + 1)
        counts: NDArray[np.float32] | None = None
        for begin in range(int(runs[0]), int(runs[-1]), step):
            end = min(begin + step, int(runs[-1]))
            near, weights = self._around(begin, end)
            if counts is not None:
                # One after the other as in a single part, so that rounding does not depend on where parts end.
                row = np.searchsorted(runs, np.arange(begin, end), side="right") - 1
                np.add.at(counts.reshape(-1), np.repeat(row * shape[1], len(self._weights)) + near, weights)
                continue
            bounds = (np.clip(runs, begin, end) - begin) * len(self._weights)
            # What is met several times is added up.
            listed = scipy.sparse.csr_array((weights, near, bounds.astype(np.int32)), shape=shape)
            counts = listed.toarray().astype(np.float32, copy=False)
        whole = np.zeros(shape, dtype=np.float32) if counts is None else counts
        return whole.reshape(-1, self.folds, self.items + 1)

    def entries(self, block: Block) -> scipy.sparse.csr_array:
        """Counts of each item with the items that it meets.

        Args:
            block: one of `blocks`.

        Returns:
            `[items of the block * folds, items]`: row `r * folds + f` is that of the r-th item in fold f.
        """
        runs = self._runs[block.first * self.folds : block.last * self.folds + 1]
        near, weights = self._around(int(runs[0]), int(runs[-1]))
        count = int(runs[-1] - runs[0])
        bounds = np.arange(count + 1, dtype=np.int32) * np.int32(len(self._weights))
        around = scipy.sparse.csr_array((weights, near, bounds), shape=(count, self.items + 1))
        ones = np.ones(count, dtype=np.float32)
        together = scipy.sparse.csr_array(
            (ones, np.arange(count, dtype=np.int32), (runs - runs[0]).astype(np.int32)), shape=(len(runs) - 1, count)
        )
        found = scipy.sparse.csr_array(together @ around)
        # Beside the gaps between users, what counts nothing is no entry, of which a row keeps few.
        found.data[found.indices == self.items] = 0.0
        found.eliminate_zeros()
        return scipy.sparse.csr_array((found.data, found.indices, found.indptr), shape=(len(runs) - 1, self.items))

    def compiled_entries(self, block: Block, scale: NDArray[np.float32], k: int) -> tuple[NDArray[Any], ...]:
        """What `pair_kernels.entries` gives for a block; arguments as there."""
        assert self.kernels is not None
        runs, nothing = self._runs[block.first * self.folds : block.last * self.folds + 1], np.empty(0, np.float32)
        met, of_row = (nothing if count is None else count for count in (self._met, self._of_row))
        found: tuple[NDArray[Any], ...] = self.kernels.entries(
            self._padded,
            self._places,
            runs,
            self.folds,
            (self._weights, self._before, met, of_row),
            scale,
            scale.max(axis=0),
            k,
        )
        return found

    def _around(self, begin: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What stands around the sorted places from `begin` to `end`, and how much it counts."""
        places, width = self._places[begin:end], len(self._weights)
        first = places - self._before
        near = np.lib.stride_tricks.sliding_window_view(self._padded, width)[first]
        if self._met is None:
            weights = np.tile(self._weights, len(places))
        else:
            weights = self._weights * np.lib.stride_tricks.sliding_window_view(self._met, width)[first]
        if self._of_row is not None:
            weights = weights.reshape(near.shape) * self._of_row[places][:, None]
        return near.reshape(-1), weights.reshape(-1)


def _weights_around(window: int, config: CooccurrenceConfig) -> tuple[NDArray[np.float32], int]:
    """The weight of each place around one, and how many places lie before the first of them (-1: it is the next)."""
    forward = config.decay ** np.arange(window, dtype=np.float64)
    if not config.backward:
        return forward.astype(np.float32), -1
    return np.concatenate([config.backward * forward[::-1], [0.0], forward]).astype(np.float32), window


def _runs(train: Sequences, items: int, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Interactions of each item in each fold, int64 `[items, folds]`."""
    count = fold_count(folds)
    total = np.zeros(items * count, dtype=np.int64)
    for part in parts_of(train):
        total += np.bincount(part.items * np.int64(count) + part.each(folds), minlength=len(total))
    return total.reshape(items, count)
