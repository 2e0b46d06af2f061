"""Reader of the Amazon 2014 files: JSON reviews, and descriptions of products written as Python literals."""

from __future__ import annotations

import ast
import html
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import polars as pl

from attrformer.columns import EDGE_RANK, ITEM, RATING, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, USER
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.sources import Source, SourceFile
from attrformer.data.formats.tables import Tables
from attrformer.errors import DataError

EDGE_NAMES = ("also_bought", "also_viewed", "bought_together")

REVIEW_COLUMNS = {"reviewerID": USER, "asin": ITEM, "unixReviewTime": TIMESTAMP, "overall": RATING}
_TYPES: dict[str, pl.DataType] = {USER: pl.String(), ITEM: pl.String(), TIMESTAMP: pl.Int64(), RATING: pl.Float32()}
_ITEM_SCHEMA: dict[str, pl.DataType] = {
    ITEM: pl.String(),
    "title": pl.String(),
    "brand": pl.String(),
    "price": pl.Float64(),
    "categories": pl.List(pl.String()),
}
# What ast.literal_eval and json.loads raise on hostile or damaged text.
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def read_amazon(files: RawFiles, *, paths: bool = False) -> Tables:
    """Tables of one `reviews_*.json.gz` and the `meta_*.json.gz` of the same category.

    The catalogue is what was reviewed: products of the meta file without a review are passed over, and so are edges
    from or to them. The rank of an edge counts the edges kept.

    Args:
        files: of the data set.
        paths: whether `categories` holds every path with all of its levels, for the kind `hierarchy`, instead of names.

    Raises:
        DataError: a file is missing, or a line cannot be read.
    """
    reviews = files.one("reviews_*.json.gz", "reviews_*.json")
    category = re.sub(r"^reviews_|(_5)?\.json(\.gz)?$", "", reviews)
    meta = files.one(f"meta_{category}.json.gz", f"meta_{category}.json")
    interactions = read_reviews(files, reviews)
    catalogue = interactions[ITEM].unique()
    items, edges = _read_meta(files, meta, set(catalogue.to_list()), paths)
    return Tables(interactions, items=items, item_relations=edges)


def read_reviews(files: RawFiles, name: str, columns: Mapping[str, str] = REVIEW_COLUMNS) -> pl.DataFrame:
    """The reviews without their text, in file order.

    Args:
        files: of the data set.
        name: of the file, JSON lines.
        columns: the fields to read, with our names.

    Raises:
        DataError: there is no review, or a line is none.
    """
    frames: list[pl.DataFrame] = []
    lines_before = 0
    for chunk in files.chunks(name):
        frames.append(_parse_reviews(chunk, files.label(name), lines_before, columns))
        lines_before += chunk.count(b"\n")
    if not sum(frame.height for frame in frames):
        raise DataError("the file holds no reviews", fix="Fetch it again", source=files.label(name))
    return pl.concat(frames)


def _parse_reviews(chunk: bytes, source: str, lines_before: int, columns: Mapping[str, str]) -> pl.DataFrame:
    schema = {field: _TYPES[ours] for field, ours in columns.items()}
    try:
        frame = pl.read_ndjson(chunk, schema=schema)
        complete = not sum(frame.null_count().row(0))
    except pl.exceptions.PolarsError as error:
        _raise_first_bad_review(chunk, source, lines_before, schema)
        raise DataError(f"the reviews cannot be read ({error})", fix="Fetch the file again", source=source) from error
    if not complete:
        _raise_first_bad_review(chunk, source, lines_before, schema)
    return frame.rename(dict(columns))


def _raise_first_bad_review(chunk: bytes, source: str, lines_before: int, schema: Mapping[str, pl.DataType]) -> None:
    """Raise for the first line that is no review; the reading has failed already."""
    for number, line in enumerate(chunk.split(b"\n"), start=lines_before + 1):
        if not line.strip():
            continue
        try:
            review = json.loads(line)
        except _UNREADABLE as error:
            raise bad_line(source, number, f"the line is no JSON object ({error})") from None
        if not isinstance(review, dict):
            raise bad_line(source, number, "the line is no JSON object")
        for field, kind in schema.items():
            value = review.get(field)
            right = isinstance(value, str) if kind == pl.String else isinstance(value, int | float)
            if not right or isinstance(value, bool):
                raise bad_line(source, number, f"the value {value!r} is missing or of the wrong type", field)


def _read_meta(files: RawFiles, name: str, wanted: set[str], paths: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Attributes of the wanted products, and the edges among them."""
    rows: list[dict[str, Any]] = []
    edges: dict[str, list[Any]] = {SOURCE_ITEM: [], RELATION: [], TARGET_ITEM: []}
    seen: dict[str, int] = {}
    for number, product in products(files, name, wanted):
        asin = product["asin"]
        if asin in seen:
            raise bad_line(files.label(name), number, f"product '{asin}' stands on line {seen[asin]} already", "asin")
        seen[asin] = number
        rows.append(_attributes(product, files.label(name), number, paths))
        for relation, targets in _related(product, files.label(name), number):
            edges[SOURCE_ITEM].append(asin)
            edges[RELATION].append(relation)
            edges[TARGET_ITEM].append(targets)
    schema = {**_ITEM_SCHEMA, "categories": pl.List(pl.List(pl.String))} if paths else _ITEM_SCHEMA
    return pl.DataFrame(rows, schema=schema), edge_table(edges, sorted(wanted))


def edge_table(edges: dict[str, list[Any]], wanted: list[str]) -> pl.DataFrame:
    """One row for each edge that ends at a wanted item; the rank counts from 0 within source and relation.

    Args:
        edges: sources, relations and lists of targets.
        wanted: the items.
    """
    schema = {SOURCE_ITEM: pl.String(), RELATION: pl.String(), TARGET_ITEM: pl.List(pl.String())}
    rank = pl.int_range(pl.len(), dtype=pl.Int16).over(SOURCE_ITEM, RELATION).alias(EDGE_RANK)
    return (
        pl.DataFrame(edges, schema=schema)
        .explode(TARGET_ITEM)
        .filter(pl.col(TARGET_ITEM).is_in(wanted))
        .unique([SOURCE_ITEM, RELATION, TARGET_ITEM], keep="first", maintain_order=True)
        .select(SOURCE_ITEM, TARGET_ITEM, RELATION, rank)
    )


def products(files: RawFiles, name: str, wanted: set[str], key: str = "asin") -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and product of every line about a wanted product; the others are not parsed, which saves minutes.

    Args:
        files: of the data set.
        name: of the file, one product a line as JSON or as a Python literal.
        wanted: the products.
        key: the field that names a product.

    Raises:
        DataError: a line is no product.
    """
    pattern = re.compile(rb"""['"]%b['"]\s*:\s*['"]([^'"]*)['"]""" % key.encode())
    codes = {asin.encode("utf-8") for asin in wanted}
    number = 0
    with warnings.catch_warnings():
        # Descriptions hold stray backslashes, which the compiler would warn about line by line.
        warnings.simplefilter("ignore")
        for chunk in files.chunks(name):
            for line in chunk.splitlines():
                number += 1
                named = pattern.findall(line)
                if not line.strip() or (named and codes.isdisjoint(named)):
                    continue
                product = _parse_product(line, files.label(name), number, key)
                if product[key] in wanted:
                    yield number, product


def _parse_product(line: bytes, source: str, number: int, key: str) -> dict[str, Any]:
    """One product; literals only, nothing in the file can run."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_line(source, number, f"the line is not UTF-8 ({error.reason} at byte {error.start})") from None
    try:
        product = json.loads(text)
    except _UNREADABLE:
        try:
            product = ast.literal_eval(text.strip())
        except _UNREADABLE as error:
            raise bad_line(source, number, f"the line is neither a Python literal nor JSON ({error})") from None
    if not isinstance(product, dict) or not isinstance(product.get(key), str):
        raise bad_line(source, number, f"the line is no product with an {key}", key)
    return product


def _attributes(product: dict[str, Any], source: str, number: int, whole: bool) -> dict[str, Any]:
    """The row of the item table; categories are whole paths, or names without the first, which is the same for all."""
    paths = product.get("categories") or []
    if not isinstance(paths, list) or not all(isinstance(path, list) for path in paths):
        raise bad_line(source, number, "the categories are no list of lists", "categories")
    price = product.get("price")
    if price is not None and (isinstance(price, bool) or not isinstance(price, int | float)):
        raise bad_line(source, number, f"the price {price!r} is no number", "price")
    clean = [[html.unescape(str(name)).strip() for name in path] for path in paths]
    names = dict.fromkeys(name for path in clean for name in path[1:] if name)
    return {
        ITEM: product["asin"],
        "title": readable(product.get("title")),
        "brand": readable(product.get("brand")),
        "price": None if price is None else float(price),
        "categories": clean if whole else list(names),
    }


def _related(product: dict[str, Any], source: str, number: int) -> Iterator[tuple[str, list[str]]]:
    """Each known relation of a product and the items it names."""
    related = product.get("related") or {}
    if not isinstance(related, dict):
        raise bad_line(source, number, "the related products are no dictionary", "related")
    for relation in EDGE_NAMES:
        targets = related.get(relation) or []
        if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
            raise bad_line(source, number, f"the products of '{relation}' are no list of names", "related")
        yield relation, targets


def readable(value: object) -> str | None:
    """A readable text, or None where there is none."""
    return (html.unescape(str(value)).strip() or None) if value is not None else None


def bad_line(source: str, number: int, problem: str, column: str | None = None) -> DataError:
    """The error for one line, counted from 1."""
    return DataError(
        f"{problem} (line {number} of the file)",
        fix="Correct or delete the line, or fetch the file again",
        source=source,
        column=column,
        row=number - 1,
    )


_SNAP = "http://snap.stanford.edu/data/amazon/productGraph/"
_TERMS = (
    "Amazon reviews up to 2014, collected by Julian McAuley's group and made available for research; no formal licence "
    "is stated and the texts belong to their authors. Name the source in publications and do not pass copies on."
)


def _source(name: str, category: str) -> Source:
    files = (SourceFile(f"reviews_{category}_5.json.gz"), SourceFile(f"meta_{category}.json.gz"))
    title = f"Amazon 2014 {category.replace('_', ' ')}, reviews (5-core) and products"
    return Source(name, title, files, f"{_SNAP}categoryFiles/", _TERMS, _SNAP)


class Amazon2014(RawFormat):
    """See `read_amazon`."""

    name: ClassVar[str] = "amazon-2014"
    title: ClassVar[str] = "Amazon reviews of 2014 with metadata"
    signs: ClassVar[tuple[str, ...]] = ("reviews_*.json.gz", "reviews_*.json", "meta_*.json.gz", "meta_*.json")
    sources: ClassVar[tuple[Source, ...]] = (_source("beauty", "Beauty"), _source("toys", "Toys_and_Games"))

    def read(self, files: RawFiles) -> Tables:
        """Interactions, items and edges."""
        return read_amazon(files)


class Amazon2014Paths(RawFormat):
    """See `read_amazon` with `paths`; asked for by its name only."""

    name: ClassVar[str] = "amazon-2014-paths"
    title: ClassVar[str] = "Amazon reviews of 2014 with categories as paths"

    def read(self, files: RawFiles) -> Tables:
        """Interactions, items and edges."""
        return read_amazon(files, paths=True)
