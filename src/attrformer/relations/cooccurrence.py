"""Behaviour relation: what other users did around the same items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.base import Relation, Sources, Update
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.folds import fold_count, without_each_fold
from attrformer.relations.kept_rows import KeptRows
from attrformer.relations.pair_counts import Block, Counting, PairCounts
from attrformer.relations.parts import parts_of
from attrformer.relations.row_table import RowRelation, keep_top
from attrformer.relations.scratch import scratch_array
from attrformer.relations.strongest_pairs import FoldEntries, fold_entries
from attrformer.relations.threads import for_each


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
    wanted = [*range(blocks), count]
    scale = _popularity(train, items, folds, counting[1])[wanted] ** np.float32(-config.alpha)
    width = items if top_k is None else top_k
    kept = None if top_k is None else KeptRows(len(wanted), items, width)
    whole = scratch_array((len(wanted), items if kept is None else 0, width), np.float32)
    pairs = PairCounts(train, items, folds, config, counting)

    def count_block(part: Block) -> None:
        rows = pairs.by_rank[part.first : part.last]
        entries = fold_entries(pairs, part, scale, None if itself else top_k)
        if pairs.kernels is not None and kept is not None and not itself:
            left = np.stack([entries.left(fold, config.alpha) for fold in wanted])
            for block, found in enumerate(_largest(pairs.kernels, entries, left, scale, width)):
                kept.put(block, rows, *found)
            return
        for block, fold in enumerate(wanted):
            table = normalised(entries, fold, scale[block], config.alpha)
            if itself:
                table = scipy.sparse.csr_array(table + _diagonal(rows, items, itself))
            if kept is None:
                whole[block, rows] = table.toarray()
            else:
                kept.put(block, rows, *keep_top(table, width))

    for_each(count_block, pairs.blocks())
    return blocks, {"dense": whole.reshape(-1, width)} if kept is None else kept.tables()


def _popularity(
    train: Sequences, items: int, folds: NDArray[np.int64], met: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Interactions of each item without each fold, and of all users last; 1 at least, float32 `[folds + 1, items]`."""
    own = np.zeros((fold_count(folds), items))
    for part in parts_of(train):
        weights = None if met is None else met[part.positions]
        own += np.bincount(part.each(folds) * items + part.items, weights, own.size).reshape(own.shape)
    return np.maximum(np.stack(without_each_fold(list(own))).astype(np.float32), np.float32(1.0))


def normalised(entries: FoldEntries, fold: int, scale: NDArray[np.float32], alpha: float) -> scipy.sparse.csr_array:
    """C(i, j) / (deg(i)^(1-alpha) pop(j)^alpha) without one fold, `[rows, items]`.

    Args:
        entries: C in each fold.
        fold: that is left out; the number of folds leaves out none.
        scale: pop(j)^-alpha, float32 `[items]`.
        alpha: how much popular targets are held back.
    """
    counts, left = entries.without(fold), entries.left(fold, alpha)
    scaled = counts * np.repeat(left, np.diff(entries.starts)) * scale[entries.columns]
    table = scipy.sparse.csr_array((scaled, entries.columns, entries.starts), shape=(len(left), len(scale)), copy=True)
    table.eliminate_zeros()
    return table


def _largest(
    kernels: ModuleType, entries: FoldEntries, left: NDArray[np.float32], scale: NDArray[np.float32], k: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """What `normalised` and `keep_top` find of some rows without each fold, by compiled code."""
    shape = (*left.shape, k)
    indices, values = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.float32)
    kernels.strongest(entries.starts, entries.columns, entries.counts, left, scale, indices, values)
    return zip(indices, values, strict=True)


def _diagonal(rows: NDArray[np.int64], items: int, value: float) -> scipy.sparse.csr_array:
    """A value for each of some items with itself, `[their number, items]`."""
    entries = (np.full(len(rows), value, dtype=np.float32), rows, np.arange(len(rows) + 1))
    return scipy.sparse.csr_array(entries, shape=(len(rows), items))
