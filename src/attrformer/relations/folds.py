"""Cross-fitting: every training example sees relations counted without its own user (docs/paper.md, part 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.relations.parts import Part, parts_of

Counts = TypeVar("Counts", bound=Any)


def assign_folds(users: int, folds: int, seed: int) -> NDArray[np.int64]:
    """Splits users into folds of equal size.

    Args:
        users: number of users.
        folds: number of folds.
        seed: of the permutation.

    Returns:
        int64 `[users]`, the fold of each user.
    """
    return np.random.default_rng(seed).permutation(users).astype(np.int64) % folds


def fold_tables(
    folds: NDArray[np.int64],
    train: Sequences,
    keys: Callable[[Part], NDArray[np.int64]],
    shape: tuple[int, int],
) -> list[NDArray[np.float32]]:
    """How often each key meets each item, for each fold of users; interactions count as `Sequences.counting` says.

    Args:
        folds: int64 `[users]`, the fold of each user.
        train: training sequences, one row for each user.
        keys: the key of each interaction of a part, int64 `[n]`, such as an attribute value or a moment.
        shape: number of keys and of items.

    Returns:
        A float32 table `[keys, items]` for each fold.
    """
    tables, counting = np.zeros((fold_count(folds), *shape), dtype=np.float32), train.counting
    for part in parts_of(train):
        places = (part.each(folds) * shape[0] + keys(part)) * shape[1] + part.items
        np.add.at(tables.reshape(-1), places, np.float32(1) if counting is None else counting[part.positions])
    return list(tables)


def without_each_fold(counts: list[Counts]) -> list[Counts]:
    """Counts for the examples of every fold, and for inference.

    Args:
        counts: what each fold of users contributes; anything that can be added and subtracted.

    Returns:
        Entry f was counted on all users but fold f, the last entry on all users. With a single fold cross-fitting is
        off and both entries are counted on everyone.
    """
    total = sum(counts[1:], counts[0])
    if len(counts) == 1:
        return [total, total]
    return [*(total - own for own in counts), total]


def fold_count(folds: NDArray[np.int64]) -> int:
    """How many folds the users are split into, at least 1."""
    return int(folds.max()) + 1 if len(folds) else 1
