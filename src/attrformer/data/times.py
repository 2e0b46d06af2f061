"""Times as the tables hold them, turned into seconds since 1970."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.date_order import OPTION, DateForms, with_month_as_number, with_year_first
from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.time_units import Fail, digits_of_dates, unit_of
from attrformer.errors import DataError

_FACTORS: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_ISO: Final = "ISO 8601 text"
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
_ZONED_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_HALVES: Final = ("%Y-%m-%d %I:%M:%S%.f %p", "%Y-%m-%d %I:%M %p")
_HALVES_ZONED: Final = ("%Y-%m-%d %I:%M:%S%.f %p%z", "%Y-%m-%d %I:%M %p%z")
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
        date_order: what stands first in its dates, where their form leaves that open; else empty.
    """

    seconds: NDArray[np.float64]
    order: NDArray[Any]
    form: str
    factor: int
    date_order: str = ""


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


def times_of(
    values: pl.Series,
    *,
    source: str,
    missing: bool = False,
    up: bool = False,
    first: int = 0,
    date_order: str | None = None,
) -> Times:
    """What `read_times` gives, and what the column holds; arguments and errors as there.

    Args:
        values: as for `read_times`.
        source: as for `read_times`.
        missing: as for `read_times`.
        up: whether a part of a second counts as a whole one, so that nothing seems to be known before its time.
        first: number of the first row in the table, where the values are a part of it, for error messages.
        date_order: what stands first in dates such as 05/11/2019; None: what all of the values allow.
    """

    def fail(problem: str, row: int) -> DataError:
        return DataError(problem, fix=_FIX, source=source, column=values.name, row=first + row)

    asked = _Asked(source, values.name, date_order, fail, first)
    numbers, factor, form, date_order = _numbers(values, asked)
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
    return Times(seconds, order, form, factor, date_order)


class _Asked(NamedTuple):
    """Where values stand, and what is known of them."""

    source: str
    column: str
    date_order: str | None
    fail: Fail
    first: int


_Read = tuple[pl.Series, int, str, str]
"""Numbers with null where missing, how many of them make a second, what they are in words, and the order of dates."""


def _numbers(values: pl.Series, asked: _Asked) -> _Read:
    kind, fail = values.dtype, asked.fail
    if is_text(kind):
        return _of_text(values.cast(pl.String).str.strip_chars(), asked)
    if isinstance(kind, pl.Datetime):
        return values.to_physical(), _FACTORS[kind.time_unit], "dates with a time", ""
    if kind == pl.Date:
        return values.cast(pl.Int64) * 86_400, 1, "dates", ""
    if kind.is_integer():
        whole = values.cast(pl.Int64, strict=False)
        large = (whole.is_null() & values.is_not_null()).arg_true()
        if len(large):
            raise fail(f"{values[int(large[0])]} is too large for a time", int(large[0]))
        return _of_integers(whole, asked)
    if kind.is_float() or kind.is_decimal():
        return _of_floats(values.cast(pl.Float64), asked)
    if kind == pl.Null:
        return values.cast(pl.Int64), 1, "nothing", ""
    raise DataError(f"values of type {kind} are not times", fix=_FIX, source=asked.source, column=values.name)


def _of_integers(values: pl.Series, asked: _Asked) -> _Read:
    dates = digits_of_dates(values, asked.fail)
    if dates is not None:
        return dates[0], 10**6, dates[1], ""
    unit = unit_of(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), asked.fail, asked.first)
    return values, unit.factor, f"{unit.name} since 1970", ""


def _of_floats(values: pl.Series, asked: _Asked) -> _Read:
    infinite = values.is_infinite().fill_null(False).arg_true()
    if len(infinite):
        raise asked.fail("the time is not finite", int(infinite[0]))
    values = values.fill_nan(None)
    whole = values.cast(pl.Int64, strict=False)
    if whole.null_count() == values.null_count() and bool((whole.cast(pl.Float64) == values).all()):
        dates = digits_of_dates(whole, asked.fail)
        if dates is not None:
            return dates[0], 10**6, dates[1], ""
    unit = unit_of(values.fill_null(float("nan")).to_numpy(), asked.fail, asked.first)
    return values, unit.factor, f"{unit.name} since 1970", ""


def _of_text(values: pl.Series, asked: _Asked) -> _Read:
    values = values.set(missing_among_numbers(values), None)
    integers = values.cast(pl.Int64, strict=False)
    if integers.null_count() == values.null_count():
        return _of_integers(integers, asked)
    floats = values.cast(pl.Float64, strict=False)
    if floats.null_count() == values.null_count():
        return _of_floats(floats, asked)
    parsed, form, order = _parsed(values), _ISO, ""
    if parsed.null_count() == len(parsed) > values.null_count():
        named = _with_names(values)
        parsed, form = (named, "text with the names of months") if named.null_count() < len(named) else (parsed, form)
    if parsed.null_count() > values.null_count():
        parsed, order = _with_years_last(values, parsed, asked)
        form = form_of_dates(order) if order else form
    bad = (parsed.is_null() & values.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise asked.fail(f"'{values[row]}' is not a time{_first(order)}", row)
    return parsed, 10**6, form, order


def date_forms(values: pl.Series) -> DateForms:
    """What a column of times, or a part of it, says about the order of day and month in its dates.

    Args:
        values: of any type; only texts say anything.
    """
    return DateForms.of(values.cast(pl.String).str.strip_chars()) if is_text(values.dtype) else DateForms()


def is_text(kind: pl.DataType) -> bool:
    """Whether values of a type are texts, each written out or as a number of a list."""
    return kind == pl.String or isinstance(kind, (pl.Categorical, pl.Enum))


def form_of_dates(order: str) -> str:
    """What a column with dates in an order holds, in words."""
    return f"dates with the {order} first"


def joined_form(one: str, other: str) -> str | None:
    """What a column holds whose parts hold two things; None where the whole has to tell.

    Args:
        one: in words, as `Times.form`.
        other: of another part.
    """
    if one == other:
        return one
    dated = [form for form in (one, other) if form != _ISO]
    return dated[0] if len(dated) == 1 and dated[0].startswith("dates with the ") else None


def _first(order: str) -> str:
    return f" with the {order} first, as {OPTION} or the other values have it" if order else ""


def _with_years_last(values: pl.Series, parsed: pl.Series, asked: _Asked) -> tuple[pl.Series, str]:
    """The times, with those whose year stands last; and what stands first in them, empty where there are none."""
    forms = DateForms.of(values.set(parsed.is_not_null(), None))
    if forms.allowed is None:
        return parsed, ""
    order = asked.date_order or forms.decide(source=asked.source, column=asked.column)
    return parsed.fill_null(_parsed(with_year_first(values, order))), order


def _parsed(values: pl.Series) -> pl.Series:
    text = values.str.replace(r"^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})", "${1}-${2}-${3} ${4}:${5}:${6}")
    text = text.str.replace(r"^(\d{4})[/.]\s?(\d{1,2})[/.]\s?(\d{1,2})\b\.?", "${1}-${2}-${3}")
    text = text.str.replace(r"^(\d{4}-\d{1,2}-\d{1,2})([Tt]|,\s)", "${1} ").str.replace(
        r"(\s*(UTC|GMT)|[Zz])$", "+00:00"
    )
    # Polars takes years of fewer digits for those of antiquity.
    text = text.set(text.str.contains(r"^\d{1,3}-").fill_null(False), None)
    # PostgreSQL leaves out the minutes of a zone.
    text = text.str.replace(r"(:\d{2}(?:\.\d+)?\s*[+-]\d{2})$", "${1}:00")
    halves = text.str.replace(r"(?i)(:\d{2}(?:\.\d+)?)\s*([ap])\.?\s?m\b\.?\s*", "${1} ${2}m")
    column, half = pl.col(values.name), pl.col("half")
    readings = [
        *_read_as(column, _FORMATS, _ZONED_FORMATS),
        column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    ]
    frame = text.to_frame()
    if not halves.equals(text, null_equal=True):
        frame, readings = frame.with_columns(halves.alias("half")), [*readings, *_read_as(half, _HALVES, _HALVES_ZONED)]
    return frame.select(pl.coalesce(readings).alias(values.name)).to_series().to_physical()


def _read_as(texts: pl.Expr, forms: tuple[str, ...], zoned: tuple[str, ...]) -> list[pl.Expr]:
    return [
        *(texts.str.to_datetime(form, time_unit="us", strict=False, ambiguous="earliest") for form in forms),
        *(
            texts.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC").dt.replace_time_zone(None)
            for form in zoned
        ),
    ]


def _with_names(values: pl.Series) -> pl.Series:
    """Times with the English name of a month, microseconds since 1970; null where a text is something else."""
    text = values.str.replace(r"\b(UTC|GMT)\b", "+0000").str.replace(r"^[A-Z][a-z]{2},\s+", "")
    forms = [text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC") for form in _NAMED_FORMATS]
    days = _parsed(with_month_as_number(text))
    return min(*(times.to_physical() for times in forms), days, key=pl.Series.null_count)
