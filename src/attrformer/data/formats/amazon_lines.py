"""Readers of the Amazon 2018 and 2023 files: JSON lines for reviews and for products."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import Any, ClassVar

import polars as pl

from attrformer.columns import ITEM, RATING, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, TITLE, USER
from attrformer.data.formats.amazon import Amazon2014, edge_table, products, read_reviews, readable
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import TABLE_NAMES, Tables
from attrformer.errors import DataError

EDGES_2018 = ("also_buy", "also_view")

_SIGNS_2018 = (b'"reviewerID"', b'"unixReviewTime"')
_SIGNS_2023 = (b'"user_id"', b'"parent_asin"')
_COLUMNS_2023 = {"user_id": USER, "parent_asin": ITEM, "timestamp": TIMESTAMP, "rating": RATING}
_SCHEMA_2018: dict[str, pl.DataType] = {
    ITEM: pl.String(),
    TITLE: pl.String(),
    "brand": pl.String(),
    "price": pl.Float64(),
    "main_category": pl.String(),
    "categories": pl.List(pl.String()),
}
_SCHEMA_2023: dict[str, pl.DataType] = {
    ITEM: pl.String(),
    TITLE: pl.String(),
    "store": pl.String(),
    "price": pl.Float64(),
    "main_category": pl.String(),
    "categories": pl.List(pl.String()),
}
_PRICE = re.compile(r"^\s*\$?\s*(\d[\d,]*(?:\.\d+)?)\s*(-\s*\$?\s*\d[\d,]*(?:\.\d+)?\s*)?$")
_ALT = re.compile(r"""\balt\s*=\s*["']([^"'<>]+)["']""")
_FIRST_LINE_BYTES = 1 << 24


def reviews_of_2018(files: RawFiles) -> list[str]:
    """Names of the files that hold reviews as they were published in 2018."""
    return [
        name
        for name in files.matching("*.json.gz", "*.json")
        if not name.startswith("reviews_") and _begins_with(files, name, _SIGNS_2018)
    ]


def reviews_of_2023(files: RawFiles) -> list[str]:
    """Names of the files that hold reviews as they were published in 2023."""
    return [
        name
        for name in files.matching("*.jsonl.gz", "*.jsonl")
        if not name.startswith("meta_") and _begins_with(files, name, _SIGNS_2023)
    ]


def read_amazon_2018(files: RawFiles) -> Tables:
    """Tables of one `CATEGORY.json.gz` or `CATEGORY_5.json.gz` and the `meta_CATEGORY.json.gz` beside it.

    The catalogue is what was reviewed. Prices are read from text such as "$1,234.50", of a span the lower one; texts
    that are pieces of a page are left out; votes and sales ranks, which are of after the fact, are not read.

    Raises:
        DataError: a file is missing, or a line cannot be read.
    """
    reviews = _only(files, reviews_of_2018(files))
    interactions = read_reviews(files, reviews)
    rows, edges, said = _read_products(files, _meta_of(files, reviews), interactions, "asin")
    found = Counter[str]()
    items = pl.DataFrame([_row_2018(product, found) for product in rows], schema=_SCHEMA_2018)
    return Tables(interactions, items=items, item_relations=edges, notes=(*said, *_told(found)))


def read_amazon_2023(files: RawFiles) -> Tables:
    """Tables of one `CATEGORY.jsonl.gz` and the `meta_CATEGORY.jsonl.gz` beside it.

    The item is the `parent_asin`. Times become whole seconds, in the order of the milliseconds of the file. Average
    ratings and their numbers, which are of after the fact, are not read.

    Raises:
        DataError: a file is missing, or a line cannot be read.
    """
    reviews = _only(files, reviews_of_2023(files))
    interactions = read_reviews(files, reviews, _COLUMNS_2023).sort(TIMESTAMP, maintain_order=True)
    interactions = interactions.with_columns(pl.col(TIMESTAMP) // 1000)
    rows, _, said = _read_products(files, _meta_of(files, reviews), interactions, "parent_asin")
    found = Counter[str]()
    items = pl.DataFrame([_row_2023(product, found) for product in rows], schema=_SCHEMA_2023)
    return Tables(interactions, items=items, notes=(*said, *_told(found)))


def _begins_with(files: RawFiles, name: str, signs: tuple[bytes, ...]) -> bool:
    """Whether the first line of a file is an object with some fields; tables of one's own are none."""
    if name.partition(".")[0] in TABLE_NAMES or not name.endswith((".json", ".jsonl", ".gz")):
        return False
    try:
        with files.open(name) as stream:
            line = stream.readline(_FIRST_LINE_BYTES)
    except DataError:
        return False
    return line.lstrip()[:1] == b"{" and all(sign in line for sign in signs)


def _only(files: RawFiles, found: list[str]) -> str:
    if len(found) == 1:
        return found[0]
    problem = f"several files hold reviews: {', '.join(found[:5])}" if found else "no file holds reviews"
    fix = "Name the one that is meant instead of its folder" if found else "Put the file of reviews beside the others"
    raise DataError(problem, fix=fix, source=str(files.path))


def _meta_of(files: RawFiles, reviews: str) -> str:
    ending = re.search(r"\.jsonl?(\.gz)?$", reviews)
    assert ending is not None
    plain = "jsonl" if ".jsonl" in ending[0] else "json"
    category = re.sub(r"(_5)?\.jsonl?(\.gz)?$", "", reviews)
    name = next((f"meta_{category}.{plain}{gz}" for gz in (".gz", "") if f"meta_{category}.{plain}{gz}" in files), None)
    if name is None:
        raise DataError(
            f"the file 'meta_{category}.{plain}.gz' is missing",
            fix=f"Put it beside the others, or fetch the data set again; present are: {', '.join(files.names[:8])}",
            source=str(files.path),
        )
    return name


def _read_products(
    files: RawFiles, name: str, interactions: pl.DataFrame, key: str
) -> tuple[list[dict[str, Any]], pl.DataFrame, list[str]]:
    """The first line about each reviewed product, the edges among them, and what was left out."""
    wanted = set(interactions[ITEM].unique().to_list())
    rows: dict[str, dict[str, Any]] = {}
    edges: dict[str, list[Any]] = {SOURCE_ITEM: [], RELATION: [], TARGET_ITEM: []}
    again = 0
    for _, product in products(files, name, wanted, key):
        if product[key] in rows:
            again += 1
            continue
        rows[product[key]] = product
        for relation in EDGES_2018:
            targets = product.get(relation)
            if isinstance(targets, list):
                edges[SOURCE_ITEM].append(product[key])
                edges[RELATION].append(relation)
                edges[TARGET_ITEM].append([target for target in targets if isinstance(target, str)])
    said = [f"{name}: {again:,} further lines about a product are left out, its first one counts"] if again else []
    return list(rows.values()), edge_table(edges, sorted(wanted)), said


def _row_2018(product: dict[str, Any], found: Counter[str]) -> dict[str, Any]:
    return {
        ITEM: product["asin"],
        TITLE: _clean(product.get("title"), "title", found),
        "brand": _clean(product.get("brand"), "brand", found),
        "price": _price(product.get("price"), found),
        "main_category": _category(product.get("main_cat")),
        "categories": _path(product.get("category"), found),
    }


def _row_2023(product: dict[str, Any], found: Counter[str]) -> dict[str, Any]:
    return {
        ITEM: product["parent_asin"],
        TITLE: _clean(product.get("title"), "title", found),
        "store": _clean(product.get("store"), "store", found),
        "price": _price(product.get("price"), found),
        "main_category": _clean(product.get("main_category"), "main_category", found),
        "categories": _path(product.get("categories"), found),
    }


def _clean(value: object, column: str, found: Counter[str]) -> str | None:
    """A readable text; None for pieces of a page, which such fields hold at times."""
    text = readable(value)
    if text is not None and ("getTime" in text or re.search(r"<\s*/?\s*(span|div|a|img|script|style)\b", text)):
        found[f"{column}: pieces of a page instead of a text"] += 1
        return None
    return text


def _category(value: object) -> str | None:
    """The main category, which is at times written as a picture with a name."""
    text = readable(value)
    named = _ALT.search(text) if text and "<" in text else None
    return html.unescape(named[1]).strip() if named else (None if text and "<" in text else text)


def _path(value: object, found: Counter[str]) -> list[str]:
    """Names of a path of categories; the first one is the same for all and is left out."""
    names = [_clean(name, "categories", found) for name in value[1:]] if isinstance(value, list) else []
    return list(dict.fromkeys(name for name in names if name))


def _price(value: object, found: Counter[str]) -> float | None:
    """A price in a number or in a text such as "$1,234.50"; of a span the lower one."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    match = _PRICE.match(str(value))
    if match is None:
        found["price: texts that are no price"] += 1
        return None
    if match[2]:
        found["price: spans, of which the lower price is read"] += 1
    return float(match[1].replace(",", ""))


def _told(found: Counter[str]) -> list[str]:
    return [f"{what}, {count:,} products" for what, count in sorted(found.items())]


def _of_2014(files: RawFiles) -> bool:
    """Whether there are reviews under the names of 2014."""
    return bool(files.matching("reviews_*.json.gz", "reviews_*.json"))


class Amazon2018(RawFormat):
    """See `read_amazon_2018`."""

    name: ClassVar[str] = "amazon-2018"
    title: ClassVar[str] = "Amazon reviews of 2018 with metadata"
    variant_of: ClassVar[str | None] = Amazon2014.name
    last: ClassVar[bool] = True

    def recognises(self, files: RawFiles) -> bool:
        """Reviews with the fields of 2018 under other names."""
        return not _of_2014(files) and bool(reviews_of_2018(files))

    def read(self, files: RawFiles) -> Tables:
        """Interactions, items and edges."""
        return read_amazon_2018(files)


class Amazon2023(RawFormat):
    """See `read_amazon_2023`."""

    name: ClassVar[str] = "amazon-2023"
    title: ClassVar[str] = "Amazon reviews of 2023 with metadata"
    last: ClassVar[bool] = True

    def recognises(self, files: RawFiles) -> bool:
        """Reviews with the fields of 2023."""
        return not _of_2014(files) and bool(reviews_of_2023(files))

    def read(self, files: RawFiles) -> Tables:
        """Interactions and items."""
        return read_amazon_2023(files)
