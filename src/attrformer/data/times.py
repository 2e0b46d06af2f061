"""Times as the tables hold them, turned into seconds since 1970."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.time_units import Fail, digits_of_dates, unit_of
from attrformer.errors import DataError

_FACTORS: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
_ZONED_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
# `Tue Apr 03 18:00:09 +0000 2012` of Twitter and Foursquare, `Tue, 03 Apr 2012 18:00:09 GMT` of mail.
_NAMED_FORMATS: Final = ("%a %b %d %H:%M:%S %z %Y", "%d %b %Y %H:%M:%S %z")
_YEAR_9999: Final = 253_402_300_799
_FIX: Final = (
    "Use integers since 1970 (s, ms, us or ns), datetimes or ISO 8601 text such as 2024-01-31 18:30:00, or drop the row"
)


class Times(NamedTuple):
    """A column of times.

    Args:
        seconds: whole seconds since 1970, float64 `[n]`, exact, NaN where missing.
        order: numbers `[n]` in the same order as the times, in the column's own resolution.
        form: what the column holds, in words.
        factor: how many of the column's own units make a second.
    """

    seconds: NDArray[np.float64]
    order: NDArray[Any]
    form: str
    factor: int


def read_times(values: pl.Series, *, source: str, missing: bool = False) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Seconds since 1970 of a column of times, and numbers in the column's own resolution to sort by.

    Integers and floats are read as seconds, milliseconds, microseconds or nanoseconds, by where most of them lie, or as
    the digits of dates (20220408, 20220408123000). Dates are midnight UTC, and times without a zone are taken as UTC.

    Args:
        values: integers, floats, dates, datetimes or ISO 8601 text, `[n]`.
        source: the table, for error messages.
        missing: whether null is allowed; it then becomes NaN.

    Returns:
        Whole seconds, float64 `[n]` (exact, and NaN where missing); numbers `[n]` in the same order as the times.

    Raises:
        DataError: a value is no time, is missing and may not be, or has another unit than the others.
    """
    found = times_of(values, source=source, missing=missing)
    return found.seconds, found.order


def times_of(values: pl.Series, *, source: str, missing: bool = False, up: bool = False, first: int = 0) -> Times:
    """What `read_times` gives, and what the column holds; arguments and errors as there.

    Args:
        values: as for `read_times`.
        source: as for `read_times`.
        missing: as for `read_times`.
        up: whether a part of a second counts as a whole one, so that nothing seems to be known before its time.
        first: number of the first row in the table, where the values are a part of it, for error messages.
    """

    def fail(problem: str, row: int) -> DataError:
        return DataError(problem, fix=_FIX, source=source, column=values.name, row=first + row)

    numbers, factor, form = _numbers(values, source, fail, first)
    order = numbers.to_numpy()
    gaps = numbers.is_null().to_numpy()
    if gaps.any() and not missing:
        row = int(np.flatnonzero(gaps)[0])
        raise fail("the time is missing" if values[row] is None else f"'{values[row]}' is not a time", row)
    known = numbers.fill_null(0).to_numpy()
    seconds = (-np.floor_divide(-known, factor) if up else np.floor_divide(known, factor)).astype(np.float64)
    far = np.flatnonzero(np.abs(seconds) > _YEAR_9999)
    if len(far):
        raise fail(f"the time is not between the years -5000 and 9999 ({values[int(far[0])]})", int(far[0]))
    seconds[gaps] = np.nan
    return Times(seconds, order, form, factor)


def _numbers(values: pl.Series, source: str, fail: Fail, first: int) -> tuple[pl.Series, int, str]:
    """Numbers with null where missing, how many of them make a second, and what they are in words."""
    kind = values.dtype
    if kind == pl.String or isinstance(kind, (pl.Categorical, pl.Enum)):
        return _of_text(values.cast(pl.String).str.strip_chars(), fail, first)
    if isinstance(kind, pl.Datetime):
        return values.to_physical(), _FACTORS[kind.time_unit], "dates with a time"
    if kind == pl.Date:
        return values.cast(pl.Int64) * 86_400, 1, "dates"
    if kind.is_integer():
        whole = values.cast(pl.Int64, strict=False)
        large = (whole.is_null() & values.is_not_null()).arg_true()
        if len(large):
            raise fail(f"{values[int(large[0])]} is too large for a time", int(large[0]))
        return _of_integers(whole, fail, first)
    if kind.is_float() or kind.is_decimal():
        return _of_floats(values.cast(pl.Float64), fail, first)
    if kind == pl.Null:
        return values.cast(pl.Int64), 1, "nothing"
    raise DataError(f"values of type {kind} are not times", fix=_FIX, source=source, column=values.name)


def _of_integers(values: pl.Series, fail: Fail, first: int) -> tuple[pl.Series, int, str]:
    dates = digits_of_dates(values, fail)
    if dates is not None:
        return dates[0], 10**6, dates[1]
    unit = unit_of(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), fail, first)
    return values, unit.factor, f"{unit.name} since 1970"


def _of_floats(values: pl.Series, fail: Fail, first: int) -> tuple[pl.Series, int, str]:
    infinite = values.is_infinite().fill_null(False).arg_true()
    if len(infinite):
        raise fail("the time is not finite", int(infinite[0]))
    values = values.fill_nan(None)
    whole = values.cast(pl.Int64, strict=False)
    if whole.null_count() == values.null_count() and bool((whole.cast(pl.Float64) == values).all()):
        dates = digits_of_dates(whole, fail)
        if dates is not None:
            return dates[0], 10**6, dates[1]
    unit = unit_of(values.fill_null(float("nan")).to_numpy(), fail, first)
    return values, unit.factor, f"{unit.name} since 1970"


def _of_text(values: pl.Series, fail: Fail, first: int) -> tuple[pl.Series, int, str]:
    values = values.set(missing_among_numbers(values), None)
    integers = values.cast(pl.Int64, strict=False)
    if integers.null_count() == values.null_count():
        return _of_integers(integers, fail, first)
    floats = values.cast(pl.Float64, strict=False)
    if floats.null_count() == values.null_count():
        return _of_floats(floats, fail, first)
    parsed, form = _parsed(values), "ISO 8601 text"
    if parsed.null_count() == len(parsed) > values.null_count():
        parsed, form = _with_names(values), "text with the names of months"
    bad = (parsed.is_null() & values.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise fail(f"'{values[row]}' is not a time", row)
    return parsed, 10**6, form


def _parsed(values: pl.Series) -> pl.Series:
    text = values.str.replace(r"^(\d{4})/(\d{2})/(\d{2})", "${1}-${2}-${3}")
    text = text.str.replace(r"^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})", "${1}-${2}-${3} ${4}:${5}:${6}")
    text = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "${1} ").str.replace(r"(\s*(UTC|GMT)|[Zz])$", "+00:00")
    # PostgreSQL leaves out the minutes of a zone.
    text = text.str.replace(r"(:\d{2}(?:\.\d+)?\s*[+-]\d{2})$", "${1}:00")
    column = pl.col(values.name)
    readings = [
        *(column.str.to_datetime(form, time_unit="us", strict=False, ambiguous="earliest") for form in _FORMATS),
        *(
            column.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC").dt.replace_time_zone(None)
            for form in _ZONED_FORMATS
        ),
        column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    ]
    return text.to_frame().select(pl.coalesce(readings)).to_series().to_physical()


def _with_names(values: pl.Series) -> pl.Series:
    """Times with the English name of a month, microseconds since 1970; null where a text is something else."""
    text = values.str.replace(r"\b(UTC|GMT)\b", "+0000").str.replace(r"^[A-Z][a-z]{2},\s+", "")
    forms = (text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC") for form in _NAMED_FORMATS)
    return min(forms, key=pl.Series.null_count).to_physical()
