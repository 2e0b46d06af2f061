"""User attributes as relations: an attribute value to items, by smoothed lift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute
from attrformer.dataset.sequences import Sequences
from attrformer.relations.folds import fold_tables, without_each_fold
from attrformer.relations.reading import Reading
from attrformer.relations.rows import RowRelation

SMOOTHING = 10.0
"""Interactions of the whole population that are mixed into each (value, item) count."""


def user_values(attribute: Attribute, buckets: int) -> tuple[NDArray[np.int64], tuple[str, ...], Reading]:
    """One value code for each user, the first where there are several; missing is the last code.

    Args:
        attribute: one row for each user.
        buckets: most buckets of a number.

    Returns:
        int64 `[users]` codes, their labels, the last one standing for a missing value, and how users that come later
        are read.
    """
    reading, attribute = Reading.of(attribute, buckets)
    values = len(attribute.vocabulary)
    owner = np.repeat(np.arange(len(attribute)), np.diff(attribute.offsets))
    codes = first_values(owner, attribute.codes.astype(np.int64), len(attribute), values)
    return codes, (*attribute.vocabulary, ""), reading.keeping(np.arange(values))


def first_values(owner: NDArray[np.int64], codes: NDArray[np.int64], count: int, missing: int) -> NDArray[np.int64]:
    """The first value code of each user, int64 `[count]`; `missing` where there is none.

    Args:
        owner: int64 `[n]`, the user that has each value, ascending.
        codes: int64 `[n]`, the values.
        count: how many users there are.
        missing: the code of a missing value.
    """
    users, first = np.unique(owner, return_index=True)
    out = np.full(count, missing, dtype=np.int64)
    out[users] = codes[first]
    return out


def lift_relation(
    name: str, train: Sequences, items: int, folds: NDArray[np.int64], codes: NDArray[np.int64], values: int
) -> RowRelation:
    """How much more often people with a value act on an item than everybody does.

    R(value, j) = (m(value, j) + s q(j)) / ((m(value) + s) q(j)), where m counts one interaction of the whole population
    with every item besides the real ones, and q(j) is the share of item j of them; 1 means "like everybody", and is
    what an item without interactions gets from every value. A missing value relates to nothing: its row is 0.

    Args:
        name: of the relation.
        train: training sequences.
        items: catalogue size.
        folds: fold of each user.
        codes: value of each user, the last code (`values - 1`) meaning missing.
        values: number of codes, missing included.
    """
    counts = fold_tables(folds, train, codes[train.row_of_position()], (values, items))

    def finish(count: NDArray[np.float32]) -> NDArray[np.float32]:
        total = count.sum()
        share = (count.sum(0) + 1.0) / (total + items)
        # The one interaction that each share holds for an item nobody has touched is parted among the values as all
        # interactions are. Were it in the share alone, such an item would be far below the share of every value.
        seen = count + count.sum(1, keepdims=True) / max(total, 1.0)
        strength = SMOOTHING * items * 0.01
        smoothed = (seen + strength * share) / (seen.sum(1, keepdims=True) + strength)
        lift: NDArray[np.float32] = (smoothed / share).astype(np.float32)
        lift[-1] = 0.0
        return lift

    tables = [finish(count) for count in without_each_fold(counts)]
    return RowRelation(name, values, len(counts), items, dense=np.concatenate(tables))
