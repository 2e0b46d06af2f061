"""Reader of RecBole's atomic files: tab-separated tables whose header gives each column's type."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from attrformer.columns import ITEM, RATING, TIMESTAMP, USER
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.delimited import Layout, read_delimited, to_utf8
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import Tables
from attrformer.errors import DataError

TYPES = ("token", "token_seq", "float", "float_seq")

# A title is written as a sequence of words; here it is one text.
_TITLES = ("title", "movie_title", "item_title", "item_name")


def read_recbole(files: RawFiles) -> Tables:
    """Tables of one `.inter` file and the `.item` and `.user` files of the same name, where they exist.

    Tokens stay text, floats become numbers, sequences become lists. The title column, under any of its usual
    names, becomes `title`.

    Raises:
        DataError: no `.inter` file, a header without types or ids, or a line that cannot be read.
    """
    inter = files.one("*.inter")
    stem = inter.removesuffix(".inter")
    interactions = _read(files, inter, (USER, ITEM))
    items = _read(files, f"{stem}.item", (ITEM,)) if f"{stem}.item" in files else None
    users = _read(files, f"{stem}.user", (USER,)) if f"{stem}.user" in files else None
    histories = [column for column, kind in interactions.schema.items() if isinstance(kind, pl.List)]
    notes = tuple(
        f"{inter}: column '{column}' holds lists, which are not read: each row counts as one interaction"
        for column in histories
    )
    return Tables(_typed_behaviours(interactions, files.label(inter)), items=items, users=users, notes=notes)


def _read(files: RawFiles, name: str, ids: tuple[str, ...]) -> pl.DataFrame:
    source = files.label(name)
    data = to_utf8(files.read(name), source, "utf-8")
    types = _header(data.split(b"\n", 1)[0].decode("utf-8").rstrip("\r"), source, ids)
    numeric = {column for column, kind in types.items() if kind == "float"}
    if name.endswith(".inter"):
        numeric |= {RATING, TIMESTAMP} & set(types)
    schema: dict[str, pl.DataType] = {column: pl.Float64() if column in numeric else pl.String() for column in types}
    layout = Layout(schema, b"\t", optional=frozenset(set(schema) - {*ids, TIMESTAMP}), header_lines=1)
    frame = read_delimited(data, source, layout)
    frame = frame.with_columns(_sequence(column) for column, kind in types.items() if kind.endswith("_seq"))
    frame = frame.with_columns(
        pl.col(column).cast(pl.List(pl.Float64())) for column, kind in types.items() if kind == "float_seq"
    )
    titles = [title for title in _TITLES if title in types]
    return frame.rename({titles[0]: "title"}) if len(titles) == 1 else frame


def _header(line: str, source: str, ids: tuple[str, ...]) -> dict[str, str]:
    """Type of each column by its name."""
    types: dict[str, str] = {}
    for field in line.split("\t"):
        name, _, kind = field.strip().rpartition(":")
        if not name or kind not in TYPES:
            raise DataError(
                f"the header says '{field[:60]}'",
                fix=f"Write it as name:type with a type out of {', '.join(TYPES)}",
                source=source,
                column=name or field[:60],
            )
        if name in types:
            raise DataError("the column stands twice in the header", fix="Rename one", source=source, column=name)
        types[name] = kind
    for name in ids:
        if types.get(name) != "token":
            raise DataError(
                f"the header has no '{name}:token' among {', '.join(types)}",
                fix=f"Rename the id column in the header to '{name}:token'",
                source=source,
                column=name,
            )
    return types


def _sequence(column: str) -> pl.Expr:
    """A list column from words separated by spaces; the words of a title stay together."""
    if column in _TITLES:
        return pl.col(column)
    return pl.col(column).fill_null("").str.split(" ").list.eval(pl.element().filter(pl.element() != ""))


def _typed_behaviours(interactions: pl.DataFrame, source: str) -> pl.DataFrame:
    """Whole seconds, and ratings as short numbers."""
    if RATING in interactions.columns:
        interactions = interactions.with_columns(pl.col(RATING).cast(pl.Float32))
    if TIMESTAMP not in interactions.columns:
        return interactions
    bad = interactions.select((~pl.col(TIMESTAMP).is_finite()).arg_true()).to_series()
    if len(bad):
        raise DataError(
            f"the time is not a finite number (line {bad[0] + 2} of the file)",
            fix="Correct or delete the line",
            source=source,
            column=TIMESTAMP,
            row=bad[0],
        )
    return interactions.with_columns(pl.col(TIMESTAMP).floor().cast(pl.Int64))


class RecBole(RawFormat):
    """See `read_recbole`."""

    name: ClassVar[str] = "recbole"
    title: ClassVar[str] = "RecBole atomic files"
    signs: ClassVar[tuple[str, ...]] = ("*.inter",)

    def read(self, files: RawFiles) -> Tables:
        """Interactions, and items and users where they are there."""
        return read_recbole(files)
