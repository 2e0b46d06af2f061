"""Amazon 2014: exact tables from small files, no code in them ever run, bad lines named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.formats import detect, prepare, read_raw
from attrformer.errors import DataError

REVIEWS: list[dict[str, Any]] = [
    {"reviewerID": "U2", "asin": "B1", "helpful": [0, 1], "reviewText": "ok", "overall": 4.0, "unixReviewTime": 300},
    {"reviewerID": "U1", "asin": "B1", "overall": 5.0, "unixReviewTime": 200, "summary": "été"},
    {"reviewerID": "U1", "asin": "B2", "overall": 1.0, "unixReviewTime": 100},
]
META: list[dict[str, Any]] = [
    {
        "asin": "B1",
        "title": "Nail &amp; Polish's",
        "description": "a \\ stray \"asin': 'B9\" thing",
        "price": 3.5,
        "brand": "OPI",
        "categories": [["Beauty", "Makeup", "Nails"], ["Beauty", "Makeup", "Tools &amp; More"]],
        "related": {
            "also_bought": ["B7", "B2", "B1"],
            "bought_together": ["B2"],
            "buy_after_viewing": ["B2"],
        },
    },
    {"asin": "B9", "categories": [["Beauty", "Unreviewed"]], "related": {"also_viewed": ["B1"]}},
    {"asin": "B2", "brand": "", "categories": [["Beauty"]]},
]


def amazon(folder: Path, meta: bytes | None = None, reviews: bytes | None = None) -> Path:
    if reviews is None:
        reviews = "".join(json.dumps(review) + "\n" for review in REVIEWS).encode()
    if meta is None:
        meta = "".join(repr(product) + "\n" for product in META).encode()
    (folder / "reviews_Beauty_5.json.gz").write_bytes(gzip.compress(reviews))
    (folder / "meta_Beauty.json.gz").write_bytes(gzip.compress(meta))
    return folder


def fault(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_raw(path)
    return caught.value


def test_the_exact_tables(tmp_path: Path) -> None:
    assert detect(amazon(tmp_path)).name == "amazon-2014"
    tables = read_raw(tmp_path)
    assert tables.interactions.columns == ["user_id", "item_id", "timestamp", "rating"]
    assert tables.interactions.rows() == [("U1", "B2", 100, 1.0), ("U1", "B1", 200, 5.0), ("U2", "B1", 300, 4.0)]
    assert tables.items is not None and tables.item_relations is not None and tables.users is None
    assert tables.items.columns == ["item_id", "title", "brand", "price", "categories"]
    assert tables.items.rows() == [
        ("B1", "Nail & Polish's", "OPI", 3.5, ["Makeup", "Nails", "Tools & More"]),
        ("B2", None, None, None, []),
    ]
    assert tables.item_relations.columns == ["source_item_id", "target_item_id", "relation", "rank"]
    # B7 was never reviewed, so B2 is the first edge kept.
    assert tables.item_relations.rows() == [
        ("B1", "B2", "also_bought", 0),
        ("B1", "B1", "also_bought", 1),
        ("B1", "B2", "bought_together", 0),
    ]


def test_categories_are_whole_paths_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    prepared = prepare(amazon(tmp_path / "raw"), tmp_path / "out", format="amazon-2014-paths").folder
    items = pl.read_parquet(prepared / "items.parquet")
    assert items["categories"].to_list() == [
        [["Beauty", "Makeup", "Nails"], ["Beauty", "Makeup", "Tools & More"]],
        [["Beauty"]],
    ]
    dataset = Dataset.load(prepared, kinds={"categories": "hierarchy"})
    categories = dataset.item_attributes["categories"]
    assert categories.vocabulary == (
        "Beauty",
        "Beauty > Makeup",
        "Beauty > Makeup > Nails",
        "Beauty > Makeup > Tools & More",
    )
    assert categories.offsets.tolist() == [0, 4, 5] and categories.codes.tolist() == [0, 1, 2, 3, 0]


def test_one_named_file_finds_its_companion_among_others(tmp_path: Path) -> None:
    amazon(tmp_path)
    (tmp_path / "reviews_Toys_and_Games_5.json.gz").write_bytes(b"")
    assert read_raw(tmp_path / "reviews_Beauty_5.json.gz").interactions.height == 3
    assert "several files match" in str(fault(tmp_path))


def test_unpacked_files_read_the_same(tmp_path: Path) -> None:
    packed = read_raw(amazon(tmp_path))
    for file in list(tmp_path.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert read_raw(tmp_path).interactions.equals(packed.interactions)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    line = f"{{'asin': 'B1', 'title': __import__('pathlib').Path({str(trap)!r}).touch()}}\n"
    error = fault(amazon(tmp_path, meta=line.encode()))
    assert "neither a Python literal nor JSON" in str(error) and error.row == 0
    assert not trap.exists()


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        (b"{'asin': 'B2', 'price': 3", None, "neither a Python literal"),
        (b"{'asin': 'B2', 'title': '" + b"(" * 50_000, None, "neither a Python literal"),
        (b"{'asin': 'B2', 'title': " + b"(" * 50_000, None, "neither a Python literal"),
        (b"{'asin': 'B2', 'title': '\xff'}", None, "not UTF-8"),
        (b"{'asin': 'B2', 'price': 'cheap'}", "price", "the price 'cheap' is no number"),
        (b"{'asin': 'B2', 'categories': ['Beauty']}", "categories", "no list of lists"),
        (b"{'asin': 'B2', 'related': ['B1']}", "related", "no dictionary"),
        (b"{'asin': 'B2', 'related': {'also_bought': 'B1'}}", "related", "no list"),
        (b"{'asin': 'B1'}", "asin", "'B1' stands on line 1 already"),
        (b"['B2']", "asin", "no product with an asin"),
    ],
)
def test_a_bad_product_is_named(tmp_path: Path, line: bytes, column: str | None, said: str) -> None:
    error = fault(amazon(tmp_path, meta=b"{'asin': 'B1'}\n\n" + line + b"\n"))
    assert (error.row, error.column) == (2, column)
    assert said in str(error) and "line 3 of the file" in str(error) and "meta_Beauty.json.gz" in str(error)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (b'{"reviewerID": "U3"', None),
        (b'{"reviewerID": "U3", "asin": "B1", "overall": 5.0}', "unixReviewTime"),
        (b'{"reviewerID": "U3", "asin": "B1", "overall": "good", "unixReviewTime": 3}', "overall"),
        (b"[1]", None),
    ],
)
def test_a_bad_review_is_named(tmp_path: Path, line: bytes, column: str | None) -> None:
    sound = json.dumps(REVIEWS[0]).encode()
    error = fault(amazon(tmp_path, reviews=sound + b"\n\n" + line + b"\n" + sound + b"\n"))
    assert (error.row, error.column) == (2, column) and "reviews_Beauty_5.json.gz" in str(error)


def test_a_cut_archive_and_a_missing_companion_are_named(tmp_path: Path) -> None:
    meta = amazon(tmp_path) / "meta_Beauty.json.gz"
    meta.write_bytes(meta.read_bytes()[:-9])
    assert "cut short" in str(fault(tmp_path)) and "meta_Beauty.json.gz" in str(fault(tmp_path))
    meta.unlink()
    assert "'meta_Beauty.json.gz' is missing" in str(fault(tmp_path))
