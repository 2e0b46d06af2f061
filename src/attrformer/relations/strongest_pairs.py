"""The pairs that can be among the k strongest of a row in any fold, out of the counts of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.relations.pair_counts import Block, PairCounts

SLACK = np.float32(1 - 1e-4)
"""What falls short by no more than rounding may bring about is kept."""

FEW = 4
"""Rows of up to so many times k entries are cut once for each fold, longer ones before as well."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldEntries:
    """Entries of some rows, columns ascending, with their counts in each fold.

    Args:
        starts: int64 `[rows + 1]`.
        columns: int32 `[n]`.
        counts: float32 `[folds, n]`.
        degrees: float64 `[folds, rows]`, sum of each row in each fold, entries that were left out included.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    counts: NDArray[np.float32]
    degrees: NDArray[np.float64]

    def without(self, fold: int) -> NDArray[np.float32]:
        """Counts of all folds but one, `[n]`; of all folds where that fold is not one of several.

        Args:
            fold: that is left out.
        """
        # Adding up the others, in place of subtracting the one, leaves no rounding where nothing is left.
        first, *others = self._others(fold)
        total: NDArray[np.float32] = self.counts[first].copy()
        for other in others:
            total += self.counts[other]
        return total

    def left(self, fold: int, alpha: float) -> NDArray[np.float32]:
        """deg(i)^-(1-alpha) without one fold, float32 `[rows]`.

        Args:
            fold: that is left out.
            alpha: how much popular targets are held back.
        """
        degree: NDArray[np.float64] = self.degrees[self._others(fold)].sum(axis=0)
        left: NDArray[np.float32] = (np.where(degree > 0, degree, 1.0) ** -(1.0 - alpha)).astype(np.float32)
        return left

    def _others(self, fold: int) -> list[int]:
        count = len(self.counts)
        return [other for other in range(count) if other != fold or count == 1]


def fold_entries(pairs: PairCounts, block: Block, scale: NDArray[np.float32], k: int | None) -> FoldEntries:
    """The entries of a block of items that can be among the k largest of their row in any fold.

    Args:
        pairs: counts them.
        block: one of its blocks.
        scale: float32 `[wanted, items]`, what each column is multiplied by without each fold, and for inference last.
        k: entries that are to be kept of each row in the end; None keeps all.
    """
    if pairs.kernels is not None:
        return FoldEntries(*pairs.compiled_entries(block, scale, k or 0))
    if block.whole:
        return _of_whole_rows(pairs.whole_rows(block)[:, :, :-1], scale, k)
    found = _of_entries(pairs.entries(block), pairs.folds)
    return found if k is None else _cut(found, scale, k)


def _of_whole_rows(counts: NDArray[np.float32], scale: NDArray[np.float32], k: int | None) -> FoldEntries:
    total = counts.sum(axis=1)
    best = scale.max(axis=0)
    columns = [_chosen(own, together, best, scale, k) for own, together in zip(counts, total, strict=True)]
    found = np.concatenate([counts[row][:, chosen] for row, chosen in enumerate(columns)], axis=1)
    degrees = counts.sum(axis=2, dtype=np.float64).T
    starts = offsets_of([len(chosen) for chosen in columns])
    return FoldEntries(starts, np.concatenate(columns).astype(np.int32), found, degrees)


def _chosen(
    counts: NDArray[np.float32],
    total: NDArray[np.float32],
    best: NDArray[np.float32],
    scale: NDArray[np.float32],
    k: int | None,
) -> NDArray[np.int64]:
    """Columns of a whole row that can be among its k largest, ascending."""
    # A partition of rows that are mostly 0 is many times slower than one of the others alone.
    there = np.flatnonzero(total)
    if k is None or len(there) <= FEW * k:
        return there
    most = total[there] * best[there]
    some = there[most >= np.partition(most, len(most) - 2 * k)[len(most) - 2 * k]]
    chosen: NDArray[np.int64] = there[most >= _least(counts[:, some], total[some], scale[:, some], k)]
    return chosen


def _least(counts: NDArray[np.float32], total: NDArray[np.float32], scale: NDArray[np.float32], k: int) -> np.float32:
    """What the k largest entries of a row must at least come to, as k of some entries come to it without any fold.

    Args:
        counts: float32 `[folds, n]`, of at least k entries.
        total: float32 `[n]`, their sum over folds.
        scale: float32 `[wanted, n]`, see `fold_entries`.
        k: as in `fold_entries`.
    """
    left = total - counts if len(counts) > 1 else counts
    values = np.concatenate([left, total[None]])[-len(scale) :] * scale
    place = values.shape[1] - k
    return np.float32(np.partition(values, place, axis=1)[:, place].min() * SLACK)


def _cut(entries: FoldEntries, scale: NDArray[np.float32], k: int) -> FoldEntries:
    """The entries that can be among the k largest of their row, and all those of short rows."""
    starts, lengths = entries.starts, np.diff(entries.starts)
    total = entries.counts.sum(axis=0)
    most = total * scale.max(axis=0)[entries.columns]
    kept = np.ones(len(total), dtype=bool)
    for row in np.flatnonzero(lengths > FEW * k):
        own = slice(starts[row], starts[row + 1])
        cut = np.partition(most[own], lengths[row] - 2 * k)[lengths[row] - 2 * k]
        some = np.flatnonzero(most[own] >= cut)
        at = entries.columns[own][some]
        kept[own] = most[own] >= _least(entries.counts[:, own][:, some], total[own][some], scale[:, at], k)
    ends = np.concatenate([[0], np.cumsum(kept)])
    return FoldEntries(ends[starts], entries.columns[kept], entries.counts[:, kept], entries.degrees)


def _of_entries(counts: scipy.sparse.csr_array, folds: int) -> FoldEntries:
    """Brings the entries of one item in all folds together."""
    rows, items = counts.shape[0] // folds, counts.shape[1]
    run = np.repeat(np.arange(rows * folds), np.diff(counts.indptr))
    row, fold = np.divmod(run, folds)
    key = row * np.int64(items) + counts.indices
    order = np.argsort(key)
    ordered = key[order]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(key)]
    place = ordered[new]
    found = np.zeros((folds, len(place)), dtype=np.float32)
    found[fold[order], np.cumsum(new) - 1] = counts.data[order]
    degrees = np.bincount(run, counts.data, minlength=rows * folds).reshape(rows, folds).T.astype(np.float64)
    owner, columns = np.divmod(place, items)
    starts = offsets_of(np.bincount(owner, minlength=rows))
    return FoldEntries(starts, columns.astype(np.int32), found, degrees)
