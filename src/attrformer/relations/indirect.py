"""Behaviour relation over one item between: what goes with what goes with an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.relations import wording
from attrformer.relations.base import Relation, Sources, Update
from attrformer.relations.row_table import RowRelation, keep_top

NAME = "indirect"
DIRECT = "cooccurrence_near"
"""The relation that is followed twice."""

FIRST_STEPS = 32
"""Strongest entries of a row that a first step takes; further ones cost time and say little."""

BLOCK_ROWS = 512
"""Whole rows in memory at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class IndirectRelation(RowRelation):
    """Items that co-occurrence reaches over one item between."""

    kind: ClassVar[str] = "indirect"

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the options ask for it and there is something to follow."""
        direct = built.get(DIRECT)
        if not options.indirect or not isinstance(direct, RowRelation):
            return []
        return [indirect_relation(NAME, direct, top_k=sources.top_k)]

    def updated(self, update: Update) -> IndirectRelation:
        """Made anew of the direct relation."""
        direct = update.counted[DIRECT]
        assert isinstance(direct, RowRelation)
        return indirect_relation(self.name, direct, top_k=update.options.kept_entries(update.n_items))

    def reason(self, title: str) -> str:
        """See `RowRelation.reason`."""
        return wording.indirectly(title)


def indirect_relation(name: str, direct: RowRelation, *, top_k: int | None) -> IndirectRelation:
    """Two steps of a relation between items, R2 = D^-1 R' R.

    R' keeps the strongest entries of each row, and D makes each of its rows a distribution.

    Each fold's block is made of that fold's block alone, so what the direct relation has not seen is not seen here
    either. An item is not indirectly related to itself.

    Args:
        name: of the relation.
        direct: a relation whose keys are the items.
        top_k: entries kept for each row; None keeps whole rows.

    Returns:
        A relation with the folds of the direct one.
    """
    items = direct.columns
    blocks = [_two_steps(_block(direct, fold), items if top_k is None else top_k) for fold in range(direct.folds + 1)]
    if top_k is None:
        dense = np.concatenate([block.toarray() for block in blocks])
        return IndirectRelation(name, items, direct.folds, items, dense=dense)
    tops = [keep_top(block, top_k) for block in blocks]
    indices, values = np.concatenate([i for i, _ in tops]), np.concatenate([v for _, v in tops])
    return IndirectRelation(name, items, direct.folds, items, indices=indices, values=values)


def _two_steps(step: scipy.sparse.csr_array, most: int) -> scipy.sparse.csr_array:
    """Two steps, and of each row at least its `most` largest entries; equal ones are kept together."""
    first = _rows_of(*keep_top(step, min(FIRST_STEPS, step.shape[1])), (step.shape[0], step.shape[1]))
    total = np.asarray(first.sum(axis=1)).ravel()
    first = scipy.sparse.csr_array(scipy.sparse.diags_array(1.0 / np.where(total > 0, total, 1.0)) @ first)
    rows, columns = step.shape
    kept = []
    for start in range(0, rows, BLOCK_ROWS):
        # Two steps reach much of the catalogue: a few whole rows are cut faster than as many sparse ones are sorted.
        both = np.asarray((first[start : start + BLOCK_ROWS] @ step).toarray(), dtype=np.float32)
        own = np.arange(len(both))
        both[own, start + own] = 0.0
        if most < columns:
            threshold = np.partition(both, columns - most, axis=1)[:, columns - most]
            both[both < threshold[:, None]] = 0.0
        kept.append(scipy.sparse.csr_array(both))
    return scipy.sparse.csr_array(scipy.sparse.vstack(kept, format="csr"))


def _block(relation: RowRelation, fold: int) -> scipy.sparse.csr_array:
    rows = slice(fold * relation.keys, (fold + 1) * relation.keys)
    if relation.dense is not None:
        return scipy.sparse.csr_array(relation.dense[rows])
    return _rows_of(*relation.entries(rows), (relation.keys, relation.columns))


def _rows_of(indices: NDArray[np.int32], values: NDArray[np.float32], shape: tuple[int, int]) -> scipy.sparse.csr_array:
    """Kept entries `[rows, k]` as a sparse matrix."""
    owner = np.repeat(np.arange(len(indices)), indices.shape[1])
    used = values.ravel() > 0
    return scipy.sparse.csr_array((values.ravel()[used], (owner[used], indices.ravel()[used])), shape=shape)
