"""Behaviour relation: what other users did around the same items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attrformer.dataset.sequences import Sequences
from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.folds import fold_count, without_each_fold
from attrformer.relations.rows import RowRelation, keep_top


def count_pairs(train: Sequences, users: NDArray[np.bool_], items: int, config: CooccurrenceConfig) -> sparse.csr_array:
    """Windowed, distance-decayed co-occurrence counts, forward plus weakened backward.

    Args:
        train: training sequences.
        users: which rows count, bool `[users]`.
        items: catalogue size.
        config: window, decay and backward weight.

    Returns:
        `[items, items]`, entry (i, j) the weight of j seen near i.
    """
    owner = train.row_of_position()
    used = users[owner]
    codes, owner = train.items[used].astype(np.int64), owner[used]
    total = sparse.csr_array((items, items), dtype=np.float32)
    pending_keys: list[NDArray[np.int64]] = []
    pending_weights: list[NDArray[np.float32]] = []
    for distance in range(1, min(config.window, max(len(codes) - 1, 0)) + 1):
        same = owner[distance:] == owner[:-distance]
        if not same.any():
            break
        pending_keys.append(codes[:-distance][same] * items + codes[distance:][same])
        pending_weights.append(np.full(len(pending_keys[-1]), config.decay ** (distance - 1), dtype=np.float32))
        if sum(map(len, pending_keys)) > 8_000_000:
            total = total + _sum_keys(pending_keys, pending_weights, items)
            pending_keys, pending_weights = [], []
    if pending_keys:
        total = total + _sum_keys(pending_keys, pending_weights, items)
    return sparse.csr_array(total + config.backward * total.T)


def _sum_keys(keys: list[NDArray[np.int64]], weights: list[NDArray[np.float32]], items: int) -> sparse.csr_array:
    joined = np.concatenate(keys)
    values = np.concatenate(weights)
    return sparse.coo_array((values, (joined // items, joined % items)), shape=(items, items)).tocsr()


def normalise(counts: sparse.csr_array, popularity: NDArray[np.float32], alpha: float) -> sparse.csr_array:
    """C(i, j) / (deg(i)^(1-alpha) pop(j)^alpha).

    Args:
        counts: C, `[items, items]`.
        popularity: pop(j), interactions of each item.
        alpha: how much popular targets are held back.
    """
    degree = np.asarray(counts.sum(axis=1)).ravel()
    left = np.where(degree > 0, degree, 1.0) ** -(1.0 - alpha)
    right = np.maximum(popularity, 1.0) ** -alpha
    scaled = sparse.diags_array(left) @ counts @ sparse.diags_array(right)
    return sparse.csr_array(scaled.astype(np.float32))


def cooccurrence_relation(
    name: str,
    train: Sequences,
    items: int,
    folds: NDArray[np.int64],
    config: CooccurrenceConfig,
    *,
    top_k: int | None,
) -> RowRelation:
    """Counts a co-occurrence relation for every fold and for inference.

    Args:
        name: of the relation.
        train: training sequences.
        items: catalogue size.
        folds: fold of each user, int64 `[users]`.
        config: how pairs are counted.
        top_k: entries kept for each row; None keeps whole rows.
    """
    owner_fold = folds[train.row_of_position()]
    used = range(fold_count(folds))
    counts = without_each_fold([count_pairs(train, folds == fold, items, config) for fold in used])
    popularity = without_each_fold([np.bincount(train.items[owner_fold == f], minlength=items) for f in used])
    tables = [
        normalise(sparse.csr_array(pairs), seen.astype(np.float32), config.alpha)
        for pairs, seen in zip(counts, popularity, strict=True)
    ]
    if top_k is None:
        return RowRelation(name, items, len(used), items, dense=np.concatenate([t.toarray() for t in tables]))
    tops = [keep_top(_positive(table), top_k) for table in tables]
    indices, values = np.concatenate([i for i, _ in tops]), np.concatenate([v for _, v in tops])
    return RowRelation(name, items, len(used), items, indices=indices, values=values)


def _positive(table: sparse.csr_array) -> sparse.csr_array:
    # Subtracting a fold leaves rounding residue where nothing is left.
    table.data[table.data < 1e-7] = 0.0
    table.eliminate_zeros()
    return table
