"""Times as the tables hold them, turned into seconds since 1970."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.errors import DataError

# The largest magnitude that is still read as seconds, milliseconds, microseconds: each is about the year 5000.
_UNITS: Final = ((1e11, 1), (1e14, 10**3), (1e17, 10**6))
_FACTORS: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
_ZONED_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_FIX: Final = "Use integers since 1970 (s, ms, us or ns), datetimes or ISO 8601 text, or drop the row"


def read_times(values: pl.Series, *, source: str, missing: bool = False) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Seconds since 1970 of a column of times, and numbers in the column's own resolution to sort by.

    Integers and floats are read as seconds, milliseconds, microseconds or nanoseconds, by their largest magnitude.
    Dates are midnight UTC, and times without a zone are taken as UTC.

    Args:
        values: integers, floats, dates, datetimes or ISO 8601 text, `[n]`.
        source: the table, for error messages.
        missing: whether null is allowed; it then becomes NaN.

    Returns:
        Whole seconds, float64 `[n]` (exact, and NaN where missing); numbers `[n]` in the same order as the times.

    Raises:
        DataError: a value is no time, or is missing and may not be.
    """
    numbers, factor = _numbers(values, source)
    order = numbers.to_numpy()
    gaps = numbers.is_null().to_numpy()
    if gaps.any() and not missing:
        row = int(np.flatnonzero(gaps)[0])
        problem = "the time is missing" if values[row] is None else f"'{values[row]}' is not a time"
        raise DataError(problem, fix=_FIX, source=source, column=values.name, row=row)
    known = numbers.fill_null(0).to_numpy()
    seconds = np.floor_divide(known, factor).astype(np.float64)
    seconds[gaps] = np.nan
    return seconds, order


def _numbers(values: pl.Series, source: str) -> tuple[pl.Series, int]:
    """Numbers with null where missing, and how many of them make a second."""
    kind = values.dtype
    if kind == pl.String:
        integers = values.cast(pl.Int64, strict=False)
        if integers.null_count() == values.null_count():
            return integers, _unit(integers)
        return _parsed(values, source), 10**6
    if isinstance(kind, pl.Datetime):
        return values.to_physical(), _FACTORS[kind.time_unit]
    if kind == pl.Date:
        return values.cast(pl.Int64) * 86_400, 1
    if kind.is_integer():
        return values.cast(pl.Int64), _unit(values)
    if kind.is_float():
        infinite = values.is_infinite().fill_null(False).arg_true()
        if len(infinite):
            raise DataError("the time is not finite", fix=_FIX, source=source, column=values.name, row=int(infinite[0]))
        numbers = values.cast(pl.Float64).fill_nan(None)
        return numbers, _unit(numbers)
    if kind == pl.Null:
        return values.cast(pl.Int64), 1
    raise DataError(f"values of type {kind} are not times", fix=_FIX, source=source, column=values.name)


def _unit(numbers: pl.Series) -> int:
    largest = max(abs(float(numbers.max() or 0)), abs(float(numbers.min() or 0)))  # type: ignore[arg-type]
    return next((factor for bound, factor in _UNITS if largest < bound), 10**9)


def _parsed(values: pl.Series, source: str) -> pl.Series:
    text = values.str.strip_chars().str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "${1} ").str.replace(r"[Zz]$", "+00:00")
    column = pl.col(values.name)
    readings = [
        *(column.str.to_datetime(form, time_unit="us", strict=False, ambiguous="earliest") for form in _FORMATS),
        *(
            column.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC").dt.replace_time_zone(None)
            for form in _ZONED_FORMATS
        ),
        column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    ]
    parsed = text.to_frame().select(pl.coalesce(readings)).to_series().to_physical()
    bad = (parsed.is_null() & values.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(f"'{values[row]}' is not a time", fix=_FIX, source=source, column=values.name, row=row)
    return parsed
