"""Columns of vectors and of places on the earth."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.list_text import number_lists, parse_list
from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.tables import Table
from attrformer.errors import DataError

LATITUDES: Final = ("latitude", "lat")
LONGITUDES: Final = ("longitude", "lon", "lng", "long")

_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PAIR: Final = re.compile(rf"^[\[(]?\s*({_NUMBER})\s*[,;\s]\s*({_NUMBER})\s*[\])]?$")
_LIMITS: Final = np.array([90.0, 180.0])
_AXES: Final = ("latitude", "longitude")


def vectors_of(table: Table, name: str, separator: str = "") -> NDArray[np.float32]:
    """The vectors of a column, float32 `[rows, d]`; a missing one is all NaN.

    Args:
        table: the table.
        name: the column: lists of numbers, or text that holds such.
        separator: what stands between the numbers of a text that is no list.

    Raises:
        DataError: a row holds something else, a vector of another length, or a number that is missing or not finite.
    """
    values = table.frame[name]
    if values.dtype == pl.String or isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        values = _number_lists(table, values.cast(pl.String), separator)
    if values.dtype == pl.Null:
        return np.empty((len(values), 0), np.float32)
    if isinstance(values.dtype, pl.Array) and len(values.dtype.shape) == 1:
        values = values.arr.to_list()
    if isinstance(values.dtype, pl.List) and values.dtype.inner == pl.Null:
        values = values.cast(pl.List(pl.Float64))
    if not isinstance(values.dtype, pl.List) or not values.dtype.inner.is_numeric():
        raise DataError(
            f"values of type {table.frame[name].dtype} are no vectors",
            fix="Give lists of numbers that all have one length, or declare another kind",
            source=table.source,
            column=name,
        )
    return _matrix(table, values)


def locations_of(table: Table, name: str, separator: str = "") -> NDArray[np.float32]:
    """The places of a column, float32 `[rows, 2]`: degrees of latitude and longitude; a missing one is NaN.

    Args:
        table: the table.
        name: the column: text such as "48.1,11.5", lists of two numbers, or mappings with lat and lon.
        separator: what stands between the numbers of a text, where it is no comma, semicolon or blank.

    Raises:
        DataError: a row holds something else, or no place on the earth.
    """
    values = table.frame[name]
    if values.dtype == pl.String or isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        pairs = _pairs_of_texts(table, values.cast(pl.String), separator)
    elif isinstance(values.dtype, pl.Struct):
        pairs = _pairs_of_structs(table, values)
    else:
        pairs = vectors_of(table, name).astype(np.float64)
        if pairs.shape[1] == 0:
            pairs = np.full((len(values), 2), np.nan)
    if pairs.shape[1] != 2:
        raise _no_location(table, name, f"its lists have {pairs.shape[1]} numbers", None)
    half = np.flatnonzero(np.isnan(pairs).sum(1) == 1)
    if len(half):
        raise _no_location(table, name, "only one of latitude and longitude is there", int(half[0]))
    outside = np.argwhere(np.abs(pairs) > _LIMITS)
    if len(outside):
        row, axis = (int(place) for place in outside[0])
        raise _no_location(
            table, name, f"{pairs[row, axis]:g} is no {_AXES[axis]}, which lies within {_LIMITS[axis]:g} degrees", row
        )
    return pairs.astype(np.float32)


def _matrix(table: Table, lists: pl.Series) -> NDArray[np.float32]:
    lengths = lists.list.len().fill_null(0).to_numpy()
    known = np.flatnonzero(lengths)
    width = int(lengths[known[0]]) if len(known) else 0
    other = known[lengths[known] != width]
    if len(other):
        raise DataError(
            f"it holds {lengths[other[0]]} numbers, and the vector of row {known[0]} holds {width}",
            fix="Give vectors that all have one length, or leave the value empty where there is none",
            source=table.source,
            column=lists.name,
            row=int(other[0]),
        )
    present = lists if len(known) == len(lists) else lists.filter(lengths > 0)
    flat = present.explode().cast(pl.Float32).to_numpy() if len(known) else np.empty(0, np.float32)
    found: NDArray[np.float32] = flat.reshape(-1, width) if width else np.empty((len(present), 0), np.float32)
    if len(known) < len(lists):
        placed = np.full((len(lists), width), np.nan, np.float32)
        placed[known] = found
        found = placed
    wrong = np.flatnonzero(~np.isfinite(found).all(1) & ~np.isnan(found).all(1))
    if len(wrong):
        place = int(np.flatnonzero(~np.isfinite(found[wrong[0]]))[0])
        raise DataError(
            f"number {place} of the vector is {'missing' if np.isnan(found[wrong[0], place]) else 'not finite'}",
            fix="Correct it, or leave the whole vector empty where it is not known",
            source=table.source,
            column=lists.name,
            row=int(wrong[0]),
        )
    return found


def _number_lists(table: Table, texts: pl.Series, separator: str) -> pl.Series:
    """Text as lists of numbers.

    Raises:
        DataError: a text is none.
    """
    bare = texts.str.strip_chars()
    bare = bare.set(missing_among_numbers(bare), None)
    if separator:
        # Of blanks in a row only one separates.
        parts = bare.str.split(separator.strip() or separator)
        lists = parts.list.eval(pl.element().str.strip_chars()).list.eval(pl.element().filter(pl.element() != ""))
    else:
        fast = number_lists(bare)
        if fast is not None:
            return fast
        parsed = {text: _numbers_of(text) for text in bare.drop_nulls().unique()}
        odd = next((row for row, text in enumerate(bare.to_list()) if text is not None and parsed[text] is None), None)
        if odd is not None:
            raise _no_vector(table, texts.name, bare[odd], odd)
        rows = [None if text is None else parsed[text] for text in bare.to_list()]
        return pl.Series(texts.name, rows, dtype=pl.List(pl.Float64))
    numbers = lists.cast(pl.List(pl.Float64), strict=False)
    bad = numbers.list.eval(pl.element().is_null()).list.any().fill_null(False).arg_true()
    if len(bad):
        raise _no_vector(table, texts.name, bare[int(bad[0])], int(bad[0]))
    return numbers


def _numbers_of(text: str) -> list[float | None] | None:
    values = parse_list(text)
    if values is None or not all(value is None or type(value) in (int, float) for value in values):
        return None
    return [None if value is None else float(value) for value in values]


def _no_vector(table: Table, name: str, text: str, row: int) -> DataError:
    return DataError(
        f"'{_shortened(text)}' is no list of numbers",
        fix="Write vectors as [0.1, 0.2], name what stands between the numbers in separators=, or declare another kind",
        source=table.source,
        column=name,
        row=row,
    )


def _pairs_of_texts(table: Table, texts: pl.Series, separator: str) -> NDArray[np.float64]:
    bare = texts.str.strip_chars()
    bare = bare.set(missing_among_numbers(bare), None)
    found = np.full((len(texts), 2), np.nan)
    for row, text in enumerate(bare.to_list()):
        if text is None:
            continue
        pair = _pair(text.replace(separator, ",") if separator else text)
        if pair is None:
            raise _no_location(table, texts.name, f"'{_shortened(text)}' is no latitude and longitude", row)
        found[row] = pair
    return found


def _pair(text: str) -> tuple[float, float] | None:
    match = _PAIR.match(text)
    if match is not None:
        return float(match[1]), float(match[2])
    parsed = parse_list(text)
    if not parsed or not isinstance(parsed[0], dict):
        return None
    named = {str(key).strip().lower(): value for key, value in parsed[0].items()}
    pair = [next((named[name] for name in names if name in named), None) for names in (LATITUDES, LONGITUDES)]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in pair):
        return None
    return float(pair[0]), float(pair[1])  # type: ignore[arg-type]


def _pairs_of_structs(table: Table, values: pl.Series) -> NDArray[np.float64]:
    fields = values.struct.unnest()
    named = {name.strip().lower(): name for name in fields.columns}
    chosen = [next((named[name] for name in names if name in named), None) for names in (LATITUDES, LONGITUDES)]
    if None in chosen:
        raise _no_location(table, values.name, f"its mappings hold {', '.join(fields.columns)}", None)
    columns = []
    for field in chosen:
        given = fields[str(field)]
        numbers = given.cast(pl.Float64, strict=False) if not given.dtype.is_nested() else given.clear(len(given))
        bad = (numbers.is_null() & given.is_not_null()).arg_true()
        if len(bad):
            raise _no_location(table, values.name, f"{given[int(bad[0])]!r} is no number", int(bad[0]))
        columns.append(numbers.to_numpy())
    return np.stack(columns, axis=1).astype(np.float64)


def _no_location(table: Table, name: str, problem: str, row: int | None) -> DataError:
    return DataError(
        problem,
        fix="Give latitude and longitude in degrees, such as 48.1,11.5, or leave the value empty",
        source=table.source,
        column=name,
        row=row,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
