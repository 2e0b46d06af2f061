"""What whole numbers of a column of times mean: seconds and finer units since 1970, or the digits of dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Fail = Callable[[str, int], Exception]
"""Makes the error for a problem and the row where it is."""


class Unit(NamedTuple):
    """A unit of time.

    Args:
        name: in words.
        factor: how many of them make a second.
        bound: the largest magnitude that is still read so, about the year 5000.
    """

    name: str
    factor: int
    bound: float


UNITS: Final = (
    Unit("seconds", 1, 1e11),
    Unit("milliseconds", 10**3, 1e14),
    Unit("microseconds", 10**6, 1e17),
    Unit("nanoseconds", 10**9, np.inf),
)

# Seconds since 1970 between which the data of our days lie: December 1989 and 2103.
_USUAL: Final = (6.3e8, 4.2e9)
_YEAR_1980: Final = 315_532_800
# Days since 1899 (Excel) between 1970 and 2064, which only a column of fractions is taken for.
_EXCEL_DAYS: Final = (25_569, 60_000)
# Digits: name, format, divisor to the date, least and greatest value, whether years must be those of our days.
_DIGITS: Final = (
    ("yyyymm", "%Y%m%d", 199_001, 210_012),
    ("yyyymmdd", "%Y%m%d", 18_000_101, 22_001_231),
    ("yyyymmddHHMM", "%Y%m%d%H%M", 199_001_010_000, 210_012_312_359),
    ("yyyymmddHHMMSS", "%Y%m%d%H%M%S", 18_000_101_000_000, 22_001_231_235_959),
)
_OUTLIER: Final = 10_000
_SHOWN: Final = 3


def digits_of_dates(numbers: pl.Series, fail: Fail) -> tuple[pl.Series, str] | None:
    """Whole numbers whose digits are dates, as microseconds since 1970, and how they are written.

    Args:
        numbers: int64, null where missing.
        fail: makes the error where the digits of most, but not of all, are dates.

    Returns:
        None where the numbers are something else.

    Raises:
        DataError: most numbers are dates and some are not.
    """
    known = numbers.drop_nulls()
    if known.is_empty():
        return None
    low, high = known.min(), known.max()
    for name, form, least, greatest in _DIGITS:
        if high < least or low > greatest:  # type: ignore[operator]
            continue
        within = known.is_between(least, greatest)
        inside = int(within.sum())
        if inside <= len(known) / 2 or (name == "yyyymm" and not _are_months(known)):
            continue
        texts = numbers.cast(pl.String)
        texts = texts + "01" if name == "yyyymm" else texts
        if form.endswith("%M"):
            # polars reads hours and minutes only where seconds follow.
            texts, form = texts + "00", f"{form}%S"
        if form == "%Y%m%d":
            moments = texts.str.to_date(form, strict=False).cast(pl.Datetime("us"))
        else:
            moments = texts.str.to_datetime(form, time_unit="us", strict=False)
        moments = moments.set(~numbers.is_between(least, greatest).fill_null(False), None)
        dates = int(moments.is_not_null().sum())
        if dates == len(known):
            return moments.to_physical(), f"dates written as {name}"
        if dates > len(known) / 2:
            row = int((moments.is_null() & numbers.is_not_null()).arg_true()[0])
            raise fail(f"{numbers[row]} is no date, and the others are dates written as {name}", row)
    return None


def _are_months(known: pl.Series) -> bool:
    """Whether all numbers are a year and a month; counters that happen to be as large have other last digits."""
    months = known % 100
    return bool(known.is_between(199_001, 210_012).all()) and bool(months.is_between(1, 12).all())


def unit_of(values: Numbers, fail: Fail, first: int = 0) -> Unit:
    """The unit of whole numbers or fractions since 1970, told by where most of them lie.

    Args:
        values: `[n]`, NaN where missing.
        fail: makes the error where units are mixed or a number fits none.
        first: number of the first row in the table, for the words of the error.

    Raises:
        DataError: some numbers are in another unit than the others, or far from all of them.
    """
    low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
    usual_unit = in_usual_unit(low, high)
    if usual_unit is not None:
        return usual_unit
    sizes = np.abs(values)
    largest = np.nanmax(sizes, initial=0.0)
    fitting = next(unit for unit in UNITS if largest < unit.bound or unit is UNITS[-1])
    usual = [_within_usual(sizes, unit) for unit in UNITS]
    found = [unit for unit, rows in zip(UNITS, usual, strict=True) if rows.any()]
    if not found:
        _refuse_excel_days(values, fail)
        _refuse_outlier(sizes, values, fail)
        return fitting
    counts = {unit: int(rows.sum()) for unit, rows in zip(UNITS, usual, strict=True)}
    most = max(found, key=lambda unit: counts[unit])
    for unit in found:
        rows = usual[UNITS.index(unit)]
        if unit != most and not (unit.factor < most.factor and _reaches_1970(values, rows, most)):
            raise fail(_mixed(unit, most, rows, first), int(np.flatnonzero(rows)[0]))
    far = np.flatnonzero(sizes >= most.bound)
    if len(far):
        row = int(far[0])
        raise fail(f"{values[row]:.15g} is far from the others, which are {most.name} since 1970", row)
    return most


def in_usual_unit(low: float, high: float) -> Unit | None:
    """The unit in which all numbers between two are times of our days; None where there is none.

    Args:
        low: the least.
        high: the greatest.
    """
    return next((u for u in UNITS if _USUAL[0] * u.factor <= low and high <= _USUAL[1] * u.factor), None)


def _within_usual(sizes: Numbers, unit: Unit) -> NDArray[np.bool_]:
    low, high = (bound * unit.factor for bound in _USUAL)
    return (sizes >= low) & (sizes <= high)


def _reaches_1970(values: Numbers, rows: NDArray[np.bool_], unit: Unit) -> bool:
    """Whether the other values reach back so far that the rows are early times of the same unit."""
    return bool(np.nanmin(values[~rows], initial=np.inf) < _YEAR_1980 * unit.factor)


def _mixed(unit: Unit, most: Unit, rows: NDArray[np.bool_], first: int) -> str:
    count = int(rows.sum())
    named = ", ".join(map(str, first + np.flatnonzero(rows)[:_SHOWN]))
    more = "" if count <= _SHOWN else f" and {count - _SHOWN:,} more"
    return f"the times of rows {named}{more} are {unit.name} since 1970 and the others {most.name}"


def _refuse_outlier(sizes: Numbers, values: Numbers, fail: Fail) -> None:
    """Refuses a number that would have all others read in a coarser unit than they are."""
    known = sizes[sizes > 0]
    if len(known) and known.max() >= UNITS[0].bound and known.max() > _OUTLIER * np.median(known):
        row = int(np.nanargmax(sizes))
        raise fail(f"{values[row]:.15g} is far from the others", row)


def _refuse_excel_days(values: Numbers, fail: Fail) -> None:
    known = values[~np.isnan(values)]
    if not len(known) or not (known != np.floor(known)).any():
        return
    if known.min() >= _EXCEL_DAYS[0] and known.max() <= _EXCEL_DAYS[1]:
        row = int(np.flatnonzero(~np.isnan(values))[0])
        raise fail(f"{values[row]} looks like a day as spreadsheets count them (since 1899)", row)
