"""The pairs that can be among the k strongest of a row in any fold, out of the counts of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attrformer.csr import offsets_of
from attrformer.relations.pair_counts import Block, PairCounts

SLACK = np.float32(1 - 1e-4)
"""What falls short by no more than rounding may bring about is kept."""


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

    def without(self, fold: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Counts and degrees of all folds but one; of all folds where that fold is not one of several.

        Args:
            fold: that is left out.
        """
        count = len(self.counts)
        others = [other for other in range(count) if other != fold or count == 1]
        # Adding up the others, in place of subtracting the one, leaves no rounding where nothing is left.
        total = self.counts[others[0]].copy()
        for other in others[1:]:
            total += self.counts[other]
        return total, self.degrees[others].sum(axis=0)


def fold_entries(pairs: PairCounts, block: Block, scale: NDArray[np.float32], k: int | None) -> FoldEntries:
    """The entries of a block of items that can be among the k largest of their row in any fold.

    Args:
        pairs: counts them.
        block: one of its blocks.
        scale: float32 `[wanted, items]`, what each column is multiplied by without each fold, and for inference last.
        k: entries that are to be kept of each row in the end; None keeps all.
    """
    if block.whole:
        return _of_whole_rows(pairs.whole_rows(block)[:, :, :-1], scale, k)
    return _of_entries(pairs.entries(block), pairs.folds)


def _of_whole_rows(counts: NDArray[np.float32], scale: NDArray[np.float32], k: int | None) -> FoldEntries:
    total = counts.sum(axis=1)
    items = total.shape[1]
    most = total if k is None else total * scale.max(axis=0)
    looked_at = items if k is None else min(2 * k, items)
    cuts = np.partition(most, items - looked_at, axis=1)[:, items - looked_at]
    columns = []
    for row, cut in enumerate(cuts):
        if cut > 0 and k is not None:
            cut = _least(counts[row], total[row], scale, np.flatnonzero(most[row] >= cut), k)
        columns.append(np.flatnonzero(most[row] >= cut if cut > 0 else most[row] > 0))
    found = np.concatenate([counts[row][:, chosen] for row, chosen in enumerate(columns)], axis=1)
    degrees = counts.sum(axis=2).T.astype(np.float64)
    starts = offsets_of([len(chosen) for chosen in columns])
    return FoldEntries(starts, np.concatenate(columns).astype(np.int32), found, degrees)


def _least(
    counts: NDArray[np.float32],
    total: NDArray[np.float32],
    scale: NDArray[np.float32],
    some: NDArray[np.int64],
    k: int,
) -> np.float32:
    """What an entry of a row must at least come to, since k of some entries come to it in every fold."""
    left = np.concatenate([total[some] - counts[:, some], total[some][None]])[-len(scale) :]
    if len(counts) == 1:
        left[:] = total[some]
    values = np.partition(left * scale[:, some], len(some) - k, axis=1)[:, len(some) - k]
    return np.float32(values.min() * SLACK)


def _of_entries(counts: sparse.csr_array, folds: int) -> FoldEntries:
    """Brings the entries of one item in all folds together."""
    rows, items = counts.shape[0] // folds, counts.shape[1]
    run = np.repeat(np.arange(rows * folds), np.diff(counts.indptr))
    row, fold = np.divmod(run, folds)
    place, at = np.unique(row * np.int64(items) + counts.indices, return_inverse=True)
    found = np.zeros((folds, len(place)), dtype=np.float32)
    found[fold, at] = counts.data
    degrees = np.bincount(run, counts.data, minlength=rows * folds).reshape(rows, folds).T
    owner, columns = np.divmod(place, items)
    starts = offsets_of(np.bincount(owner, minlength=rows))
    return FoldEntries(starts, columns.astype(np.int32), found, degrees)
