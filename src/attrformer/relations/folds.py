"""Cross-fitting: every training example sees relations counted without its own user (SPEC part 3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


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


def without_each_fold(
    counts: list[NDArray[np.float32]], finish: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Relation tables for every fold of examples, and one for inference.

    Args:
        counts: what each fold of users contributes, additive, one array of equal shape for each fold.
        finish: turns counts into relation values.

    Returns:
        The finished tables stacked: block f was counted on all users but fold f, the last block on all users.
        With a single fold cross-fitting is off and both blocks are counted on everyone.
    """
    total = counts[0].copy()
    for other in counts[1:]:
        total += other
    if len(counts) == 1:
        return np.concatenate([finish(total), finish(total)])
    return np.concatenate([*(finish(total - own) for own in counts), finish(total)])
