"""Figures by their names, from whatever rankings are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.metrics.base import RANKS, CatalogueMetric, Ranking
from attrformer.evaluation.metrics.checking import checked_values
from attrformer.evaluation.metrics.registry import find_metric, is_own, parse_metric

_IN_BRIEF = ("Recall", "NDCG")


def names_of(metrics: Iterable[str], cutoffs: Sequence[int], ranking: Ranking) -> tuple[str, ...]:
    """Names such as `NDCG@20` of the metrics that can be computed from what is known.

    Args:
        metrics: names of metrics; those that read something unknown are left out.
        cutoffs: list lengths.
        ranking: what is known.

    Raises:
        ConfigurationError: a metric is not known.
    """
    found = [metric for metric in metrics if ranking.has(find_metric(metric).reads)]
    return tuple(f"{metric}@{k}" for metric in found for k in cutoffs)


def target_values(name: str, ranking: Ranking) -> NDArray[np.float64]:
    """A metric such as `NDCG@20` of each target, float64 `[n]`.

    Args:
        name: the metric.
        ranking: what is known.

    Raises:
        ConfigurationError: the metric is unknown, is no mean over targets, or needs more than is known.
    """
    measure, k = parse_metric(name)
    metric = find_metric(measure)
    if isinstance(metric, CatalogueMetric):
        return metric.per_target(ranking, k)
    return checked_values(metric, ranking, k) if is_own(measure) else metric.per_target(ranking.only(metric, k), k)


def overall_value(name: str, ranking: Ranking, confidence: float) -> Interval:
    """A metric of all lists together, such as `Coverage@20`, with its interval.

    Args:
        name: the metric, which must be no mean over targets.
        ranking: what is known.
        confidence: level of the interval.

    Raises:
        ConfigurationError: the metric needs more than is known.
    """
    measure, k = parse_metric(name)
    metric = find_metric(measure)
    assert isinstance(metric, CatalogueMetric)
    return metric.overall(ranking.only(metric, k), k, confidence)


def of_ranks_alone(metrics: Iterable[str]) -> list[str]:
    """Those of some metrics that look at nothing but the ranks of targets.

    Args:
        metrics: names such as `NDCG`.
    """
    return [name for name in metrics if find_metric(name).reads == (RANKS,)]


def in_brief(names: Iterable[str]) -> list[str]:
    """Those of some figures that stand for all where there is little room: Recall, NDCG and one's own, at the longest.

    Metrics need not be known, so that figures of a file can be shown.

    Args:
        names: such as `NDCG@20`.
    """
    split = [(name, *name.partition("@")[::2]) for name in names]
    longest = max((int(k) for _, _, k in split), default=0)
    found = [(name, metric) for name, metric, k in split if int(k) == longest]
    brief = [name for name, metric in found if metric in _IN_BRIEF or is_own(metric)]
    return brief or [name for name, _ in found]
