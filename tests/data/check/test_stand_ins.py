"""Numbers and dates that stand for a missing value."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.data.check.clean import ITEMS, check, found, items_of, log, silent

from attrformer.data.check import CheckReport, Severity

PRICES = [4.5 + number for number in range(ITEMS)]
DAYS = [date(2019, 1, 1) + timedelta(days=9 * number) for number in range(ITEMS)]


def of_items(values: list[Any], *ends: Any) -> CheckReport:
    """Of a column whose last values are others."""
    return check(log(), items_of(log(), feature=[*values[: ITEMS - len(ends)], *ends]))


@pytest.mark.parametrize("value", [-1, -9, -99, -999, 999_999, 9_999.0, 2**31 - 1, -(2**31)])
def test_a_number_away_from_all_others_is_noted_with_its_share(value: float) -> None:
    finding = found(of_items(PRICES, value, value, value, value), "stand-in-value")
    assert finding.severity is Severity.NOTE and finding.columns == ("items.feature",)
    assert finding.title == (
        f"items.feature: {value:.15g} in 10 % of the values looks like one that stands for a missing value"
    )
    nearest = "4.5" if value < 0 else "39.5"
    assert finding.evidence == {"values": ITEMS, "count": 4, "next": nearest}


@pytest.mark.parametrize("value", ["9999-12-31", "1900-01-01", "0001-01-01", "1970-01-01"])
def test_a_date_of_no_time_is_noted(value: str) -> None:
    day = date.fromisoformat(value)
    finding = found(of_items(DAYS, day, day), "stand-in-value")
    assert finding.examples == (value,) and finding.title.startswith(f"items.feature: {value} in 5.0 % of the values")


def test_several_such_values_of_one_column_are_all_told() -> None:
    report = of_items(PRICES, -999, -999, -1, -1, 999_999, 999_999)
    told = {each.examples[0] for each in report.findings if each.id == "stand-in-value"}
    assert told == {"-999", "-1", "999999"}


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        (PRICES, (-1,)),
        (PRICES, (99, 99)),
        (PRICES, (9, 9)),
        ([number - 20.5 for number in range(ITEMS)], (-1, -1)),
        ([number * 30.5 for number in range(ITEMS)], (999, 999)),
        (DAYS, (date(2020, 1, 1), date(2020, 1, 1))),
        ([date(1850, 1, 1) + timedelta(days=900 * number) for number in range(ITEMS)], (date(1900, 1, 1),) * 2),
    ],
)
def test_numbers_and_dates_among_others_are_values(values: list[Any], ends: tuple[Any, ...]) -> None:
    assert silent(of_items(values, *ends), "stand-in-value")


def test_ratings_of_minus_one_are_noted() -> None:
    stars = np.tile(np.array([-1.0, 0.5, 1.5, 7, 8, 9, 10, 10]), 60)
    finding = found(check(log().with_columns(rating=pl.Series(stars))), "stand-in-value")
    assert finding.columns == ("interactions.rating",) and finding.examples == ("-1",)
