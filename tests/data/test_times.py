from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data.times import read_times, times_of
from attrformer.errors import DataError

SECONDS = [978300019, 1406851200]


def read(values: pl.Series) -> list[float]:
    return read_times(values.alias("timestamp"), source="interactions")[0].tolist()


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_units_of_integers_are_told_by_their_size(factor: int) -> None:
    assert read(pl.Series([second * factor for second in SECONDS])) == SECONDS
    assert read(pl.Series([str(second * factor) for second in SECONDS])) == SECONDS
    assert read(pl.Series([float(second * factor) for second in SECONDS])) == SECONDS


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_every_unit_and_zone(unit: str) -> None:
    moments = pl.Series([datetime.fromtimestamp(second, timezone.utc) for second in SECONDS]).dt.cast_time_unit(unit)
    assert read(moments) == SECONDS
    assert read(moments.dt.convert_time_zone("Asia/Tokyo")) == SECONDS
    assert read(moments.dt.replace_time_zone(None)) == SECONDS


@pytest.mark.parametrize(
    "texts",
    [
        ["Mon Jan 01 00:00:19 +0200 2001", "Fri Aug 01 00:00:00 +0000 2014"],
        ["Sun, 31 Dec 2000 22:00:19 GMT", "Fri, 1 Aug 2014 02:00:00 +0200"],
    ],
)
def test_times_with_the_names_of_months(texts: list[str]) -> None:
    found = times_of(pl.Series("timestamp", texts), source="interactions")
    assert found.seconds.tolist() == [978300019, 1406851200] and found.form == "text with the names of months"
    with pytest.raises(DataError, match=r"row 1: 'Mon Foo 01' is not a time"):
        read(pl.Series([texts[0], "Mon Foo 01"]))


@pytest.mark.parametrize("text", ["31/02/2019", "15/11-2019", "11/15/2019 13:45 PM", "Mon Foo 01 00:00:19 +0200 2001"])
def test_what_only_looks_like_a_time_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"'{text}' is not a time")):
        read(pl.Series([text, text]))


def test_dates_are_midnight() -> None:
    assert read(pl.Series([date(1970, 1, 2), date(2014, 8, 1)])) == [86400, 1406851200]


def test_iso_text_in_all_its_forms_within_one_column() -> None:
    forms = [
        "2014-08-01",
        "2014-08-01T00:00:00",
        "2014-08-01 00:00",
        "2014-08-01T00:00:00.25Z",
        "2014-08-01T02:00:00+02:00",
        "2014-08-01 00:00:00 UTC",
        "2014-08-01 02:00:00+02",
        "2014-07-31 19:00:00.123456-05",
    ]
    assert read(pl.Series(forms)) == [1406851200] * 8


@pytest.mark.slow
@given(st.lists(st.datetimes(datetime(1901, 1, 1), datetime(2200, 1, 1)), min_size=1))
def test_iso_text_and_datetimes_agree(moments: list[datetime]) -> None:
    expected = [(moment - datetime(1970, 1, 1)) // timedelta(seconds=1) for moment in moments]
    assert read(pl.Series(moments)) == expected
    assert read(pl.Series([moment.isoformat() for moment in moments])) == expected


def test_order_keeps_what_seconds_lose() -> None:
    seconds, order = read_times(pl.Series("t", [1406851200700, 1406851200300]), source="interactions")
    assert seconds.tolist() == [1406851200, 1406851200]
    assert np.argsort(order).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["2014-08-01", "yesterday"],
            r"interactions, column 'timestamp', row 1: 'yesterday' is not a time\. Use integers",
        ),
        ([1, None], r"row 1: the time is missing"),
        ([None, None], r"row 0: the time is missing"),
        ([1.0, float("inf")], r"row 1: the time is not finite"),
        ([1.0, float("nan")], r"row 1: '?nan'? is not a time"),
        ([True, False], r"values of type Boolean are not times"),
    ],
)
def test_what_is_no_time_is_refused_with_its_row(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_times(pl.Series("timestamp", values), source="interactions")


def test_missing_times_can_be_allowed() -> None:
    assert np.isnan(read_times(pl.Series("t", ["2014-08-01", None]), source="items", missing=True)[0][1])


def refused(values: list[object], **options: bool) -> DataError:
    with pytest.raises(DataError) as caught:
        read_times(pl.Series("timestamp", values), source="interactions", **options)
    return caught.value


@pytest.mark.parametrize("factor", [1, 10**3])
def test_one_absurd_time_does_not_change_the_unit_of_the_others(factor: int) -> None:
    usual = [1_400_000_000 * factor + number for number in range(320)]
    error = refused([*usual[:7], 9_999_999_999_999 * factor, *usual[7:]])
    assert error.row == 7 and "far from the others" in error.problem


def test_one_absurd_time_among_counters_is_refused() -> None:
    error = refused([3, 1, 2, 9_999_999_999_999])
    assert error.row == 3 and "far from the others" in error.problem


@pytest.mark.parametrize(("few", "many"), [(1, 10**3), (10**3, 1), (10**9, 10**3)])
def test_mixed_units_are_refused_with_their_rows(few: int, many: int) -> None:
    values = [1_500_000_000 * many + number for number in range(10)]
    values[2], values[5] = 1_500_000_002 * few, 1_500_000_005 * few
    error = refused(values)
    assert error.row == 2 and "the times of rows 2, 5 are" in error.problem


def test_early_times_of_a_finer_unit_are_no_other_unit() -> None:
    births = [-631_152_000_000, 1_600_000_000, 1_000_000_000_000]
    assert read(pl.Series(births)) == [birth // 1000 for birth in births]


@pytest.mark.parametrize("kind", [int, float, str])
def test_digits_of_dates_are_dates(kind: type) -> None:
    day, moment = 1_649_376_000, 1_649_376_000 + 12 * 3600 + 34 * 60 + 56
    assert read(pl.Series([kind(20220408), kind(20220409)])) == [day, day + 86_400]
    assert read(pl.Series([kind(20220408123456)])) == [moment]
    assert read(pl.Series([kind(202204081234)])) == [moment - 56]


def test_a_date_that_is_none_is_named() -> None:
    error = refused([20220408, 20220409, 20220231, 20220410])
    assert error.row == 2 and error.problem == "20220231 is no date, and the others are dates written as yyyymmdd"
    assert refused([20220408, 20220409, 0]).row == 2


def test_days_of_a_spreadsheet_are_refused() -> None:
    assert "as spreadsheets count them" in refused([44659.5, 44660.25]).problem


def test_numbers_that_are_no_time_of_any_calendar_are_refused() -> None:
    assert "too large" in refused([2**63 + 1]).problem
    assert "not between the years" in refused([1e300]).problem
