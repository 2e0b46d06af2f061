"""Every metric by name, and figures by their names from whatever rankings are known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.metrics.base import RANKS, CatalogueMetric, Metric, Ranking
from attrformer.evaluation.metrics.built_in import MRR, NDCG, Coverage, PopularityBias, Recall
from attrformer.evaluation.metrics.checking import check_metric, checked_values

_BUILT_IN: Final[dict[str, Metric]] = {
    metric.name: metric for metric in (Recall(), NDCG(), MRR(), Coverage(), PopularityBias())
}
BUILT_IN: Final = tuple(_BUILT_IN)
"""Names of the metrics of the library, in the order in which they are reported."""

_known: Final[dict[str, Metric]] = dict(_BUILT_IN)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_IN_BRIEF = ("Recall", "NDCG")
_HOW: Final = (
    "A metric of your own is known once the file that registers it is named: attrformer --plugins FILE, or the "
    "environment variable ATTRFORMER_PLUGINS; in Python, once it is imported."
)


def register(metric: Metric | type[Metric]) -> None:
    """Makes a metric of one's own known under its name.

    From then on it is a metric like any other: `evaluation.metrics`, `training.metric`, `Evaluation.metric`, reports,
    tables of benchmarks. `check_metric` tries it first. Registering the same class again replaces it, as
    running a notebook's cell again does.

    Args:
        metric: a class derived from `Metric` or `CatalogueMetric`, or an instance of one.

    Raises:
        ConfigurationError: it is no metric, its name is taken or is none, or it fails the check.
    """
    made = metric() if isinstance(metric, type) and issubclass(metric, Metric) else metric
    if not isinstance(made, Metric):
        raise ConfigurationError(f"{metric!r} is no metric. Derive it from attrformer.evaluation.metrics.Metric.")
    named: object = made.name
    if not isinstance(named, str) or _NAME.fullmatch(named) is None:
        raise ConfigurationError(
            f"The metric {type(made).__name__} has the name '{made.name}'. Give it letters, digits, - and _, "
            "beginning with a letter; the list length follows it by itself, as in NDCG@20."
        )
    for taken, other in _known.items():
        # Names that differ in case alone would be mixed up.
        if taken.casefold() == made.name.casefold() and not _is_again(made, other):
            whose = "of the library" if taken in _BUILT_IN else f"of {type(other).__module__}"
            raise ConfigurationError(f"The name '{made.name}' is that of a metric {whose}. Give yours another one.")
    check_metric(made)
    _known[made.name] = made


def _is_again(made: Metric, other: Metric) -> bool:
    def key(metric: Metric) -> tuple[str, str, str]:
        return metric.name, type(metric).__module__, type(metric).__qualname__

    return made.name not in _BUILT_IN and key(made) == key(other)


def is_own(name: str) -> bool:
    """Whether a metric was registered from outside of the library, by its name with or without a list length."""
    return name.partition("@")[0] not in _BUILT_IN


def known_metrics() -> tuple[str, ...]:
    """Names of all metrics, those of the library first."""
    return tuple(_known)


def find_metric(name: str) -> Metric:
    """The metric of a name such as `NDCG`.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in _known:
        near = difflib.get_close_matches(name, _known, n=1)
        advice = f"Did you mean {near[0]}? " if near else ""
        raise ConfigurationError(f"Unknown metric '{name}'. {advice}Known are {', '.join(_known)}. {_HOW}")
    return _known[name]


def require_known(names: Iterable[str]) -> None:
    """Raises where a name such as `NDCG` is that of no metric.

    Raises:
        ConfigurationError: there is one.
    """
    for name in names:
        find_metric(name)


def parse_metric(name: str) -> tuple[str, int]:
    """The metric and the list length of a name such as `NDCG@20`.

    Args:
        name: a known metric, then `@` and a whole number from 1.

    Returns:
        Name of the metric and k.

    Raises:
        ConfigurationError: the name is not of that form, or the metric is unknown.
    """
    measure, _, length = name.partition("@")
    if measure not in _known or not length.isdecimal() or int(length) < 1:
        own = "" if measure in _known else f" {_HOW}"
        raise ConfigurationError(
            f"Unknown metric '{name}'. Give one of {', '.join(_known)} followed by @ and a list length, such as "
            f"NDCG@20.{own}"
        )
    return measure, int(length)


def higher_is_better(name: str) -> bool:
    """Whether more of a metric such as `NDCG@20` is better.

    Raises:
        ConfigurationError: it is unknown.
    """
    return find_metric(parse_metric(name)[0]).higher_is_better


def is_mean(name: str) -> bool:
    """Whether a metric such as `NDCG@20` is a mean over targets.

    Raises:
        ConfigurationError: it is unknown.
    """
    return not isinstance(find_metric(parse_metric(name)[0]), CatalogueMetric)


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
