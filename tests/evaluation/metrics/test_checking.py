"""Metrics that are wrong in one way each are refused, with the reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.evaluation import Interval
from attrformer.evaluation.metrics import (
    BUILT_IN,
    UNREACHABLE_RANK,
    CatalogueMetric,
    Metric,
    Ranking,
    check_metric,
    find_metric,
)

Values = NDArray[np.float64]


def metric(value: Callable[[Ranking, int], object], **told: object) -> Metric:
    """A metric of one function."""
    own = type("Own", (Metric,), {"name": "Own", "per_target": lambda self, ranking, k: value(ranking, k), **told})
    assert issubclass(own, Metric)
    return own()


def inverse(ranking: Ranking, k: int) -> Values:
    return 1.0 / ranking.ranks


def hit(ranking: Ranking, k: int) -> Values:
    return (ranking.ranks <= k).astype(np.float64)


def changing(ranking: Ranking, k: int) -> Values:
    ranking.ranks[0] = 1
    return hit(ranking, k)


def by_position(ranking: Ranking, k: int) -> Values:
    return np.arange(len(ranking.ranks)) / 100.0


@pytest.mark.parametrize("name", BUILT_IN)
def test_those_of_the_library_pass(name: str) -> None:
    check_metric(find_metric(name))


def test_a_metric_that_keeps_to_the_rules_passes() -> None:
    check_metric(metric(inverse))
    check_metric(metric(lambda ranking, k: hit(ranking, k).astype(np.float32)))
    check_metric(metric(lambda ranking, k: np.minimum(ranking.ranks, k) * 1.0, higher_is_better=False, bounds=(1, 20)))


@pytest.mark.parametrize(
    ("value", "told", "message"),
    [
        (lambda ranking, k: hit(ranking, k).mean(), {}, r"Own@1 gives float64 for 12 targets"),
        (lambda ranking, k: ranking.ranks, {}, r"gives int64 \[12\] for 12 targets"),
        (lambda ranking, k: hit(ranking, k) - 0.5, {}, r"gives -0\.5, and its bounds are 0 and 1"),
        (lambda ranking, k: np.log(hit(ranking, k)), {}, r"gives -inf, and its bounds"),
        (lambda ranking, k: 0 / (hit(ranking, k) * 0), {}, r"gives nan, and its bounds"),
        (lambda ranking, k: ranking.ranks / ranking.ranks.max(), {"higher_is_better": False}, "for the same one alone"),
        (by_position, {}, "when the targets come in another order"),
        (lambda ranking, k: np.random.rand(len(ranking.ranks)), {}, "when it is asked again"),
        (lambda ranking, k: 1 - inverse(ranking, k), {}, r"Own@1 is 0 at rank 1 and 0\.5 at rank 2, and higher is"),
        (inverse, {"higher_is_better": False}, r"Own@1 is 1 at rank 1 and 0\.5 at rank 2, and lower is better"),
        (
            lambda ranking, k: np.where(ranking.ranks == UNREACHABLE_RANK, 1.0, hit(ranking, k)),
            {},
            r"0 at rank 33 and 1 at a rank that is never reached",
        ),
        (lambda ranking, k: ranking.lists.mean(1), {}, r"'Own' looks at lists, which it does not name\. Add 'lists'"),
        (lambda ranking, k: ranking.users * 1.0, {}, "looks at users"),
        (lambda ranking, k: ranking.scores, {}, r"fails on a small ranking \(AttributeError"),
        (changing, {}, r"fails on a small ranking \(ValueError: assignment destination is read-only\)"),
        (inverse, {"reads": ("scores",)}, r"reads = \('scores',\)\. Give a tuple out of ranks, lists"),
        (inverse, {"reads": "ranks"}, r"reads = 'ranks'"),
        (inverse, {"bounds": (1.0, 0.0)}, r"bounds = \(1\.0, 0\.0\)"),
    ],
)
def test_what_breaks_a_rule_is_refused(
    value: Callable[[Ranking, int], object], told: dict[str, object], message: str
) -> None:
    with np.errstate(all="ignore"), pytest.raises(ConfigurationError, match=message):
        check_metric(metric(value, **told))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda ranking: 0.5, "gives float. Give an attrformer.evaluation.Interval"),
        (lambda ranking: Interval(0.5, 0.6, 0.7), "which is no interval"),
        (lambda ranking: Interval(5.0, 5.0, 5.0), "gives 5.0, and its bounds are 0 and 1"),
        (lambda ranking: Interval(*[ranking.lists[0, 0] / 40] * 3), "come in another order"),
        (lambda ranking: 1 / 0, "fails on a small ranking"),
    ],
)
def test_figures_of_all_lists_are_tried_too(value: Callable[[Ranking], object], message: str) -> None:
    class Own(CatalogueMetric):
        name = "Own"
        reads = ("lists",)

        def overall(self, ranking: Ranking, k: int, confidence: float) -> Interval:
            return value(ranking)  # type: ignore[return-value]

    with pytest.raises(ConfigurationError, match=message):
        check_metric(Own())
