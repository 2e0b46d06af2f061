"""Behaviour relation over one item between: what goes with what goes with an item."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from attrformer.relations.rows import RowRelation, keep_top


def indirect_relation(name: str, direct: RowRelation, *, top_k: int | None) -> RowRelation:
    """Two steps of a relation between items, the first one normalised to a distribution: R2 = D^-1 R R.

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
    blocks = [_two_steps(_block(direct, fold)) for fold in range(direct.folds + 1)]
    if top_k is None:
        dense = np.concatenate([block.toarray() for block in blocks])
        return RowRelation(name, items, direct.folds, items, dense=dense)
    tops = [keep_top(block, top_k) for block in blocks]
    indices, values = np.concatenate([i for i, _ in tops]), np.concatenate([v for _, v in tops])
    return RowRelation(name, items, direct.folds, items, indices=indices, values=values)


def _two_steps(step: sparse.csr_array) -> sparse.csr_array:
    total = np.asarray(step.sum(axis=1)).ravel()
    first = sparse.diags_array(1.0 / np.where(total > 0, total, 1.0)) @ step
    both = sparse.coo_array(first @ step)
    other = both.row != both.col
    kept = (both.data[other].astype(np.float32), (both.row[other], both.col[other]))
    return sparse.csr_array(sparse.coo_array(kept, shape=both.shape))


def _block(relation: RowRelation, fold: int) -> sparse.csr_array:
    rows = slice(fold * relation.keys, (fold + 1) * relation.keys)
    if relation.dense is not None:
        return sparse.csr_array(relation.dense[rows])
    assert relation.indices is not None and relation.values is not None
    indices, values = relation.indices[rows], relation.values[rows]
    owner = np.repeat(np.arange(relation.keys), indices.shape[1])
    used = values.ravel() > 0
    shape = (relation.keys, relation.columns)
    return sparse.csr_array((values.ravel()[used], (owner[used], indices.ravel()[used])), shape=shape)
