"""Accuracy: metrics of the rank of each target."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.evaluation.metrics.base import Metric, Ranking

UNREACHABLE_RANK: Final = 2**31 - 1
"""The rank of a target that can never be recommended: a miss at every cutoff, however long."""


def within(ranks: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Whether each target is among the first k.

    Args:
        ranks: int64 `[n]`, counted from 1, `UNREACHABLE_RANK` for targets that cannot be recommended.
        k: length of the list.

    Returns:
        bool `[n]`.
    """
    inside: NDArray[np.bool_] = (ranks <= k) & (ranks != UNREACHABLE_RANK)
    return inside


def recall(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Recall@k of each target: 1 where the target is among the first k, else 0 (equal to the hit rate).

    Args:
        ranks: int64 `[n]`, counted from 1.
        k: length of the list.

    Returns:
        float64 `[n]`.
    """
    return within(ranks, k).astype(np.float64)


def ndcg(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """NDCG@k of each target: 1 / log2(1 + rank) within the first k, else 0; the ideal gain of one relevant item is 1.

    Args:
        ranks: int64 `[n]`, counted from 1.
        k: length of the list.

    Returns:
        float64 `[n]`.
    """
    return np.where(within(ranks, k), 1.0 / np.log2(1.0 + ranks), 0.0)


def mrr(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Reciprocal rank at k of each target: 1 / rank within the first k, else 0.

    Args:
        ranks: int64 `[n]`, counted from 1.
        k: length of the list.

    Returns:
        float64 `[n]`.
    """
    return np.where(within(ranks, k), 1.0 / ranks, 0.0)


class Recall(Metric):
    """See `recall`."""

    name: ClassVar[str] = "Recall"

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        """1 or 0 for each target."""
        return recall(ranking.ranks, k)


class NDCG(Metric):
    """See `ndcg`."""

    name: ClassVar[str] = "NDCG"

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        """The discounted gain of each target."""
        return ndcg(ranking.ranks, k)


class MRR(Metric):
    """See `mrr`."""

    name: ClassVar[str] = "MRR"

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        """The reciprocal rank of each target."""
        return mrr(ranking.ranks, k)
