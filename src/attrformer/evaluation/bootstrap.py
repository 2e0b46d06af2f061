"""Bootstrap over users: confidence intervals of means, and a paired test of two models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import DataError

_COUNTS_IN_MEMORY: Final = 2**21


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its confidence interval.

    Args:
        value: the figure itself.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The outcome of a paired bootstrap test.

    Args:
        difference: mean of first minus second over the users, with its interval.
        p_value: two-sided; how often chance alone gives a difference at least as large.
        users: users that were compared.
    """

    difference: Interval
    p_value: float
    users: int


def mean_intervals(
    values: NDArray[Any],
    *,
    users: NDArray[np.int64] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Percentile bootstrap intervals of the means of several measures, on the same resamples.

    Users are drawn with replacement. Where a user has several rows, they are drawn together, since they are not
    independent. An interval is widened to hold its own mean where very few users would leave it out.

    Args:
        values: `[n]` or `[n, m]`, one column for each measure.
        users: int64 `[n]`, who each row belongs to; None where each row is a user of its own.
        resamples: number of resamples.
        confidence: share of resamples that an interval covers.
        seed: of the draws; equal seeds give equal intervals.

    Returns:
        One interval for each column.

    Raises:
        DataError: there are no rows.
    """
    table = _table(values)
    return _intervals(table, resampled_means(table, users, resamples, seed), confidence)


def paired_test(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    users: NDArray[np.int64] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedTest:
    """Paired bootstrap test of whether two models differ on the same users.

    The p-value is the share of resampled differences that lie at least as far from the observed difference as that
    lies from zero, the observation itself counted once, so it is never exactly zero.

    Args:
        first: `[n]`, a measure of the first model for each row.
        second: `[n]`, the same measure of the second model, rows aligned with `first`.
        users: int64 `[n]`, who each row belongs to; None where each row is a user of its own.
        resamples: number of resamples.
        confidence: share of resamples that the interval covers.
        seed: of the draws.

    Returns:
        The mean difference with its interval, and the p-value.

    Raises:
        DataError: there are no rows, or the two measures have different lengths.
    """
    if len(first) != len(second):
        raise DataError(
            f"the two measures cover {len(first)} and {len(second)} targets",
            fix="Compare evaluations of the same targets",
        )
    gap = _table(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64))
    means = resampled_means(gap, users, resamples, seed)
    (difference,) = _intervals(gap, means, confidence)
    swings = np.abs(means[:, 0] - difference.value)
    # Sums of the same numbers in another order differ in the last bits.
    extreme = int((swings >= abs(difference.value) - 1e-12).sum())
    count = len(gap) if users is None else len(np.unique(users))
    return PairedTest(difference=difference, p_value=(extreme + 1) / (resamples + 1), users=count)


def _intervals(table: NDArray[np.float64], means: NDArray[np.float64], confidence: float) -> list[Interval]:
    """Percentile intervals of the columns of a table, from the means of its resamples."""
    tail = (1.0 - confidence) / 2.0
    lows, highs = np.quantile(means, [tail, 1.0 - tail], axis=0)
    return [
        Interval(value=float(value), low=float(min(low, value)), high=float(max(high, value)))
        for value, low, high in zip(table.mean(axis=0), lows, highs, strict=True)
    ]


def _table(values: NDArray[Any]) -> NDArray[np.float64]:
    """Measures as `[n, m]` float64."""
    table = np.asarray(values, dtype=np.float64)
    if not len(table):
        raise DataError("there are no targets to average over", fix="Evaluate at least one user")
    return table[:, None] if table.ndim == 1 else table


def resampled_means(
    table: NDArray[np.float64], users: NDArray[np.int64] | None, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Means of each resample, `[resamples, m]`."""
    sums, sizes = _user_sums(table, users)
    random = np.random.default_rng(seed)
    block = max(1, min(resamples, _COUNTS_IN_MEMORY // len(sums)))
    means = np.empty((resamples, table.shape[1]))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        draws = random.integers(0, len(sums), size=(rows, len(sums)), dtype=np.int32)
        # How often each user was drawn, so that one product takes the place of gathering every measure.
        counts = np.stack([np.bincount(row, minlength=len(sums)) for row in draws]).astype(np.float64)
        means[start : start + rows] = (counts @ sums) / (counts @ sizes)[:, None]
    return means


def _user_sums(
    table: NDArray[np.float64], users: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of the measures `[u, m]` and number of rows `[u]` of each user."""
    if users is None:
        return table, np.ones(len(table))
    order = np.argsort(users, kind="stable")
    starts = np.flatnonzero(np.diff(users[order], prepend=users[order[0]] - 1))
    return np.add.reduceat(table[order], starts, axis=0), np.diff(starts, append=len(users)).astype(np.float64)
