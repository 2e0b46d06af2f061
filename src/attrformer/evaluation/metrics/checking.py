"""Whether a metric keeps to what evaluations take for granted, tried on a few small rankings."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import AttrFormerError, ConfigurationError
from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.metrics.base import INPUTS, CatalogueMetric, Metric, Ranking
from attrformer.evaluation.metrics.built_in import UNREACHABLE_RANK

LENGTHS: Final = (1, 5, 20)
"""List lengths that a metric is tried at."""

_ITEMS: Final = 40
_RANKS: Final = (1, 2, 3, 4, 5, 6, 11, 19, 20, 21, 33, UNREACHABLE_RANK)
_SHORT: Final = 7
"""Length of a short list among the tried ones."""


def check_metric(metric: Metric) -> None:
    """Tries a metric on small rankings: among others, alone, in another order, and at better and worse ranks.

    Args:
        metric: to be tried.

    Raises:
        ConfigurationError: it names unknown inputs or wrong bounds, looks at what it does not name, changes what it is
            given, fails, or gives values of the wrong shape, outside its bounds, that depend on other targets or on
            their order, or that are better for a worse rank.
    """
    _check_told(metric)
    ranking = _ranking(np.array(_RANKS))
    for k in LENGTHS:
        if isinstance(metric, CatalogueMetric):
            _check_overall(metric, ranking, k)
            continue
        values = checked_values(metric, ranking, k)
        _check_order(metric, ranking, values, k)
        _check_alone(metric, ranking, values, k)
        if metric.follows_rank:
            _check_ranks(metric, k)


def _check_told(metric: Metric) -> None:
    reads: object = metric.reads
    if not isinstance(reads, tuple) or not reads or not set(reads) <= set(INPUTS):
        raise ConfigurationError(
            f"The metric '{metric.name}' has reads = {metric.reads!r}. Give a tuple out of {', '.join(INPUTS)}."
        )
    low, high = metric.bounds
    if not low < high:
        raise ConfigurationError(
            f"The metric '{metric.name}' has bounds = {metric.bounds!r}. Give the least value, then a greater one; "
            "float('inf') where there is none."
        )


def _ranking(ranks: NDArray[np.int64], *, alike: bool = False) -> Ranking:
    """Targets at some ranks, in lists that hold them there.

    Args:
        ranks: int64 `[n]`.
        alike: whether all targets are the same item in otherwise equal lists.
    """
    random, count, longest = np.random.default_rng(7), len(ranks), max(LENGTHS)
    orders = np.stack([random.permutation(_ITEMS) for _ in range(count)])
    if alike:
        orders[:] = orders[0]
    items = orders[:, -1].astype(np.int64)
    lists = orders[:, :longest].astype(np.int32)
    for row, rank in enumerate(ranks):
        if rank <= longest:
            lists[row, rank:] = lists[row, rank - 1 : -1]
            lists[row, rank - 1] = items[row]
    if not alike:
        lists[-1] = -1
        lists[-2, _SHORT:] = -1
    values: dict[str, NDArray[Any] | None] = {
        "ranks": ranks.astype(np.int64),
        "lists": lists,
        "items": items,
        "popularity": random.integers(0, 9, _ITEMS),
        "users": np.arange(count, dtype=np.int64) // 2,
    }
    return Ranking(_ITEMS, values)


def _rows(ranking: Ranking, rows: NDArray[np.int64]) -> Ranking:
    arrays = {name: getattr(ranking, name) for name in INPUTS}
    cut = {name: values if name == "popularity" else values[rows] for name, values in arrays.items()}
    return Ranking(ranking.item_count, cut)


def checked_values(metric: Metric, ranking: Ranking, k: int) -> NDArray[np.float64]:
    """What a metric gives for each target, float64 `[n]`, once it is of the right shape and within its bounds.

    Args:
        metric: of somebody's own.
        ranking: what is known; the metric sees what it names in `reads`.
        k: length of the list.

    Raises:
        ConfigurationError: the metric fails, or gives something else.
    """
    name = f"{metric.name}@{k}"
    try:
        found: object = metric.per_target(ranking.only(metric, k), k)
    except AttrFormerError:
        raise
    except Exception as error:
        raise _failed(name, error) from error
    if not (isinstance(found, np.ndarray) and found.shape == (len(ranking),) and found.dtype.kind == "f"):
        shown = f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__
        raise ConfigurationError(
            f"{name} gives {shown} for {len(ranking)} targets. Give a floating array of shape [{len(ranking)}], a "
            "value for each target; their mean is made later."
        )
    values = found.astype(np.float64, copy=False)
    _check_bounds(metric, name, values)
    return values


def _check_bounds(metric: Metric, name: str, values: NDArray[np.float64]) -> None:
    low, high = metric.bounds
    wrong = values[~(np.isfinite(values) & (values >= low - 1e-9) & (values <= high + 1e-9))]
    if len(wrong):
        raise ConfigurationError(
            f"{name} gives {wrong[0]}, and its bounds are {low:g} and {high:g}. Correct it or its `bounds`; what "
            "cannot be recommended has the rank UNREACHABLE_RANK, and a list may be empty (-1)."
        )


def _check_order(metric: Metric, ranking: Ranking, values: NDArray[np.float64], k: int) -> None:
    order = np.random.default_rng(1).permutation(len(ranking))
    again, other = checked_values(metric, ranking, k), checked_values(metric, _rows(ranking, order), k)
    if not np.array_equal(again, values):
        raise ConfigurationError(
            f"{metric.name}@{k} gives other values when it is asked again. Leave chance out of it."
        )
    if not np.allclose(other, values[order]):
        raise ConfigurationError(
            f"{metric.name}@{k} gives other values when the targets come in another order. Compute the value of a "
            "target from its own row alone."
        )


def _check_alone(metric: Metric, ranking: Ranking, values: NDArray[np.float64], k: int) -> None:
    for row, value in enumerate(values):
        (alone,) = checked_values(metric, _rows(ranking, np.array([row])), k)
        if not np.isclose(alone, value):
            raise ConfigurationError(
                f"{metric.name}@{k} gives {value:g} for a target among others and {alone:g} for the same one alone. "
                "Compute the value of a target from its own row alone."
            )


def _check_ranks(metric: Metric, k: int) -> None:
    ranking = _ranking(np.array(_RANKS), alike=True)
    values = checked_values(metric, ranking, k)
    gains = np.diff(values) if metric.higher_is_better else -np.diff(values)
    worse = np.flatnonzero(gains > 1e-12)
    if len(worse):
        first, second = (_said(_RANKS[worse[0] + step]) for step in (0, 1))
        direction = "higher" if metric.higher_is_better else "lower"
        raise ConfigurationError(
            f"{metric.name}@{k} is {values[worse[0]]:g} at {first} and {values[worse[0] + 1]:g} at {second}, and "
            f"{direction} is better. Correct it, or set higher_is_better or follows_rank to what it is."
        )


def _said(rank: int) -> str:
    return "a rank that is never reached" if rank == UNREACHABLE_RANK else f"rank {rank}"


def _check_overall(metric: CatalogueMetric, ranking: Ranking, k: int) -> None:
    name = f"{metric.name}@{k}"
    order = np.random.default_rng(1).permutation(len(ranking))
    found = []
    for one in (ranking, ranking, _rows(ranking, order)):
        try:
            found.append(metric.overall(one.only(metric, k), k, 0.95))
        except AttrFormerError:
            raise
        except Exception as error:
            raise _failed(name, error) from error
    if not all(isinstance(one, Interval) for one in found):
        raise ConfigurationError(f"{name} gives {type(found[0]).__name__}. Give an attrformer.evaluation.Interval.")
    numbers = np.array([[one.low, one.value, one.high] for one in found])
    _check_bounds(metric, name, numbers.ravel())
    if (np.diff(numbers, axis=1) < 0).any():
        raise ConfigurationError(f"{name} gives {found[0]}, which is no interval. Give low <= value <= high.")
    if not np.allclose(numbers, numbers[:1]):
        raise ConfigurationError(
            f"{name} gives other values when it is asked again or the targets come in another order. Leave chance and "
            "the order out of it."
        )


def _failed(name: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"{name} fails on a small ranking ({type(error).__name__}: {error}). Correct it; what it is given cannot be "
        "written to."
    )
