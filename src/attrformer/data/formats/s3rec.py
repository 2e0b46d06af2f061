"""Reader of S3Rec's files: one line of items for each user, and a JSON object of attribute codes."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import polars as pl

from attrformer.columns import ITEM, USER
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.delimited import Layout, read_delimited, to_utf8
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import Tables
from attrformer.errors import DataError

ATTRIBUTES = "attributes"

_LINE = "line"
_FIRST_LINE_BYTES = 1 << 24
_LAYOUT = Layout({_LINE: pl.String()}, b"\x1f")


def sequence_files(files: RawFiles) -> list[str]:
    """Names of the files that may hold sequences; sampled negatives and notes are left out."""
    notes = ("readme", "license", "licence")
    found = files.matching("*.txt")
    return [name for name in found if not name.endswith("_sample.txt") and not name.lower().startswith(notes)]


def has_sequences(files: RawFiles, name: str) -> bool:
    """Whether a file starts with a user and items as integers, which tells it from prose."""
    with files.open(name) as stream:
        return re.fullmatch(rb"\s*\d+([ \t]+\d+)+\s*", stream.readline(_FIRST_LINE_BYTES)) is not None


def read_s3rec(files: RawFiles) -> Tables:
    """Tables of one `NAME.txt` and, where it exists, `NAME_item2attributes.json`.

    There are no times: the order of a user's line is the order of time. Ids are integers where all of them are.

    Raises:
        DataError: no sequences, a user without items or on two lines, or attributes that are no lists of codes.
    """
    found = sequence_files(files)
    name = found[0] if len(found) == 1 else files.one("*.txt")
    interactions = _read_sequences(files.read(name), files.label(name))
    stem = name.removesuffix(".txt")
    attributes = [f"{stem}{ending}.json" for ending in ("_item2attributes", "_attributes", "")]
    present = [candidate for candidate in attributes if candidate in files]
    items = _read_attributes(files, present[0], interactions[ITEM].dtype) if present else None
    return Tables(interactions, items=items)


def _read_sequences(data: bytes, source: str) -> pl.DataFrame:
    """One row for each interaction, in the order of the lines."""
    lines = read_delimited(data, source, _LAYOUT).with_row_index("row")
    words = pl.col(_LINE).str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    users = lines.select("row", words.list.first().alias(USER), words.list.slice(1).alias(ITEM))
    _check(users, pl.col(ITEM).list.len() == 0, source, "the user has no items", ITEM)
    _check(users, ~pl.col(USER).is_first_distinct(), source, "the user stands on an earlier line already", USER)
    return users.explode(ITEM).select(_integers(users[USER], USER), _integers(users[ITEM].explode(), ITEM))


def _check(users: pl.DataFrame, wrong: pl.Expr, source: str, problem: str, column: str) -> None:
    """Raise for the first line where `wrong` holds."""
    bad = users.filter(wrong)
    if bad.height:
        row = bad["row"][0]
        raise DataError(
            f"{problem} (user '{bad[USER][0]}', line {row + 1} not counting blank ones)",
            fix="Write one line for each user: the user, then the items, oldest first, separated by spaces",
            source=source,
            column=column,
            row=row,
        )


def _integers(ids: pl.Series, name: str) -> pl.Expr:
    """The id column, as integers where every id is one."""
    whole = ids.str.contains(r"^(0|[1-9]\d{0,17})$").all()
    return pl.col(name).cast(pl.Int64) if whole else pl.col(name)


def _read_attributes(files: RawFiles, name: str, id_type: pl.DataType) -> pl.DataFrame:
    """One row for each item, its codes as text."""
    source = files.label(name)
    try:
        table: Any = json.loads(to_utf8(files.read(name), source, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"the file is no JSON ({error})", fix="Fetch or export it again", source=source) from None
    if not isinstance(table, dict) or not table:
        raise DataError("the file is no JSON object of items", fix='Write {"item": [codes]}', source=source)
    for row, (item, codes) in enumerate(table.items()):
        if not isinstance(codes, list) or not all(isinstance(code, int | str) for code in codes):
            raise DataError(
                f"the attributes of item '{item}' are no list of codes",
                fix='Write {"item": [codes]}',
                source=source,
                column=ATTRIBUTES,
                row=row,
            )
    frame = pl.DataFrame({ITEM: list(table), ATTRIBUTES: [[str(code) for code in codes] for codes in table.values()]})
    try:
        return frame.cast({ITEM: id_type})
    except pl.exceptions.PolarsError:
        raise DataError(
            "some items are not integers although all items of the sequences are",
            fix="Use the same ids in both files",
            source=source,
            column=ITEM,
        ) from None


class S3Rec(RawFormat):
    """See `read_s3rec`."""

    name: ClassVar[str] = "s3rec"
    title: ClassVar[str] = "S3Rec sequences"
    last: ClassVar[bool] = True

    def recognises(self, files: RawFiles) -> bool:
        """A text file whose first line is a user and items as integers."""
        return any(has_sequences(files, name) for name in sequence_files(files))

    def read(self, files: RawFiles) -> Tables:
        """Interactions, and items where there are attributes."""
        return read_s3rec(files)
