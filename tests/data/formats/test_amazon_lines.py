"""Amazon 2018 and 2023: exact tables from small files with the traps of the published ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from attrformer.data.formats import detect, read_raw
from attrformer.errors import DataError

REVIEWS_2018: list[dict[str, Any]] = [
    {
        "overall": 5.0,
        "vote": "1,204",
        "verified": True,
        "reviewTime": "09 1, 2016",
        "reviewerID": "U1",
        "asin": "B2",
        "style": {"Size:": " 1"},
        "reviewText": "ok",
        "unixReviewTime": 1472688000,
        "image": ["x"],
    },
    {"overall": 4.0, "verified": False, "reviewerID": "U1", "asin": "B1", "unixReviewTime": 1372688000},
]
PAGE = '<span class="a-size-base">x</span>'
META_2018: list[dict[str, Any]] = [
    {
        "asin": "B1",
        "title": "Nail &amp; Polish \U0001f600",
        "brand": "OPI",
        "price": "$1,234.50",
        "rank": "3 in Beauty",
        "category": ["Beauty", "Nails", PAGE],
        "main_cat": "<img src='x' alt=\"All Beauty\"/>",
        "also_buy": ["B2", "B7"],
        "also_view": [],
        "tech1": "",
        "date": "5 star",
    },
    {"asin": "B1", "title": "again", "price": "$3.00"},
    {
        "asin": "B2",
        "title": "var aPageStart = (new Date()).getTime();",
        "price": ".a-section.a-spacing-mini{margin:0}",
        "category": [],
        "main_cat": "Toys",
        "brand": "",
        "also_buy": ["B1"],
    },
    {"asin": "B9", "title": "nobody reviewed it"},
]
REVIEWS_2023: list[dict[str, Any]] = [
    {
        "rating": 5.0,
        "title": "t",
        "text": "x",
        "images": [],
        "asin": "B1red",
        "parent_asin": "B1",
        "user_id": "U1",
        "timestamp": 1588687728923,
        "helpful_vote": 3,
        "verified_purchase": True,
    },
    {"rating": 1.0, "asin": "B2", "parent_asin": "B2", "user_id": "U1", "timestamp": 1588687728100},
]
META_2023: list[dict[str, Any]] = [
    {
        "main_category": "All Beauty",
        "title": "One",
        "average_rating": 4.8,
        "rating_number": 10,
        "features": [],
        "price": None,
        "store": "Howard",
        "categories": ["Beauty", "Hair"],
        "details": {"a": "b"},
        "parent_asin": "B1",
        "bought_together": None,
    },
    {
        "main_category": "All Beauty",
        "title": "Two",
        "price": "from 7.99",
        "store": None,
        "categories": [],
        "parent_asin": "B2",
    },
]


def lines(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def amazon_2018(folder: Path, meta: list[dict[str, Any]] = META_2018) -> Path:
    lines(folder, "All_Beauty_5.json.gz", REVIEWS_2018)
    lines(folder, "meta_All_Beauty.json.gz", meta)
    return folder


def test_2018_gives_the_exact_tables(tmp_path: Path) -> None:
    assert detect(amazon_2018(tmp_path)).name == "amazon-2018"
    tables = read_raw(tmp_path)
    assert tables.interactions.columns == ["user_id", "item_id", "timestamp", "rating"]
    assert tables.interactions.rows() == [("U1", "B1", 1372688000, 4.0), ("U1", "B2", 1472688000, 5.0)]
    assert tables.items is not None and tables.item_relations is not None
    assert tables.items.columns == ["item_id", "title", "brand", "price", "main_category", "categories"]
    assert tables.items.rows() == [
        ("B1", "Nail & Polish \U0001f600", "OPI", 1234.5, "All Beauty", ["Nails"]),
        ("B2", None, None, None, "Toys", []),
    ]
    assert tables.item_relations.rows() == [("B1", "B2", "also_buy", 0), ("B2", "B1", "also_buy", 0)]
    assert tables.notes == (
        "meta_All_Beauty.json.gz: 1 further lines about a product are left out, its first one counts",
        "categories: pieces of a page instead of a text, 1 products",
        "price: texts that are no price, 1 products",
        "title: pieces of a page instead of a text, 1 products",
    )


@pytest.mark.parametrize(
    ("price", "value"),
    [
        ("$12.99", 12.99),
        ("$1,234.50", 1234.5),
        ("$1.99 - $5.00", 1.99),
        ("12", 12.0),
        (7, 7.0),
        ("", None),
        ("free", None),
    ],
)
def test_2018_reads_prices_from_text(tmp_path: Path, price: object, value: float | None) -> None:
    tables = read_raw(amazon_2018(tmp_path, [{"asin": "B1", "price": price}]))
    assert tables.items is not None and tables.items["price"].to_list() == [value]


def test_2018_files_can_be_named_and_unpacked(tmp_path: Path) -> None:
    packed = read_raw(amazon_2018(tmp_path) / "All_Beauty_5.json.gz")
    for file in list(tmp_path.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert read_raw(tmp_path).interactions.equals(packed.interactions)
    (tmp_path / "meta_All_Beauty.json").unlink()
    with pytest.raises(DataError, match=r"'meta_All_Beauty.json.gz' is missing"):
        read_raw(tmp_path)


def test_2023_gives_the_exact_tables(tmp_path: Path) -> None:
    lines(tmp_path, "All_Beauty.jsonl.gz", REVIEWS_2023)
    lines(tmp_path, "meta_All_Beauty.jsonl.gz", META_2023)
    assert detect(tmp_path).name == "amazon-2023"
    tables = read_raw(tmp_path)
    assert tables.interactions.columns == ["user_id", "item_id", "timestamp", "rating"]
    # Both happened in one second: the milliseconds of the file decide which came first.
    assert tables.interactions.rows() == [("U1", "B2", 1588687728, 1.0), ("U1", "B1", 1588687728, 5.0)]
    assert tables.items is not None and tables.item_relations is None
    assert tables.items.rows() == [
        ("B1", "One", "Howard", None, "All Beauty", ["Hair"]),
        ("B2", "Two", None, None, "All Beauty", []),
    ]
    assert tables.notes == ("price: texts that are no price, 1 products",)
