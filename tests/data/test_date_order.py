"""Dates whose day, month or year may stand first: read as the whole column allows, or refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_log import assert_same

from attrformer.data import Dataset
from attrformer.data.date_order import DATE_ORDERS, DateForms
from attrformer.data.prepare_tables import prepare_tables
from attrformer.data.times import Times, date_forms, times_of
from attrformer.errors import ConfigurationError, DataError


def read(*texts: str | None, order: str | None = None) -> Times:
    return times_of(pl.Series("timestamp", texts, dtype=pl.String), source="t.csv", missing=True, date_order=order)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("text", "iso", "order"),
    [
        ("11/15/2019", "2019-11-15", "month"),
        ("15/11/2019", "2019-11-15", "day"),
        ("31-12-2019", "2019-12-31", "day"),
        ("5.6.2019", "2019-06-05", "day"),
        ("31. 12. 2019", "2019-12-31", "day"),
        ("11.15.2019", "2019-11-15", "month"),
        ("05/05/2019", "2019-05-05", "day"),
        ("15.11.2019 13:45", "2019-11-15T13:45", "day"),
        ("15.11.2019, 13:45:07", "2019-11-15T13:45:07", "day"),
        ("15.11.2019T13:45Z", "2019-11-15T13:45", "day"),
        ("15.11.2019 13:45:00 +0100", "2019-11-15T12:45", "day"),
        ("15.11.2019 13:45+01", "2019-11-15T12:45", "day"),
        ("11/15/2019 1:45 PM", "2019-11-15T13:45", "month"),
        ("11/15/2019, 1:45:07\u202fp.m.", "2019-11-15T13:45:07", "month"),
        ("11/15/2019 12:15 AM", "2019-11-15T00:15", "month"),
        ("11/15/2019 1:45 PM +0100", "2019-11-15T12:45", "month"),
        ("2/28/21", "2021-02-28", "month"),
        ("15/6/69", "1969-06-15", "day"),
        ("31/12/68", "2068-12-31", "day"),
    ],
)
def test_a_date_that_is_one_in_a_single_order_decides(text: str, iso: str, order: str) -> None:
    found = read(text, None, "")
    assert (found.seconds[0], found.date_order) == (seconds(iso), order)
    assert np.isnan(found.seconds[1:]).all() and found.form == f"dates with the {order} first"


@pytest.mark.parametrize(
    "text", ["2019/1/5", "2019.01.05", "2019. 1. 5.", "Jan 5, 2019", "5-Jan-2019", "5 January 2019"]
)
def test_dates_that_leave_no_choice_have_no_order(text: str) -> None:
    assert (read(text).seconds[0], read(text).date_order) == (seconds("2019-01-05"), "")


def test_the_whole_column_decides() -> None:
    found = read("05/06/2019", "2019-01-31 08:00", "12/31/2019")
    assert found.seconds.tolist() == [seconds("2019-05-06"), seconds("2019-01-31T08:00"), seconds("2019-12-31")]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("07/07/2019", "05/06/2019"), r"'05/06/2019' is 2019-06-05 \(day first\) or 2019-05-06 \(month first\)"),
        (("15.06.19",), r"'15.06.19' is 2019-06-15 \(day first\) or 2015-06-19 \(year first\).*--date-order year"),
        (("5-6-2019 10:00",), r"no value of the column tells which.*--date-order day or --date-order month"),
    ],
)
def test_an_order_that_is_not_clear_is_refused(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(*texts)


@pytest.mark.parametrize(("order", "iso"), [("day", "2005-04-03"), ("month", "2005-03-04"), ("year", "2003-04-05")])
def test_an_option_says_what_is_not_clear(order: str, iso: str) -> None:
    assert read("03/04/05", order=order).seconds[0] == seconds(iso)


@pytest.mark.parametrize("text", ["99-02-31 10:00:00", "9-1-1", "0019-2-31"])
def test_years_of_two_digits_are_none_of_antiquity(text: str) -> None:
    with pytest.raises(DataError):
        read(text)


def test_a_value_that_contradicts_is_named() -> None:
    with pytest.raises(DataError, match="row 1: '12/31/2019' is not a time with the day first"):
        read("31/12/2019", "12/31/2019", "31/12/2019")
    with pytest.raises(DataError, match=r"row 1: '17/06/2019' is not a time with the month first, as data.date_order"):
        read("05/06/2019", "17/06/2019", order="month")
    with pytest.raises(ConfigurationError, match=r"date_order='first' is not known. Use one of: day, month, year"):
        Dataset.from_frames({"user_id": [1], "item_id": [1]}, date_order="first")  # type: ignore[arg-type]


FORMS = {
    "day": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y %H:%M:%S", "%d/%m/%y", "%d.%m.%Y, %H:%M:%S"),
    "month": ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %H:%M:%S"),
    "year": ("%y/%m/%d", "%y-%m-%d %H:%M:%S"),
}
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 12, 31))


@given(st.lists(MOMENTS, min_size=1, max_size=8), st.sampled_from([(o, f) for o, fs in FORMS.items() for f in fs]))
def test_dates_are_read_as_what_was_written_or_refused(moments: list[datetime], written: tuple[str, str]) -> None:
    order, form = written
    texts = [moment.strftime(form) for moment in moments]
    known = [datetime.strptime(text, form).replace(tzinfo=timezone.utc).timestamp() for text in texts]
    assert read(*texts, order=order).seconds.tolist() == known
    # Month first with dots is written nowhere, so that dots settle what is not clear.
    try:
        found = read(*texts)
    except DataError as error:
        assert "no value of the column tells which" in str(error)
        other = [o for o in DATE_ORDERS if o != order and read_or_none(texts, o) not in (None, known)]
        assert other
    else:
        assert found.seconds.tolist() == known


def read_or_none(texts: list[str], order: str) -> list[float] | None:
    try:
        return read(*texts, order=order).seconds.tolist()
    except DataError:
        return None


@given(st.lists(st.dates(date(2000, 1, 1), date(2031, 12, 31)), max_size=6), st.sampled_from(["%d/%m/%y", "%m.%d.%Y"]))
def test_parts_add_up_to_the_whole(days: list[date], form: str) -> None:
    texts = pl.Series([day.strftime(form) for day in days], dtype=pl.String)
    whole, parts = DateForms.of(texts), DateForms()
    for start in range(0, len(texts), 2):
        parts |= date_forms(texts[start : start + 2])
    assert parts == whole


def log(days: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"user_id": [1, 1, 2, 2, 3, 3], "item_id": [1, 2, 1, 3, 2, 3], "timestamp": days})


CLEAR = ["05/06/2019", "06/06/2019", "2019-06-07", "08/06/2019", "07/08/2019", "31/12/2019"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_in_parts_are_read_as_the_whole(tmp_path: Path, form: str) -> None:
    (tmp_path / "log").mkdir()
    frame = log(CLEAR)
    file = tmp_path / "log" / f"interactions.{form}"
    frame.write_csv(file) if form == "csv" else frame.write_parquet(file)
    read = Dataset.load(tmp_path / "log")
    assert "'timestamp' holds dates with the day first, from 2019-06-05 to 2019-12-31" in " ".join(read.notes)
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=1)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))
    assert Dataset.load(tmp_path / "out").sequences.meaning.date_orders == {"interactions": "day"}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_in_parts_are_refused_as_the_whole(tmp_path: Path, form: str) -> None:
    for number, days in enumerate(([*CLEAR[:5], "01/02/2019"], ["31/12/2019", *CLEAR[:4], "12/31/2019"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = folder / f"interactions.{form}"
        log(days).write_csv(file) if form == "csv" else log(days).write_parquet(file)
        with pytest.raises(DataError) as whole:
            Dataset.load(folder)
        with pytest.raises(DataError) as parts:
            prepare_tables(folder, tmp_path / f"out{number}", part_rows=1)
        assert (parts.value.problem, parts.value.row) == (whole.value.problem, whole.value.row)


def test_the_option_holds_for_parts_and_is_kept_with_them(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log([*CLEAR[:5], "01/02/2019"]).write_csv(tmp_path / "log" / "interactions.csv")
    read = Dataset.load(tmp_path / "log", date_order="month")
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=1, date_order="month")
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))
    with pytest.raises(DataError, match="prepared with date_order='month', and 'day' is asked for"):
        Dataset.load(tmp_path / "out", date_order="day")


def test_attributes_are_times_where_their_order_is_clear() -> None:
    days = {"clear": ["31/12/2019", "01/02/2019", "03/04/2019"], "open": ["01/02/2019", "03/04/2019", "05/06/2019"]}
    items = pl.DataFrame({"item_id": [1, 2, 3], **days, "version": ["1.2.13", "1.3.14", "2.0.15"]})
    frame = log(CLEAR)
    read = Dataset.from_frames(frame, items)
    assert read.item_attributes["clear"].numbers.tolist() == [
        seconds("2019-12-31"),
        seconds("2019-02-01"),
        seconds("2019-04-03"),
    ]
    assert "version" not in {name for name, each in read.item_attributes.items() if each.kind == "time"}
    assert any("'open'" in note and "--date-order" in note for note in read.notes)
    told = Dataset.from_frames(frame, items, date_order="day")
    assert told.item_attributes["open"].numbers[0] == seconds("2019-02-01")
    with pytest.raises(DataError, match="column 'open': '01/02/2019' is 2019-02-01 "):
        Dataset.from_frames(frame, items, kinds={"open": "time"})


def test_orders_outlive_saving(tmp_path: Path) -> None:
    read = Dataset.from_frames(log(CLEAR))
    assert read.sequences.meaning.to_json() == {"date_orders": {"interactions": "day"}}
    read.save(tmp_path)
    assert Dataset.load(tmp_path).sequences.times.tolist() == read.sequences.times.tolist()  # type: ignore[union-attr]


def test_a_day_more_is_no_other_reading() -> None:
    days = [date(2019, 1, 13) + timedelta(days=n) for n in range(400)]
    found = read(*(f"{day.month}/{day.day}/{day.year}" for day in days))
    assert (np.diff(found.seconds) == 86400).all()


@pytest.mark.parametrize("way", ["categories", "a mapping", "another table's name"])
def test_parts_of_every_kind_tell_together(tmp_path: Path, way: str) -> None:
    # The first part leaves open what the second one tells.
    (tmp_path / "log" / "interactions").mkdir(parents=True)
    columns = {}
    for number, text in enumerate(["05/11/2019", "25/11/2019"]):
        times = pl.Series("timestamp", [text, text], dtype=pl.Categorical if way == "categories" else pl.String)
        frame = pl.DataFrame({"user_id": [1, 2], "item_id": [number, number], "timestamp": times})
        if way == "a mapping":
            frame = frame.select("user_id", "item_id", pl.struct(time="timestamp").alias("about"))
            columns = {"timestamp": "about.time"}
        frame.write_parquet(tmp_path / "log" / "interactions" / f"{number}.parquet")
    if way == "another table's name":
        columns = {"timestamp": "since"}
        changes = pl.DataFrame({"item_id": [0], "since": ["2019-01-01"], "column": "price", "value": "2"})
        changes.write_csv(tmp_path / "log" / "item_changes.csv")
    whole = Dataset.load(tmp_path / "log", columns=columns)
    assert whole.sequences.meaning.date_orders["interactions"] == "day"
    prepare_tables(tmp_path / "log", tmp_path / "out", columns=columns)
    assert_same(Dataset.load(tmp_path / "out"), whole)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("1.2.2019", "1.14.2019"), "categorical"),  # numbers of versions: no country writes the month first with dots
        (("1/2/2019", "1/14/2019"), "time"),
        (("12-13-5555", "01-31-1999"), "categorical"),
        (("12.11.2018", "31.12.9999"), "time"),
        (("10.0.0.1", "192.168.20.1999"), "categorical"),
    ],
)
def test_codes_that_look_like_dates_stay_categories(texts: tuple[str, str], kind: str) -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [0, 1]})
    read_so = Dataset.from_frames(log, pl.DataFrame({"item_id": [0, 1], "code": texts}))
    assert read_so.item_attributes["code"].kind.value == kind
    if texts[1] == "1.14.2019":
        told = Dataset.from_frames(log, pl.DataFrame({"item_id": [0, 1], "code": texts}), date_order="month")
        assert told.item_attributes["code"].kind.value == "time"
