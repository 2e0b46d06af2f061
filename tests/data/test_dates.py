"""What is taken for a date or time in tables, and what is said of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.data.small_tables import LOG, items_with

from attrformer.data import AttributeKind, Dataset


@pytest.mark.parametrize(
    ("times", "note"),
    [
        ([1_600_000_000_000, 1_600_086_400_000], "holds milliseconds since 1970, from 2020-09-13 to 2020-09-14"),
        ([20220408, 20220409], "holds dates written as yyyymmdd, from 2022-04-08 to 2022-04-09"),
        (["2022-04-08", "2022-04-09T10:00:00"], "holds ISO 8601 text, from 2022-04-08 to 2022-04-09"),
        ([date(2022, 4, 8), date(2022, 4, 9)], "holds dates, from 2022-04-08 to 2022-04-09"),
        ([1_600_000_000, 0], "1 times are of 1970-01-01 or before, as missing ones often are"),
        ([1_600_000_000, 10_000_000_000], "1 times are after the year 2100"),
        ([1_600_000_000, 1_600_000_000], "all times are the same, the order of the rows counts"),
    ],
)
def test_the_dates_that_times_are_taken_for_are_told(times: list[Any], note: str) -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": times})
    assert note in "\n".join(Dataset.from_frames(log).notes)


def test_iso_dates_in_text_are_times_as_dates_are(tmp_path: Path) -> None:
    released = [date(1995, 1, 1), None, date(2001, 2, 3)]
    log, items = LOG.head(4), pl.DataFrame({"item_id": [3, 5, 7], "released": released})
    items.write_csv(tmp_path / "items.csv")
    expected = Dataset.from_frames(log, items).item_attributes["released"]
    dataset = Dataset.from_frames(log, tmp_path / "items.csv")
    assert dataset.item_attributes["released"].kind is expected.kind is AttributeKind.TIME
    np.testing.assert_array_equal(dataset.item_attributes["released"].numbers, expected.numbers)
    assert "items.csv: column 'released' is read as time, its texts are dates" in dataset.notes


def test_dates_in_the_text_of_a_frame_may_be_missing_in_words() -> None:
    dataset = items_with(["2020-01-01", "NA", None, "2020-01-03", "NaT"])
    assert dataset.item_attributes["value"].kind is AttributeKind.TIME
    assert np.isnan(dataset.item_attributes["value"].numbers).tolist() == [False, True, True, False, True]
    assert dataset.notes[-1].endswith("is read as time, its texts are dates, 2 say that it is missing")
