"""Measures by groups of targets: short and long histories, rare and popular items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.evaluation.bootstrap import Interval, mean_intervals


@dataclass(frozen=True, slots=True)
class Slice:
    """A measure over the targets of one group.

    Args:
        label: range of the values that make the group, such as "3-5" or "0".
        targets: number of targets in the group.
        interval: mean of the measure in the group, with its interval.
    """

    label: str
    targets: int
    interval: Interval


def bands(values: NDArray[Any], count: int) -> list[tuple[int, int]]:
    """Ranges of whole numbers that hold about as many of the values each.

    Zero is a range of its own where it occurs, so that items nobody has bought yet are seen apart.

    Args:
        values: whole numbers from 0, `[n]`.
        count: the most ranges to make; equal values are never parted, so there may be fewer.

    Returns:
        Lowest and highest value of each range, both included and both occurring, in ascending order.
    """
    ordered = np.sort(np.asarray(values, dtype=np.int64))
    zeros = int(np.searchsorted(ordered, 1))
    positive = ordered[zeros:]
    found = [(0, 0)] if zeros else []
    if not len(positive):
        return found
    wanted = max(count - len(found), 1)
    highs = np.unique(positive[np.ceil(np.arange(1, wanted + 1) * len(positive) / wanted).astype(np.int64) - 1])
    starts = np.concatenate([[0], np.searchsorted(positive, highs[:-1], side="right")])
    return found + [(int(positive[start]), int(high)) for start, high in zip(starts, highs, strict=True)]


def by_band(
    measure: NDArray[np.float64],
    values: NDArray[Any],
    *,
    count: int,
    users: NDArray[np.int64] | None,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[Slice]:
    """The mean of a measure within each band of a value.

    Args:
        measure: float64 `[n]`, of each target.
        values: whole numbers `[n]` that the targets are grouped by.
        count: the most groups to make.
        users: int64 `[n]`, who each target belongs to; None where each has a user of its own.
        resamples: bootstrap resamples.
        confidence: level of the intervals.
        seed: of the bootstrap.

    Returns:
        One slice for each band, in ascending order.
    """
    groups = {
        str(low) if low == high else f"{low}-{high}": (values >= low) & (values <= high)
        for low, high in bands(values, count)
    }
    return by_group(measure, groups, users=users, resamples=resamples, confidence=confidence, seed=seed)


def by_group(
    measure: NDArray[np.float64],
    groups: Mapping[str, NDArray[np.bool_]],
    *,
    users: NDArray[np.int64] | None,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[Slice]:
    """The mean of a measure within each of some groups.

    Args:
        measure: float64 `[n]`, of each target.
        groups: bool `[n]` by label, which targets are in the group.
        users: int64 `[n]`, who each target belongs to; None where each has a user of its own.
        resamples: bootstrap resamples.
        confidence: level of the intervals.
        seed: of the bootstrap.

    Returns:
        One slice for each group that has a target, in their order.
    """
    slices = []
    for label, inside in groups.items():
        if inside.any():
            (interval,) = mean_intervals(
                measure[inside],
                users=None if users is None else users[inside],
                resamples=resamples,
                confidence=confidence,
                seed=seed,
            )
            slices.append(Slice(label, int(inside.sum()), interval))
    return slices
