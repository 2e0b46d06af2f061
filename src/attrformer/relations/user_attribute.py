"""User attributes as relations: an attribute value to items, by smoothed lift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.sequences import Sequences
from attrformer.relations.folds import fold_count, without_each_fold
from attrformer.relations.rows import RowRelation

SMOOTHING = 10.0
"""Interactions of the whole population that are mixed into each (value, item) count."""


def user_values(attribute: Attribute, buckets: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """One value code for each user, the first where there are several; missing is the last code.

    Args:
        attribute: one row for each user.
        buckets: most buckets of a number.

    Returns:
        int64 `[users]` codes and their labels, the last label standing for a missing value.
    """
    if attribute.kind in (AttributeKind.NUMERIC, AttributeKind.TIME):
        attribute = attribute.bucketed(buckets)
    missing = len(attribute.vocabulary)
    known = np.diff(attribute.offsets) > 0
    codes = np.full(len(attribute), missing, dtype=np.int64)
    codes[known] = attribute.codes[attribute.offsets[:-1][known]]
    return codes, (*attribute.vocabulary, "")


def lift_relation(
    name: str, train: Sequences, items: int, folds: NDArray[np.int64], codes: NDArray[np.int64], values: int
) -> RowRelation:
    """How much more often people with a value act on an item than everybody does.

    R(value, j) = (n(value, j) + s q(j)) / ((n(value) + s) q(j)) with q(j) the smoothed share of item j; 1 means "like
    everybody". A missing value relates to nothing: its row is 0.

    Args:
        name: of the relation.
        train: training sequences.
        items: catalogue size.
        folds: fold of each user.
        codes: value of each user, the last code (`values - 1`) meaning missing.
        values: number of codes, missing included.
    """
    owner = train.row_of_position()
    counts = []
    for fold in range(fold_count(folds)):
        used = folds[owner] == fold
        pair = (codes[owner[used]], train.items[used])
        ones = np.ones(int(used.sum()), dtype=np.float32)
        counts.append(sparse.coo_array((ones, pair), shape=(values, items)).toarray().astype(np.float32))

    def finish(count: NDArray[np.float32]) -> NDArray[np.float32]:
        share = (count.sum(0) + 1.0) / (count.sum() + items)
        smoothed = (count + SMOOTHING * share * items * 0.01) / (count.sum(1, keepdims=True) + SMOOTHING * items * 0.01)
        lift: NDArray[np.float32] = (smoothed / share).astype(np.float32)
        lift[-1] = 0.0
        return lift

    tables = [finish(count) for count in without_each_fold(counts)]
    return RowRelation(name, values, len(counts), items, dense=np.concatenate(tables))
