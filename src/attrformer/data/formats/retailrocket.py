"""Reader of the RetailRocket files: events of a shop, and properties of its items, which change in time."""

from __future__ import annotations

from typing import ClassVar, Final

import polars as pl

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, USER, VALUE
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.delimited import Layout, read_delimited
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import Tables
from attrformer.errors import DataError

EVENT: Final = "event"
CATEGORY, AVAILABLE = "categoryid", "available"
LEVEL: Final = " > "
"""Between a category and the one below it."""

_PARENT: Final = "parentid"
_WHOLE: Final = pl.Int64()
_TEXT: Final = pl.String()
_EVENTS: Final = Layout(
    {TIMESTAMP: _WHOLE, USER: _WHOLE, EVENT: _TEXT, ITEM: _WHOLE, "transactionid": _WHOLE},
    b",",
    optional=frozenset({"transactionid"}),
    header_lines=1,
)
_PROPERTIES: Final = Layout({TIMESTAMP: _WHOLE, ITEM: _WHOLE, CHANGED: _TEXT, VALUE: _TEXT}, b",", header_lines=1)
_TREE: Final = Layout({CATEGORY: _WHOLE, _PARENT: _WHOLE}, b",", optional=frozenset({_PARENT}), header_lines=1)
_HEADINGS: Final = {"visitorid": USER, "itemid": ITEM, "property": CHANGED}
_NUMBER: Final = r"^n(-?\d+(?:\.\d+)?)$"
"""A value that is one number, as the files write it."""

_SHARE: Final = 0.5
"""Of the items, for which a number has to be known to be kept."""


def read_retailrocket(files: RawFiles) -> Tables:
    """Tables of `events.csv`, `item_properties_part1.csv`, `item_properties_part2.csv` and `category_tree.csv`.

    Of the properties, whose names and values are hashed, those are kept that say something as they are: `categoryid`,
    with the categories above it in front ("1016 > 213"), `available`, and the properties that are one number for
    at least half of the items. The price is among them. Milliseconds become seconds: those of events are cut off, and
    a property counts from the next full second on, so that none is known before its time.

    Raises:
        DataError: a file is missing, or a line cannot be read.
    """
    events = _read(files, files.one("events.csv"), _EVENTS)
    events = events.sort(USER, TIMESTAMP, maintain_order=True).with_columns(pl.col(TIMESTAMP) // 1000)
    parts = files.matching("item_properties*.csv")
    if not parts or files.focus in parts:
        parts = [name for name in files.names if name.startswith("item_properties") and name.endswith(".csv")]
    if not parts:
        parts = [files.one("item_properties_part1.csv")]
    read = pl.concat([_kept(_read(files, name, _PROPERTIES)) for name in parts])
    changes, notes = _without_texts(read)
    tree = _read(files, files.one("category_tree.csv"), _TREE)
    paths = pl.DataFrame(list(_paths(tree).items()), schema={VALUE: _TEXT, "path": _TEXT}, orient="row")
    joined = changes.join(paths, on=VALUE, how="left", maintain_order="left")
    path = pl.when(pl.col(CHANGED) == CATEGORY).then(pl.coalesce("path", VALUE)).otherwise(VALUE)
    item_changes = joined.select(ITEM, -(-pl.col(TIMESTAMP) // 1000), CHANGED, path.alias(VALUE))
    return Tables(events.select(USER, ITEM, TIMESTAMP, EVENT), notes=notes, item_changes=item_changes)


def _read(files: RawFiles, name: str, layout: Layout) -> pl.DataFrame:
    """One file, once its first line names the columns that are expected.

    Raises:
        DataError: it names others, or a line cannot be read.
    """
    data, source = files.read(name), files.label(name)
    first = data.partition(b"\n")[0].decode("utf-8", "replace").strip().removeprefix("\ufeff")
    named = [_HEADINGS.get(field, field) for field in first.split(",")]
    if named != list(layout.schema):
        raise DataError(
            f"the first line is '{first[:80]}'",
            fix="Fetch the file again; it has to name the columns as RetailRocket publishes them",
            source=source,
            row=0,
        )
    return read_delimited(data, source, layout)


def _kept(properties: pl.DataFrame) -> pl.DataFrame:
    """The readable rows with their numbers, and for other properties one row with an empty value for each item."""
    plain = pl.col(CHANGED).is_in([CATEGORY, AVAILABLE])
    number = pl.col(VALUE).str.extract(_NUMBER)
    read = properties.with_columns(pl.when(plain).then(pl.col(VALUE)).otherwise(number).alias(VALUE))
    texts = read.filter(pl.col(VALUE).is_null()).unique([CHANGED, ITEM], maintain_order=True)
    return pl.concat([read.filter(pl.col(VALUE).is_not_null()), texts])


def _without_texts(read: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The properties that are numbers alone and of enough items, and a sentence about those left out."""
    items = read[ITEM].n_unique()
    told = read.group_by(CHANGED).agg(pl.col(VALUE).null_count().alias("texts"), pl.col(ITEM).n_unique().alias("items"))
    enough = (pl.col("texts") == 0) & (pl.col("items") >= _SHARE * items)
    wanted = told.filter(enough | pl.col(CHANGED).is_in([CATEGORY, AVAILABLE]))[CHANGED]
    left = len(told) - len(wanted)
    kept = read.filter(pl.col(CHANGED).is_in(wanted.implode()))
    why = "are hashed text, or known of fewer than half of the items"
    notes = (f"item_properties: {left:,} of {len(told):,} properties {why}, and are left out",) if left else ()
    return kept, notes


def _paths(tree: pl.DataFrame) -> dict[str, str]:
    """Each category with those above it in front."""
    parents = dict(zip(tree[CATEGORY].to_list(), tree[_PARENT].to_list(), strict=True))
    found = {}
    for category in parents:
        path, above = [category], parents[category]
        while above is not None and above not in path:
            path.append(above)
            above = parents.get(above)
        found[str(category)] = LEVEL.join(str(one) for one in reversed(path))
    return found


class RetailRocket(RawFormat):
    """See `read_retailrocket`."""

    name: ClassVar[str] = "retailrocket"
    title: ClassVar[str] = "RetailRocket events and item properties"
    signs: ClassVar[tuple[str, ...]] = ("item_properties*.csv", "category_tree.csv")

    def read(self, files: RawFiles) -> Tables:
        """Interactions, and what changed in items."""
        return read_retailrocket(files)
