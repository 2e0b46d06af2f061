"""The metrics of the library: accuracy by the rank of each target, breadth and popularity of the recommended lists."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.metrics.base import ITEMS, LISTS, POPULARITY, USERS, CatalogueMetric, Metric, Ranking

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


def coverage(
    lists: NDArray[Any],
    item_count: int,
    *,
    users: NDArray[np.int64] | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Coverage: the share of the catalogue that appears in at least one recommended list.

    It is no mean over users, and a resample of users always covers less than all of them, so its interval is not a
    bootstrap: it is the normal interval with the jackknife error over users, kept within 0 and 1.

    Args:
        lists: integer `[n, k]`, item codes; -1 where a list is short.
        item_count: items in the catalogue.
        users: int64 `[n]`, who each list belongs to; None where each list has a user of its own.
        confidence: level of the interval.

    Returns:
        The share and its interval.
    """
    rows = np.arange(len(lists)) if users is None else np.unique(users, return_inverse=True)[1]
    row_count = int(rows.max()) + 1 if len(rows) else 0
    pairs = (rows[:, None] * item_count + lists)[lists >= 0]
    if users is not None:
        pairs = np.unique(pairs)
    owners, items = np.divmod(pairs, item_count)
    times = np.bincount(items, minlength=item_count)
    value = float((times > 0).sum() / item_count)
    # What is lost when one user is left out: the items that nobody else was recommended.
    losses = np.bincount(owners[times[items] == 1], minlength=row_count) / item_count
    spread = NormalDist().inv_cdf(0.5 + confidence / 2.0) * float(np.sqrt(losses.var() * (row_count - 1)))
    return Interval(value=value, low=max(0.0, value - spread), high=min(1.0, value + spread))


def popularity_percentiles(popularity: NDArray[Any]) -> NDArray[np.float64]:
    """The place of each item among the catalogue by popularity, between 0 and 1 and 0.5 on average.

    It is the share of items with fewer interactions plus half the share with as many, itself included.

    Args:
        popularity: `[n_items]`, training interactions of each item.

    Returns:
        float64 `[n_items]`.
    """
    _, inverse, counts = np.unique(popularity, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - counts / 2.0
    places: NDArray[np.float64] = middles[inverse] / max(len(popularity), 1)
    return places


def popularity_bias(
    lists: NDArray[Any], targets: NDArray[Any], percentiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Popularity bias of each list: how much more popular than the target its items are.

    It is the mean popularity percentile of the recommended items less the percentile of the target, between -1 and
    1: above 0, items are recommended that are more popular than what people take. An empty list counts as 0.

    Args:
        lists: integer `[n, k]`, item codes; -1 where a list is short.
        targets: integer `[n]`, the item to be found.
        percentiles: float64 `[n_items]`, of `popularity_percentiles`.

    Returns:
        float64 `[n]`.
    """
    present = lists >= 0
    sizes = present.sum(axis=1)
    totals = np.where(present, percentiles[lists], 0.0).sum(axis=1)
    return np.where(sizes > 0, totals / np.maximum(sizes, 1) - percentiles[targets], 0.0)


class Coverage(CatalogueMetric):
    """See `coverage`."""

    name: ClassVar[str] = "Coverage"
    reads: ClassVar[tuple[str, ...]] = (LISTS, USERS)

    def overall(self, ranking: Ranking, k: int, confidence: float) -> Interval:
        """The share of the catalogue and its interval."""
        return coverage(ranking.lists, ranking.item_count, users=ranking.users, confidence=confidence)


class PopularityBias(Metric):
    """See `popularity_bias`."""

    name: ClassVar[str] = "PopularityBias"
    reads: ClassVar[tuple[str, ...]] = (LISTS, ITEMS, POPULARITY)
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    higher_is_better: ClassVar[bool] = False
    follows_rank: ClassVar[bool] = False

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        """How much more popular than its target each list is."""
        return popularity_bias(ranking.lists, ranking.items, popularity_percentiles(ranking.popularity))
