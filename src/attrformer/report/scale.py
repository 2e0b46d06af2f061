"""Axes: round tick values, their places, and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in the units of the drawing."""

    position: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from values to places.

    Args:
        low: value at `start`.
        high: value at `stop`, above `low`.
        start: place of `low`.
        stop: place of `high`; below `start` for an axis that runs upwards.
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth of a unit."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start), 1)

    def ticks(self, values: Iterable[float]) -> list[Tick]:
        """A tick for each value, all labels with the same number of decimals."""
        values = list(values)
        step = values[1] - values[0] if len(values) > 1 else 1.0
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        # A step of 0.25 needs one decimal more than its order of magnitude tells.
        decimals += abs(round(step * 10**decimals) - step * 10**decimals) > 1e-9
        return [Tick(self(value), f"{value:,.{decimals}f}") for value in values]


def round_values(low: float, high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """Round values, evenly spaced, that cover `low` to `high`.

    Args:
        low: the smallest value to be covered.
        high: the largest value to be covered.
        count: about how many steps.
        whole: whether only whole numbers will do.
    """
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        low, high = (low, low + 1) if whole else (low - margin, high + margin)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    if whole:
        step = max(1.0, float(round(step)))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def number(value: float | None, digits: int = 4) -> str:
    """A value as text with so many decimals, in scientific notation where they would show only zeros."""
    if value is None or not math.isfinite(value):
        return "-"
    if value and abs(value) < 0.5 * 10**-digits:
        return f"{value:.1e}"
    return f"{value:,.{digits}f}"


def shorten(text: str, length: int) -> str:
    """Text cut to at most `length` characters, with an ellipsis where something is missing."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def finite(values: Sequence[float | None]) -> list[float]:
    """The values that can be drawn."""
    return [value for value in values if value is not None and math.isfinite(value)]
