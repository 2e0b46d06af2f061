"""Tables in JSON: a line or an element of an array for each row."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Collection
from typing import Any, Final

import polars as pl

from attrformer.errors import DataError

_BOM: Final = b"\xef\xbb\xbf"
_NOT_JSON: Final = re.compile(rb"\b(NaN|-?Infinity)\b")
_PYTHON: Final = re.compile(rb"^\s*\{\s*u?'")
_AS_ROWS: Final = "Write a line for each row (pandas: to_json(path, orient='records', lines=True))"


def read_json_table(data: bytes, ids: Collection[str], source: str) -> pl.DataFrame:
    """The table in the bytes of a JSON file.

    Args:
        data: an object for each row, in lines or in an array.
        ids: names of columns of ids.
        source: the file, for error messages.

    Raises:
        DataError: it holds something else, or ids that are texts in some rows and numbers in others.
        polars.exceptions.PolarsError: it is JSON and no table.
    """
    data = data.removeprefix(_BOM)
    if not data.strip():
        raise DataError("the file is empty", fix="Write the table again", source=source)
    frame = _parsed(data, source)
    nested = [kind for kind in frame.schema.values() if kind.is_nested()]
    if frame.height == 1 and len(nested) == frame.width and data.lstrip()[:1] == b"{":
        raise DataError("it holds columns, not rows", fix=_AS_ROWS, source=source)
    _refuse_mixed_ids(frame, data, ids, source)
    return frame


def _parsed(data: bytes, source: str) -> pl.DataFrame:
    array = data.lstrip()[:1] == b"["
    # Python writes NaN, which is no JSON, and reads it.
    if not _NOT_JSON.search(data):
        try:
            if array:
                return pl.read_json(io.BytesIO(data), infer_schema_length=None)
            return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
        except pl.exceptions.PolarsError:
            found = _rows(data, array, source)
            if array or not _PYTHON.match(data):
                raise
            return pl.from_dicts(found, infer_schema_length=None)
    rows = _rows(data, array, source)
    return pl.from_dicts([dict(row) for row in rows], infer_schema_length=None)


def _rows(data: bytes, array: bool, source: str) -> list[dict[str, Any]]:
    found = []
    lines = [data] if array else data.splitlines()
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            row = _row(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"it is no JSON ({error})", fix=_AS_ROWS, source=source, row=None if array else number
            ) from None
        found += row if array and isinstance(row, list) else [row]
    odd = next((number for number, row in enumerate(found) if not isinstance(row, dict)), None)
    if odd is not None:
        raise DataError("it is no object with a value for each column", fix=_AS_ROWS, source=source, row=odd)
    return found


def _row(line: bytes) -> Any:
    """A row in JSON, or as Python writes it, `{'item_id': 'a'}`, as logs of several public datasets are."""
    try:
        return json.loads(line)
    except ValueError:
        if not _PYTHON.match(line):
            raise
    try:
        return ast.literal_eval(line.decode().strip())
    except (SyntaxError, ValueError, MemoryError, TypeError) as error:
        raise ValueError(f"nor is it Python: {error}") from error


def _refuse_mixed_ids(frame: pl.DataFrame, data: bytes, ids: Collection[str], source: str) -> None:
    """Refuses ids that are texts in some lines and numbers in others, which polars makes texts all of them.

    Raises:
        DataError: there are such.
    """
    for name in ids:
        if name in frame.columns and frame[name].dtype == pl.String:
            quote = b"['\"]" if _PYTHON.match(data) else b'"'
            number = re.search(rb"%b%b%b\s*:\s*-?\d" % (quote, re.escape(name).encode(), quote), data)
            if number is not None:
                raise DataError(
                    "text and numbers are mixed",
                    fix="Write all ids in quotes, or none of them",
                    source=source,
                    column=name,
                    row=data.count(b"\n", 0, number.start()),
                )
