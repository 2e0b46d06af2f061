"""Behaviour relation: what other users did around the same items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.base import Relation, Sources, Update
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.folds import fold_count, without_each_fold
from attrformer.relations.row_table import RowRelation, keep_top

Counting = tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]

BLOCK_PAIRS = 1 << 22
"""Pairs counted at a time, which bounds the memory of counting; the pairs of one item are never parted."""


@dataclass(frozen=True, slots=True, eq=False)
class CooccurrenceRelation(RowRelation):
    """Items that users take near each other."""

    kind: ClassVar[str] = "cooccurrence"

    @classmethod
    def build(cls, sources: Sources, options: RelationsConfig, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each window that the options ask for."""
        return [
            cooccurrence_relation(name, sources.train, sources.n_items, sources.folds, window, top_k=sources.top_k)
            for name, window in options.windows.items()
            if options.wanted(window.enabled, sources.train)
        ]

    def updated(self, update: Update) -> CooccurrenceRelation:
        """Counted anew."""
        options: RelationsConfig = update.options
        top_k, window = options.kept_entries(update.n_items), options.windows[self.name]
        return cooccurrence_relation(self.name, update.histories, update.n_items, None, window, top_k=top_k)

    def attributions(self, question: Question) -> list[Attribution]:
        """The item of the history that counts most, and how many other users had both."""
        strongest = question.strongest
        found = [Attribution()] * len(strongest)
        there = np.flatnonzero(strongest >= 0)
        after, before = question.counts().pairs(
            strongest[there], question.items[there], question.users[there], question.options.windows[self.name].window
        )
        for place, ahead, behind in zip(there, after.tolist(), before.tolist(), strict=True):
            title = question.title(int(strongest[place]))
            # Somebody's own pair alone is behind a relation that no other user can vouch for.
            reason = wording.after(title, ahead) if ahead else wording.goes_with(title)
            if behind and not ahead:
                reason = wording.before(title, behind)
            found[place] = Attribution(int(strongest[place]), count=ahead or behind, reason=reason)
        return found


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
        self._counting = counting
        self._train, self._items, self._folds = train, items, fold_count(folds)
        steps = np.arange(1, config.window + 1)
        forward = config.decay ** (steps - 1.0)
        self._steps = np.concatenate([steps, -steps]) if config.backward else steps
        self._weights = np.concatenate([forward, config.backward * forward]) if config.backward else forward
        # Positions by item, those of one item by fold: each run of positions is a row of one fold.
        run = train.items * np.int64(self._folds) + np.repeat(folds, train.lengths)
        self._positions = np.argsort(run, kind="stable")
        self._runs = offsets_of(np.bincount(run, minlength=items * self._folds))

    def blocks(self) -> Iterator[tuple[slice, scipy.sparse.csr_array]]:
        """Consecutive ranges of items and their counts.

        Yields:
            The items, and `[their number * folds, items]`: row `r * folds + f`, column j is the weight of j seen near
            the r-th of them by the users of fold f.
        """
        ends = self._runs[self._folds :: self._folds]
        first = 0
        while first < self._items:
            before = self._runs[first * self._folds]
            last = int(np.searchsorted(ends, before + BLOCK_PAIRS // len(self._steps), side="right"))
            last = min(max(last, first + 1), self._items)
            yield slice(first, last), self._count(first * self._folds, last * self._folds)
            first = last

    def _count(self, first: int, last: int) -> scipy.sparse.csr_array:
        """The runs from `first` to `last`, as rows."""
        runs = self._runs[first : last + 1]
        positions = self._positions[runs[0] : runs[-1]]
        offsets = self._train.offsets
        owner = np.searchsorted(offsets, positions, side="right") - 1
        near = positions[:, None] + self._steps
        inside = (near >= offsets[owner][:, None]) & (near < offsets[owner + 1][:, None])
        of_row, met = self._counting
        weights = np.broadcast_to(self._weights.astype(np.float32), near.shape)[inside]
        around = scipy.sparse.csr_array(
            (
                weights if met is None else weights * met[near[inside]],
                self._train.items[near[inside]],
                offsets_of(inside.sum(axis=1)),
            ),
            shape=(len(positions), self._items),
        )
        ones = np.ones(len(positions), dtype=np.float32)
        together = scipy.sparse.csr_array(
            (ones if of_row is None else of_row[positions], np.arange(len(positions)), runs - runs[0]),
            shape=(last - first, len(positions)),
        )
        found = scipy.sparse.csr_array(together @ around)
        if of_row is not None or met is not None:
            # What counts nothing is no entry, of which a row keeps few.
            found.eliminate_zeros()
        return found


def normalise(counts: scipy.sparse.csr_array, popularity: NDArray[np.float32], alpha: float) -> scipy.sparse.csr_array:
    """C(i, j) / (deg(i)^(1-alpha) pop(j)^alpha).

    Args:
        counts: C, `[rows, items]`.
        popularity: pop(j), interactions of each item.
        alpha: how much popular targets are held back.
    """
    degree = np.asarray(counts.sum(axis=1)).ravel()
    left = np.where(degree > 0, degree, 1.0) ** -(1.0 - alpha)
    right = np.maximum(popularity, 1.0) ** -alpha
    scaled = counts.data * np.repeat(left, np.diff(counts.indptr)) * right[counts.indices]
    return scipy.sparse.csr_array((scaled.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def cooccurrence_relation(
    name: str,
    train: Sequences,
    items: int,
    folds: NDArray[np.int64] | None,
    config: CooccurrenceConfig,
    *,
    top_k: int | None,
) -> CooccurrenceRelation:
    """Counts a co-occurrence relation for every fold and for inference.

    Args:
        name: of the relation.
        train: training sequences; how much an interaction counts, they know.
        items: catalogue size.
        folds: fold of each user, int64 `[users]`; None counts for inference only.
        config: how pairs are counted.
        top_k: entries kept for each row; None keeps whole rows.
    """
    counting = train.counting
    blocks, tables = counted_rows(train, items, folds, config, (counting, counting), top_k=top_k)
    return CooccurrenceRelation(name, items, blocks, items, **tables)


def counted_rows(
    train: Sequences,
    items: int,
    folds: NDArray[np.int64] | None,
    config: CooccurrenceConfig,
    counting: Counting,
    *,
    top_k: int | None,
    itself: float = 0.0,
) -> tuple[int, dict[str, NDArray[Any]]]:
    """Counts pairs of items for every fold and for inference.

    Args:
        train: training sequences.
        items: catalogue size.
        folds: fold of each user, int64 `[users]`; None counts for inference only.
        config: how pairs are counted.
        counting: as for `PairCounts`.
        top_k: entries kept for each row; None keeps whole rows.
        itself: added to what each item has with itself.

    Returns:
        The number of folds, and the rows as `RowRelation` takes them.
    """
    blocks = 0 if folds is None else fold_count(folds)
    folds = np.zeros(len(train), dtype=np.int64) if folds is None else folds
    count = fold_count(folds)
    owner_fold, met = np.repeat(folds, train.lengths), counting[1]
    own = []
    for fold in range(count):
        used = owner_fold == fold
        own.append(np.bincount(train.items[used], None if met is None else met[used], minlength=items))
    popularity = [seen.astype(np.float32) for seen in without_each_fold(own)]
    wanted = [*range(blocks), count]
    width = items if top_k is None else top_k
    values = np.zeros((len(wanted), items, width), dtype=np.float32)
    indices = None if top_k is None else np.zeros((len(wanted), items, width), dtype=np.int32)
    for rows, counts in PairCounts(train, items, folds, config, counting).blocks():
        for block, fold in enumerate(wanted):
            table = normalise(_without_fold(counts, fold, count), popularity[fold], config.alpha)
            if itself:
                table = scipy.sparse.csr_array(table + _diagonal(rows, items, itself))
            if indices is None:
                values[block, rows] = table.toarray()
            else:
                indices[block, rows], values[block, rows] = keep_top(largest(table, width), width)
    if indices is None:
        return blocks, {"dense": values.reshape(-1, width)}
    return blocks, {"indices": indices.reshape(-1, width), "values": values.reshape(-1, width)}


def _diagonal(rows: slice, items: int, value: float) -> scipy.sparse.csr_array:
    """A value for each of some items with itself, `[their number, items]`."""
    count = rows.stop - rows.start
    entries = (np.full(count, value, dtype=np.float32), np.arange(rows.start, rows.stop), np.arange(count + 1))
    return scipy.sparse.csr_array(entries, shape=(count, items))


def _without_fold(counts: scipy.sparse.csr_array, fold: int, folds: int) -> scipy.sparse.csr_array:
    """Rows of all folds but one, added up for each item; of all folds where that fold is not one of several."""
    others = np.array([other for other in range(folds) if other != fold or folds == 1])
    items = counts.shape[0] // folds
    # Adding up the others, in place of subtracting the one, leaves no rounding where nothing is left.
    chosen = scipy.sparse.csr_array(
        (
            np.ones(items * len(others), dtype=np.float32),
            (np.arange(items)[:, None] * folds + others).ravel(),
            np.arange(items + 1) * len(others),
        ),
        shape=(items, counts.shape[0]),
    )
    return scipy.sparse.csr_array(chosen @ counts)


def largest(table: scipy.sparse.csr_array, k: int) -> scipy.sparse.csr_array:
    """The entries of each row that are not below its k-th largest, more than k of them where several equal that.

    Args:
        table: `[rows, columns]`.
        k: entries that are to be kept of each row in the end.
    """
    # Sorting whole rows, as the exact cut does, would take most of the time where rows are long.
    kept = np.ones(table.nnz, dtype=bool)
    bounds = table.indptr
    for row in np.flatnonzero(np.diff(bounds) > k):
        values = table.data[bounds[row] : bounds[row + 1]]
        kept[bounds[row] : bounds[row + 1]] = values >= np.partition(values, len(values) - k)[len(values) - k]
    lengths = np.add.reduceat(np.append(kept, False), bounds[:-1], dtype=np.int64) * (np.diff(bounds) > 0)
    starts = offsets_of(lengths)
    return scipy.sparse.csr_array((table.data[kept], table.indices[kept], starts), shape=table.shape)
