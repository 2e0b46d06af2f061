"""Metrics of a ranking: what one is, those of the library, and the door for those of one's own."""

from __future__ import annotations

from attrformer.evaluation.metrics.base import INPUTS, CatalogueMetric, Metric, Ranking
from attrformer.evaluation.metrics.built_in import (
    UNREACHABLE_RANK,
    coverage,
    mrr,
    ndcg,
    popularity_bias,
    popularity_percentiles,
    recall,
    within,
)
from attrformer.evaluation.metrics.checking import check_metric
from attrformer.evaluation.metrics.registry import (
    BUILT_IN,
    find_metric,
    higher_is_better,
    in_brief,
    is_mean,
    is_own,
    known_metrics,
    names_of,
    of_ranks_alone,
    overall_value,
    parse_metric,
    register,
    require_known,
    target_values,
)

__all__ = [
    "BUILT_IN",
    "INPUTS",
    "UNREACHABLE_RANK",
    "CatalogueMetric",
    "Metric",
    "Ranking",
    "check_metric",
    "coverage",
    "find_metric",
    "higher_is_better",
    "in_brief",
    "is_mean",
    "is_own",
    "known_metrics",
    "mrr",
    "names_of",
    "ndcg",
    "of_ranks_alone",
    "overall_value",
    "parse_metric",
    "popularity_bias",
    "popularity_percentiles",
    "recall",
    "register",
    "require_known",
    "target_values",
    "within",
]
