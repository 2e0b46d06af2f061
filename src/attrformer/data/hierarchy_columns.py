"""Columns of paths: "Beauty > Hair > Brushes", in text or in lists."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import LEVEL_SEPARATOR
from attrformer.data.coded_values import OWNER, VALUE, as_text
from attrformer.data.list_text import parse_list
from attrformer.data.tables import Table
from attrformer.errors import DataError

_SPLIT: Final = re.compile(r"\s>\s")
_EDGES: Final = " \t\r\n>"
_ROW: Final = "row"
_PATH: Final = "path"


def levels_of(table: Table, name: str, owners: NDArray[np.int64], separator: str = "") -> pl.DataFrame:
    """Every level of every path of a column, written with the levels above it: `owner` and `value`.

    Args:
        table: the table.
        name: the column: a path in text, a list of levels from the top down, or a list of such paths.
        owners: int64 `[rows]`, the user or item of each row.
        separator: what stands between two levels of a text; ">" where it is empty.

    Raises:
        DataError: the column holds something else.
    """
    values = table.frame[name]
    try:
        paths = _paths(values, separator)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise DataError(
            f"values of type {values.dtype} are no paths of levels",
            fix="Give text such as 'Beauty > Hair', lists of levels, or lists of such lists",
            source=table.source,
            column=name,
        ) from error
    levels = {path: _levels(path) for path in paths[_PATH].unique()}
    lookup = pl.DataFrame(
        {_PATH: list(levels), VALUE: list(levels.values())}, schema={_PATH: pl.String, VALUE: pl.List(pl.String)}
    )
    found = paths.join(lookup, on=_PATH).explode(VALUE).drop_nulls(VALUE)
    return found.select(pl.Series(OWNER, owners).gather(found[_ROW]), VALUE)


def _paths(values: pl.Series, separator: str) -> pl.DataFrame:
    """Row and path, the levels of a path joined by the library's own separator."""
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(values.dtype, pl.List):
        return _paths_of_lists(values, separator)
    texts = as_text(values)
    listed = texts.str.contains(r"^[\[(](?s:.*)[\])]$").fill_null(False)
    frame = pl.DataFrame({_ROW: np.arange(len(texts)), _PATH: _split(texts, separator), "text": texts})
    if not bool(listed.any()):
        return frame.select(_ROW, _PATH).drop_nulls()
    written = {text: _parsed(text, separator) for text in texts.filter(listed).unique()}
    read = {text: found for text, found in written.items() if found is not None}
    lookup = pl.DataFrame(
        {"text": list(read), _PATH: list(read.values())}, schema={"text": pl.String, _PATH: pl.List(pl.String)}
    )
    return pl.concat(
        [
            frame.join(lookup, on="text", how="anti").select(_ROW, _PATH),
            frame.select(_ROW, "text").join(lookup, on="text").explode(_PATH).select(_ROW, _PATH),
        ]
    ).drop_nulls()


def _paths_of_lists(lists: pl.Series, separator: str) -> pl.DataFrame:
    frame = pl.DataFrame({_ROW: np.arange(len(lists)), _PATH: lists}).explode(_PATH).drop_nulls()
    if isinstance(frame[_PATH].dtype, pl.List):
        if frame[_PATH].dtype.inner.is_nested():
            raise TypeError("paths of lists")
        parts = frame[_PATH].cast(pl.List(pl.String)).list.eval(pl.element().str.strip_chars())
        joined = parts.list.drop_nulls().list.join(LEVEL_SEPARATOR)
        return frame.with_columns(joined.alias(_PATH))
    # Texts that are paths themselves are not levels of one.
    frame = frame.with_columns(as_text(frame[_PATH]).alias(_PATH))
    whole = frame.with_columns(
        pl.col(_PATH).str.contains(separator or LEVEL_SEPARATOR, literal=True).any().over(_ROW).alias("whole")
    )
    paths = whole.filter(pl.col("whole")).select(_ROW, _PATH)
    levels = whole.filter(~pl.col("whole")).group_by(_ROW, maintain_order=True).agg(pl.col(_PATH))
    return pl.concat(
        [
            paths.with_columns(_split(paths[_PATH], separator)),
            levels.with_columns(pl.col(_PATH).list.join(LEVEL_SEPARATOR)),
        ]
    )


def _split(texts: pl.Series, separator: str) -> pl.Series:
    given = separator or LEVEL_SEPARATOR
    return texts.str.split(given.strip() or given).list.join(LEVEL_SEPARATOR).rename(_PATH)


def _parsed(text: str, separator: str) -> list[str] | None:
    """The paths of a list in text; None where it is none."""
    values = parse_list(text)
    if values is None or any(isinstance(value, dict) for value in values):
        return None
    given = separator or LEVEL_SEPARATOR
    if any(isinstance(value, (list, tuple)) for value in values):
        return [_joined(value) if isinstance(value, (list, tuple)) else str(value) for value in values if value]
    known = [str(value) for value in values if value is not None]
    if any(given in value for value in known):
        return [_joined(value.split(given.strip() or given)) for value in known]
    return [_joined(known)]


def _joined(levels: Any) -> str:
    return LEVEL_SEPARATOR.join(str(level).strip() for level in levels if level is not None)


def _levels(path: str) -> list[str]:
    """The levels of a path, each with those above it."""
    names = [name for name in (part.strip(_EDGES) for part in _SPLIT.split(path)) if name]
    return [LEVEL_SEPARATOR.join(names[: depth + 1]) for depth in range(len(names))]
