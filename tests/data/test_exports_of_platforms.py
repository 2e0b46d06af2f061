"""Logs as platforms and public datasets write them: without a header, in lists, in other encodings, in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.data.small_log import assert_same

from attrformer.data import Dataset
from attrformer.data.check import check_path
from attrformer.data.prepare_tables import prepare_tables
from attrformer.errors import ConfigurationError, DataError

START = datetime(2019, 11, 15, 8, 55)
LOG = [(f"u{n // 6}", f"s{n % 5}", START + timedelta(hours=n)) for n in range(24)]
Options = dict[str, Any]


def plays(folder: Path) -> Options:
    """Last.fm-1K: tabs, no header."""
    rows = [f"{user}\t{time:%Y-%m-%dT%H:%M:%SZ}\tm1\tArtist\t{item}\tSong\n" for user, item, time in LOG]
    (folder / "interactions.tsv").write_text("\ufeff" + "".join(rows), encoding="utf-8")
    names = "userid,timestamp,artid,artname,traid,traname"
    return {"headers": {"interactions": names}, "columns": {"user_id": "userid", "item_id": "traid"}}


def orders(folder: Path) -> Options:
    """A shop in Germany: semicolons, days first, decimal commas, Latin letters of one byte."""
    rows = [f"{user}@käufer.de;{item};{time:%d.%m.%Y %H:%M};{n},{n:02}\n" for n, (user, item, time) in enumerate(LOG)]
    text = "E-Mail;Artikel;Bestelldatum;Preis in €\n" + "".join(rows)
    (folder / "interactions.csv").write_bytes(text.encode("cp1252"))
    columns = {"user_id": "E-Mail", "item_id": "Artikel", "timestamp": "Bestelldatum"}
    return {"columns": columns, "encoding": "cp1252"}


def visits(folder: Path) -> Options:
    """Matomo: UTF-16."""
    rows = "".join(f"{user},{item},{time:%Y-%m-%d %H:%M:%S}\n" for user, item, time in LOG)
    (folder / "interactions.csv").write_bytes(f"visitorId,item_id,timestamp\n{rows}".encode("utf-16"))
    return {"columns": {"user_id": "visitorId"}, "encoding": "utf-16"}


def events(folder: Path) -> Options:
    """GA4 in JSON: times in microseconds as text, items in lists, which are empty in some events."""
    rows = [
        {
            "event_timestamp": str(int(time.timestamp() * 1e6)),
            "user_pseudo_id": user,
            "items": [{"item_id": item, "price": 3.5}] if n % 2 else [{"item_id": item}, {"item_id": "s9"}],
        }
        for n, (user, item, time) in enumerate(LOG)
    ]
    rows.append({**rows[0], "items": []})
    (folder / "interactions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"user_id": "user_pseudo_id", "timestamp": "event_timestamp", "price": "items.price"}
    return {"columns": {**columns, "item_id": "items.item_id"}}


def carts(folder: Path) -> Options:
    """Segment in parquet: lists within a mapping."""
    told = [{"order_id": "1", "products": [{"product_id": item}, {"product_id": "s9"}]} for _, item, _ in LOG]
    columns = {"anonymousId": [user for user, *_ in LOG], "timestamp": [time for *_, time in LOG], "properties": told}
    pl.DataFrame(columns).write_parquet(folder / "interactions.parquet")
    return {"columns": {"user_id": "anonymousId", "item_id": "properties.products.product_id"}}


def reviews(folder: Path) -> Options:
    """Steam: mappings as Python writes them."""
    rows = [
        repr({"username": user, "item_id": item, "text": "it's", "date": f"{time:%Y-%m-%d}"})
        for user, item, time in LOG
    ]
    (folder / "interactions.json").write_text("\n".join(rows))
    return {"columns": {"user_id": "username", "timestamp": "date"}}


READ: dict[Callable[[Path], Options], tuple[int, list[str]]] = {
    plays: (24, ["s0", "s1", "s2", "s3", "s4"]),
    orders: (24, ["s0", "s1", "s2", "s3", "s4"]),
    visits: (24, ["s0", "s1", "s2", "s3", "s4"]),
    events: (36, ["s0", "s1", "s2", "s3", "s4", "s9"]),
    carts: (48, ["s0", "s1", "s2", "s3", "s4", "s9"]),
    reviews: (24, ["s0", "s1", "s2", "s3", "s4"]),
}
"""Interactions and items."""


@pytest.mark.parametrize("write", READ, ids=lambda write: write.__name__)
def test_a_log_is_read_in_memory_and_in_parts(write: Callable[[Path], Options], tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    options = write(tmp_path / "log")
    count, items = READ[write]
    read = Dataset.load(tmp_path / "log", **options)
    assert len(read.sequences.items) == count and read.item_ids.values.to_list() == items
    assert read.sequences.times is not None and read.sequences.times.min() // 86400 == 18215
    assert check_path(tmp_path / "log", **options).find("unreadable") is None
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=5, **options)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))


def test_entries_of_lists_are_rows_with_their_own_values(tmp_path: Path) -> None:
    options = events(tmp_path)
    read = Dataset.load(tmp_path, **options)
    assert (
        "interactions.jsonl: column 'items': each entry of its lists is a row, and rows without one are left out"
        in (read.notes)
    )
    known = read.sequences.behaviours["price"]
    assert sorted(known[known == known].tolist()) == [3.5] * 12


def test_lists_of_ids_are_rows_as_well() -> None:
    baskets = pl.DataFrame({"user_id": ["a", "b", "c"], "item_id": [["1", "2"], ["2"], []]})
    read = Dataset.from_frames(baskets)
    assert read.user_ids.values.to_list() == ["a", "b"] and read.sequences.items.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("u1\t2019-11-15T08:55:00Z\ta\nu2\t2019-11-15T08:55:00Z\tb\n", "looks like values, and has to hold names"),
        (
            "u1\t2019-11-15\t2019-11-15\n",
            "stands twice in the header; the first row looks like values.*--headers inter",
        ),
        ("1569981600\tu0\tSKU\n1569981601\tu0\tSKU\n", "--headers interactions=user_id,item_id"),
    ],
)
def test_a_missing_header_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "interactions.tsv").write_text(text)
    with pytest.raises(DataError, match=told):
        Dataset.load(tmp_path)


def test_names_have_to_fit_the_rows(tmp_path: Path) -> None:
    plays(tmp_path)
    with pytest.raises(DataError, match=r"first row has 6 values \(tabs between them\), and --headers names 2 columns"):
        Dataset.load(tmp_path, headers={"interactions": "user_id,item_id"})
    with pytest.raises(DataError, match="first row has 6 values"):
        prepare_tables(tmp_path, tmp_path / "out", headers={"interactions": "user_id,item_id"})
    with pytest.raises(
        ConfigurationError, match=r"headers\['log'\] is about no table. Use one of: interactions, items"
    ):
        Dataset.load(tmp_path, headers={"log": "user_id,item_id"})


def test_names_that_the_encoding_of_the_rows_lacks(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_bytes("é,x,1\n".encode("latin-1"))
    told: Any = {"headers": {"interactions": "user_id,item_id,ocena_łączna"}, "encoding": "latin-1"}
    whole = Dataset.load(tmp_path, **told)
    assert whole.user_ids.values.to_list() == ["é"] and [*whole.sequences.behaviours] == ["ocena_łączna"]
    prepare_tables(tmp_path, tmp_path / "out", **told)
    assert_same(Dataset.load(tmp_path / "out"), whole)


def test_the_number_of_names_tells_what_is_between_the_values(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("a;x;12,5\nb;y;3,25\n")
    named = {"interactions": "user_id,item_id,price"}
    whole = Dataset.load(tmp_path, headers=named)
    assert whole.sequences.behaviours["price"].tolist() == [12.5, 3.25]
    prepare_tables(tmp_path, tmp_path / "out", headers=named)
    assert_same(Dataset.load(tmp_path / "out"), whole)
    with pytest.raises(DataError, match=r"2 values \(commas between them\).* or say with --delimiter"):
        Dataset.load(tmp_path, headers={"interactions": "user_id,item_id,price,kind"})


def test_a_first_row_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text('1,"x\n' + "2,y\n" * 50_000)
    with pytest.raises(DataError, match=r"its first row cannot be read .* Close the quotes"):
        Dataset.load(tmp_path, headers={"interactions": "user_id,item_id"})


@pytest.mark.parametrize("encoding", ["punycode", "undefined"])
def test_encodings_of_something_else_than_text_are_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "interactions.csv").write_text("user_id,item_id\na,x\n")
    with pytest.raises(DataError, match=f"the encoding '{encoding}' is not known"):
        Dataset.load(tmp_path, encoding=encoding)


def test_other_endings_of_text_say_how_to_rename_them(tmp_path: Path) -> None:
    (tmp_path / "interactions.dat").write_text("1,2014-04-07T10:51:09.277Z,214536502,0\n")
    for read in (Dataset.load, check_path):
        with pytest.raises(DataError, match=r"Rename interactions.dat to interactions.csv or .tsv, or write"):
            read(tmp_path)


@pytest.mark.parametrize("row", ["{'user_id': open('x')}", "{'user_id': 1, }}", "{'user_id': [1}"])
def test_python_that_is_no_plain_value_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "interactions.jsonl").write_text(row + "\n")
    with pytest.raises(DataError, match=r"row 0: it is no JSON \(nor is it Python"):
        Dataset.load(tmp_path)


def test_ids_of_python_that_are_texts_and_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "interactions.jsonl").write_text("{'user_id': 'a', 'item_id': 1}\n{'user_id': 2, 'item_id': 1}\n")
    with pytest.raises(DataError, match="column 'user_id', row 1: text and numbers are mixed"):
        Dataset.load(tmp_path)
