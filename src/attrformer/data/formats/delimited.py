"""Delimited text to typed frames: fast where the text is sound, exact about the place where it is not."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import polars as pl

from attrformer.errors import DataError

Encoding = Literal["utf-8", "latin-1"]

UNIT_SEPARATOR = b"\x1f"
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Layout:
    """What the lines of a delimited file look like.

    Args:
        schema: type of every field in file order, by column name.
        separator: what stands between two fields; one byte, or `::`.
        optional: columns that may be empty.
        header_lines: lines before the first row.
        quoted: whether a field may stand in double quotes.
        encoding: `latin-1` also accepts UTF-8, into which such files are often converted.
    """

    schema: dict[str, pl.DataType]
    separator: bytes
    optional: frozenset[str] = frozenset()
    header_lines: int = 0
    quoted: bool = False
    encoding: Encoding = "utf-8"


def to_utf8(data: bytes, source: str, encoding: Encoding) -> bytes:
    """The text as UTF-8 bytes without a byte order mark.

    Raises:
        DataError: the text is in another encoding; names the line.
    """
    if data.startswith(_WIDE_BOMS) or b"\0" in data[:4096]:
        raise DataError("the text is UTF-16 or binary", fix="Save the file as UTF-8 text", source=source, row=0)
    if data.isascii():
        return data
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if encoding == "latin-1":
            return data.decode("latin-1").encode("utf-8")
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"byte 0x{data[error.start]:02x} on line {line} is not UTF-8",
            fix="Save the file as UTF-8 text",
            source=source,
            row=line - 1,
        ) from None
    return data


def read_delimited(data: bytes, source: str, layout: Layout) -> pl.DataFrame:
    """A typed frame of all rows; blank lines are passed over.

    Args:
        data: the file's bytes.
        source: the file as messages name it.
        layout: what its lines look like.

    Raises:
        DataError: wrong encoding, or a line that does not fit the layout; names column, row and line.
    """
    data = to_utf8(data, source, layout.encoding)
    separator = layout.separator
    if len(separator) > 1:
        # polars splits at single bytes only, and this one never occurs in text.
        if UNIT_SEPARATOR in data:
            raise DataError("the text holds control characters (0x1f)", fix="Remove them", source=source)
        data, separator = data.replace(separator, UNIT_SEPARATOR), UNIT_SEPARATOR
    try:
        frame = _parse(data, separator, layout)
    except pl.exceptions.PolarsError as error:
        _raise_first_bad_line(data, separator, source, layout)
        raise DataError(f"the text cannot be read ({error})", fix="Check the file", source=source) from error
    required = [name for name in layout.schema if name not in layout.optional]
    if sum(frame.select(required).null_count().row(0)):
        _raise_first_bad_line(data, separator, source, layout)
        frame = frame.drop_nulls(required)
    if frame.is_empty():
        raise DataError("the file holds no rows", fix="Fetch or export it again", source=source)
    return frame


def _parse(data: bytes, separator: bytes, layout: Layout) -> pl.DataFrame:
    return (
        pl.read_csv(
            io.BytesIO(data),
            separator=separator.decode("ascii"),
            has_header=False,
            skip_rows=layout.header_lines,
            quote_char='"' if layout.quoted else None,
            schema=layout.schema,
        )
        if data.strip()
        else pl.DataFrame(schema=layout.schema)
    )


def _rows(data: bytes, separator: bytes, source: str, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of every line that is not blank."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    mark = separator.decode("ascii")
    reader = (
        csv.reader(text, delimiter=mark) if layout.quoted else csv.reader(text, delimiter=mark, quoting=csv.QUOTE_NONE)
    )
    try:
        for fields in reader:
            blank = not fields or (len(fields) == 1 and not fields[0].strip())
            if reader.line_num > layout.header_lines and not blank:
                yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} is not delimited text ({error})",
            fix="Check whether the file is what its name says",
            source=source,
            row=reader.line_num - 1 - layout.header_lines,
        ) from None


def _raise_first_bad_line(data: bytes, separator: bytes, source: str, layout: Layout) -> None:
    """Raise for the first line that does not fit; plain loops are fine here, the reading has failed already."""
    rows = _rows(data, separator, source, layout)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        faults = [fault for fault in (_wrong_count(batch, layout), *_wrong_values(batch, layout)) if fault]
        if faults:
            line, column, problem, fix = min(faults)
            raise DataError(
                f"{problem} (line {line} of the file)",
                fix=fix,
                source=source,
                column=column or None,
                row=line - 1 - layout.header_lines,
            )


_Fault = tuple[int, str, str, str]


def _wrong_count(batch: list[tuple[int, list[str]]], layout: Layout) -> _Fault | None:
    """The first line with too few or too many fields."""
    expected = len(layout.schema)
    for line, fields in batch:
        if len(fields) != expected:
            fix = f"Correct or delete the line; the fields are {', '.join(layout.schema)}"
            return line, "", f"{len(fields)} fields where {expected} are expected", fix
    return None


def _wrong_values(batch: list[tuple[int, list[str]]], layout: Layout) -> Iterator[_Fault]:
    """For each column, its first value that is missing or of the wrong type."""
    for place, (name, kind) in enumerate(layout.schema.items()):
        texts = pl.Series([fields[place] if place < len(fields) else None for _, fields in batch], dtype=pl.String)
        empty = texts.fill_null("-") == ""
        wrong = texts.is_not_null() & ~empty & texts.cast(kind, strict=False).is_null()
        if name not in layout.optional:
            wrong |= empty
        index = wrong.arg_true()
        if len(index):
            text, line = texts[index[0]], batch[index[0]][0]
            problem = "the value is missing" if text == "" else f"'{text[:60]}' is not {_said(kind)}"
            yield line, name, problem, "Correct or delete the line"


def _said(kind: pl.DataType) -> str:
    """The type in words."""
    if kind.is_integer():
        low, high = (pl.select(bound).item() for bound in (kind.min(), kind.max()))  # type: ignore[attr-defined]
        return f"a whole number from {low} to {high}"
    return "a number"
