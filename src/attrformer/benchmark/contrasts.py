"""One model against many on the same targets: paired bootstrap tests and relative gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.benchmark.results import Result
from attrformer.evaluation import bootstrap
from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.protocol import SEEN_VARIANTS


@dataclass(frozen=True, slots=True)
class Contrast:
    """One model less another.

    Args:
        difference: of the means, with its interval.
        gain: difference relative to the other's mean, with its interval.
        p_value: two-sided, of a paired bootstrap test.
    """

    difference: Interval
    gain: Interval
    p_value: float


def contrasts(
    own: Result, others: Sequence[Result], name: str, among: NDArray[np.bool_] | None = None
) -> dict[tuple[str, str], Contrast]:
    """Compares one result with others; those without ranks of the same targets are left out.

    All are averaged over the same resamples of users, as `evaluation.bootstrap.paired_test` does for two.

    Args:
        own: whose gains are wanted.
        others: on the same dataset.
        name: a metric of ranks, such as `NDCG@20`.
        among: bool `[n]`, the targets that count; None for all of them.

    Returns:
        By row and seen variant.
    """
    others = [other for other in others if own.comparable(other)]
    if not others or own.ranks is None:
        return {}
    protocol = own.ranks[0].protocol
    columns = [result.per_target(name, seen) for seen in SEEN_VARIANTS for result in (own, *others)]
    table = np.stack(columns, axis=1)
    users = own.ranks[0].users
    if among is not None:
        table, users = table[among], None if users is None else users[among]
    means = bootstrap.resampled_means(table, users, protocol.resamples, 0)
    found: dict[tuple[str, str], Contrast] = {}
    for number, seen in enumerate(SEEN_VARIANTS):
        first = number * (1 + len(others))
        for column, other in enumerate(others, start=first + 1):
            values = table[:, [first, column]].mean(axis=0)
            found[other.row, seen] = _contrast(values, means[:, [first, column]], protocol.confidence)
    return found


def _contrast(values: NDArray[np.float64], means: NDArray[np.float64], confidence: float) -> Contrast:
    """From the means `[2]` of both models and those of each resample `[resamples, 2]`."""
    difference, swings = values[0] - values[1], means[:, 0] - means[:, 1]
    # Sums of the same numbers in another order differ in the last bits.
    extreme = int((np.abs(swings - difference) >= abs(difference) - 1e-12).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = _interval(values[0] / values[1] - 1, means[:, 0] / means[:, 1] - 1, confidence)
    return Contrast(
        difference=_interval(difference, swings, confidence),
        gain=gain,
        p_value=(extreme + 1) / (len(means) + 1),
    )


def _interval(value: float, resampled: NDArray[np.float64], confidence: float) -> Interval:
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
