"""Tables as programs of shops export them: what becomes of each column, in memory and prepared in parts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.data.small_log import assert_same

from attrformer.data import Dataset
from attrformer.data.check import check_path
from attrformer.data.prepare_tables import prepare_tables
from attrformer.errors import DataError

N = 24


def shopify(folder: Path) -> dict[str, str]:
    """Orders and products: skus with zeros in front, prices with signs, html, emoji, another name in each table."""
    orders = {
        "Email": [f"käufer{n // 6}@exämple.com" for n in range(N)],
        "Paid at": [f"2026-01-{1 + n:02d} 18:30:00 -0500" for n in range(N)],
        "Lineitem sku": [f"00{n % 6}" for n in range(N)],
        "Lineitem quantity": [1 + n % 3 for n in range(N)],
    }
    products = {
        "Variant SKU": [f"00{n}" for n in range(6)],
        "Title": [f"Shirt {n} 👕" for n in range(6)],
        "Body (HTML)": [f"<p>Soft <b>cotton</b> &amp; more, {n}</p>" for n in range(6)],
        "Vendor": ["A", "B"] * 3,
        "Price": [f"€ 1.2{n}9,50" for n in range(6)],
        "Published": ["TRUE", "FALSE"] * 3,
    }
    pl.DataFrame(orders).write_csv(folder / "interactions.csv")
    pl.DataFrame(products).write_csv(folder / "items.csv")
    return {
        "user_id": "Email", "item_id": "Lineitem sku", "timestamp": "Paid at", "items.item_id": "Variant SKU",
        "title": "Title",
    }  # fmt: skip


def segment(folder: Path) -> dict[str, str]:
    """Events as packed JSON lines, the product within a mapping, users without an account."""
    rows = [
        {
            "anonymousId": f"a-{n // 6}",
            "userId": None if n % 2 else f"u{n // 6}",
            "timestamp": f"2026-01-{1 + n:02d}T18:30:00.123Z",
            "properties": {"product_id": f"00{n % 6}", "price": "$12.50"},
        }
        for n in range(N)
    ]
    text = "\n".join(map(json.dumps, rows))
    (folder / "interactions.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return {"user_id": "anonymousId", "item_id": "properties.product_id"}


def analytics(folder: Path) -> dict[str, str]:
    """A partition for each day, times in microseconds, pseudonyms that look like numbers, structs that are left out."""
    for day in range(2):
        place = folder / "interactions" / f"event_date=2026-01-0{1 + day}"
        place.mkdir(parents=True)
        part = {
            "user_pseudo_id": [f"{10**9 + n % 3}.{16 * 10**8}" for n in range(N // 2)],
            "item_id": [f"SKU{n % 6:03d}" for n in range(N // 2)],
            "event_timestamp": [(1_767_225_600 + 86_400 * day + n) * 10**6 + 123 for n in range(N // 2)],
            "event_name": ["view_item", "purchase"] * (N // 4),
            "device": [{"category": "mobile", "os": None}] * (N // 2),
        }
        pl.DataFrame(part).write_parquet(place / "part-0.parquet")
    return {"user_id": "user_pseudo_id", "timestamp": "event_timestamp"}


def reviews(folder: Path) -> dict[str, str]:
    """Books: times with names of months, numbers as text, lists of mappings, empty texts."""
    rows = [
        {
            "user_id": f"8842281e1d1347389f2ab93d60773d4{n // 6}",
            "book_id": str(20_000 + n % 6),
            "is_read": bool(n % 2),
            "rating": n % 6,
            "date_added": f"{(datetime(2024, 1, 1) + timedelta(n)):%a %b %d} 07:44:10 -0700 2024",
            "read_at": "",
        }
        for n in range(N)
    ]
    books = [
        {"book_id": str(20_000 + n), "format": ["Paperback", ""][n % 2], "authors": [{"id": "1"}]} for n in range(6)
    ]
    for name, table in (("interactions", rows), ("items", books)):
        (folder / f"{name}.json.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, table)).encode()))
    return {"item_id": "book_id", "timestamp": "date_added"}


READ: dict[Callable[[Path], dict[str, str]], tuple[list[str], dict[str, tuple[str, ...]], list[str]]] = {
    shopify: (["Lineitem quantity"], {"Vendor": ("A", "B"), "Published": ("false", "true")}, ["000", "001"]),
    segment: (["userId"], {}, ["000", "001"]),
    analytics: (["event_name"], {}, ["SKU000", "SKU001"]),
    reviews: (["is_read", "rating"], {"format": ("Paperback",)}, ["20000", "20001"]),
}
"""Attributes of interactions, values of item attributes, and the first items."""


@pytest.mark.parametrize("write", READ, ids=lambda write: write.__name__)
def test_an_export_is_read_as_its_notes_say(write: Callable[[Path], dict[str, str]], tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    columns = write(tmp_path / "shop")
    behaviours, attributes, items = READ[write]
    read = Dataset.load(tmp_path / "shop", columns=columns)
    assert list(read.sequences.behaviours) == behaviours and read.item_ids.to_list()[:2] == items
    assert {name: read.item_attributes[name].vocabulary for name in attributes} == attributes
    assert read.sequences.times is not None and len(read.sequences.items) == N
    assert check_path(tmp_path / "shop", columns=columns).find("unreadable") is None
    prepare_tables(tmp_path / "shop", tmp_path / "out", columns=columns, part_rows=5)
    assert_same(read, Dataset.load(tmp_path / "out", name="shop"))


def test_what_cannot_be_read_is_refused_alike_in_memory_and_in_parts(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    orders = [{"user_id": "a", "items": [{"item_id": "1"}]}]
    (tmp_path / "shop" / "interactions.jsonl").write_text("\n".join(map(json.dumps, orders)))
    for read in (Dataset.load, lambda path, columns: prepare_tables(path, tmp_path / "out", columns=columns)):
        with pytest.raises(DataError, match="'items' holds lists, and a row has to be one interaction"):
            read(tmp_path / "shop", columns={"item_id": "user_id", "user_id": "items.item_id"})
