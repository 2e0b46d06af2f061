"""Columns of sets with weights: tags with scores."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.coded_values import OWNER, VALUE, WEIGHT, as_text
from attrformer.data.list_text import MULTI_SEPARATOR, parse_list
from attrformer.data.tables import Table
from attrformer.errors import DataError

_LARGEST: Final = 1e30
_ROW: Final = "row"
_FORMS: Final = (
    "Give lists of mappings with a tag and a score, a mapping of tag to score, or text such as 'a:0.5|b:0.2'"
)

Scored = list[tuple[Any, Any]]


def scores_of(table: Table, name: str, owners: NDArray[np.int64], separator: str = "") -> pl.DataFrame:
    """Every tag with its score: `owner`, `value` and `weight` (float32, above 0).

    A score of 0 or none is the same as no tag.

    Args:
        table: the table.
        name: the column: lists of mappings with a tag and a score, mappings of tag to score, or text that holds such.
        owners: int64 `[rows]`, the user or item of each row.
        separator: what stands between two tags of a text such as "a:0.5|b:0.2"; "|" where it is empty.

    Raises:
        DataError: the column holds something else, or a score is below 0, too large or no number.
    """
    values = table.frame[name]
    scored = _scored(table, values, separator)
    scores = scored[WEIGHT].fill_nan(None)
    bad = ((scores < 0) | (scores > _LARGEST)).fill_null(False).arg_true()
    if len(bad):
        place = int(bad[0])
        raise _refused(
            table,
            name,
            f"the score of '{scored[VALUE][place]}' is {scores[place]:g}",
            int(scored[_ROW][place]),
            fix="Give scores above 0, or leave the tag out",
        )
    found = scored.with_columns(
        pl.Series(OWNER, owners).gather(scored[_ROW]), as_text(scored[VALUE]).alias(VALUE), scores.cast(pl.Float32)
    )
    return found.filter((pl.col(WEIGHT) > 0) & (pl.col(VALUE) != "")).select(OWNER, VALUE, WEIGHT)


def _scored(table: Table, values: pl.Series, separator: str) -> pl.DataFrame:
    """Row, tag and score (float64), as they stand in the column."""
    dtype = values.dtype
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        frame = pl.DataFrame({_ROW: np.arange(len(values)), VALUE: values}).explode(VALUE).drop_nulls(VALUE)
        return _of_structs(table, values.name, frame)
    if isinstance(dtype, pl.Struct):
        frame = pl.DataFrame({_ROW: np.arange(len(values)), VALUE: values}).drop_nulls(VALUE)
        if any(kind.is_numeric() for kind in values.struct.schema.values()) and len(values.struct.fields) == 2:
            texts = [kind for kind in values.struct.schema.values() if kind == pl.String]
            if len(texts) == 1:
                return _of_structs(table, values.name, frame)
        return _of_mappings(table, values)
    if isinstance(dtype, pl.List) and dtype.inner == pl.Null:
        return _of_texts(table, pl.Series(values.name, [None] * len(values), dtype=pl.String), separator)
    if dtype == pl.Null or _is_text(dtype):
        return _of_texts(table, values.cast(pl.String), separator)
    if dtype.is_nested() and not isinstance(dtype, (pl.List, pl.Array)):
        return _of_rows(table, values.name, [(row, _pairs(value)) for row, value in enumerate(values.to_list())])
    raise _refused(table, values.name, f"values of type {dtype} are no tags with scores")


def _of_structs(table: Table, name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A tag and a score in each mapping: the score is the last number."""
    fields = frame[VALUE].struct.unnest()
    numeric = [field for field, kind in fields.schema.items() if kind.is_numeric()]
    if fields.width != 2 or not numeric:
        raise _refused(table, name, f"its mappings hold {', '.join(fields.columns)}, not a tag and a score")
    tag = next(field for field in fields.columns if field != numeric[-1])
    if fields[tag].dtype.is_nested():
        raise _refused(table, name, f"'{tag}' of its mappings is no text")
    found = frame.select(_ROW).with_columns(
        as_text(fields[tag]).alias(VALUE), fields[numeric[-1]].cast(pl.Float64).alias(WEIGHT)
    )
    return found.drop_nulls(VALUE)


def _of_mappings(table: Table, values: pl.Series) -> pl.DataFrame:
    """Every field of the mappings is a tag, its values are scores."""
    parts = []
    for scores in values.struct.unnest():
        if not scores.dtype.is_numeric() and scores.dtype != pl.Null:
            raise _refused(table, values.name, f"the scores of '{scores.name}' are no numbers ({scores.dtype})")
        part = pl.DataFrame({_ROW: np.arange(len(values)), WEIGHT: scores.cast(pl.Float64)}).drop_nulls(WEIGHT)
        parts.append(part.select(_ROW, pl.lit(scores.name).alias(VALUE), WEIGHT))
    empty = pl.DataFrame(schema={_ROW: pl.Int64, VALUE: pl.String, WEIGHT: pl.Float64})
    return pl.concat([empty, *parts]).sort(_ROW, maintain_order=True)


def _of_texts(table: Table, texts: pl.Series, separator: str) -> pl.DataFrame:
    read: dict[str, Scored | None] = {text: _read(text, separator) for text in texts.drop_nulls().unique()}
    rows = []
    for row, text in enumerate(texts.to_list()):
        pairs = [] if text is None else read[text]
        if pairs is None:
            raise _refused(table, texts.name, f"'{text[:40]}' is no list of tags with scores", row)
        rows.append((row, pairs))
    return _of_rows(table, texts.name, rows)


def _of_rows(table: Table, name: str, rows: list[tuple[int, Scored]]) -> pl.DataFrame:
    for row, pairs in rows:
        for tag, score in pairs:
            if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float))):
                raise _refused(table, name, f"the score of '{tag}' is {score!r}, which is no number", row)
    flat = [
        (row, str(tag), float(score))
        for row, pairs in rows
        for tag, score in pairs
        if tag is not None and score is not None and not math.isnan(score)
    ]
    return pl.DataFrame(flat, schema={_ROW: pl.Int64, VALUE: pl.String, WEIGHT: pl.Float64}, orient="row")


def _read(text: str, separator: str) -> Scored | None:
    """The tags and scores in a text; None where it holds something else."""
    text = text.strip()
    if not text:
        return []
    if text[0] in "[{(":
        values = parse_list(text)
        if values is not None:
            parts = [_pairs(value) if isinstance(value, dict) else _pair(value) for value in values]
            return None if any(part is None for part in parts) else [pair for part in parts for pair in part or ()]
    mark = separator or MULTI_SEPARATOR
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(mark.strip() or mark))):
        tag, colon, score = part.rpartition(":")
        try:
            number = float(score)
        except ValueError:
            return None
        if not colon or "_" in score:
            return None
        pairs.append((tag.strip(), number))
    return pairs


def _pairs(value: dict[Any, Any] | None) -> Scored:
    """A mapping of tags to scores, or one with a tag and a score."""
    if not value:
        return []
    texts = [field for field in value.values() if isinstance(field, str)]
    numbers = [field for field in value.values() if isinstance(field, (int, float)) and not isinstance(field, bool)]
    if len(value) == 2 and len(texts) == len(numbers) == 1:
        return [(texts[0], numbers[0])]
    return list(value.items())


def _pair(value: Any) -> Scored | None:
    if isinstance(value, (list, tuple)) and len(value) == 2 and not isinstance(value[0], (list, dict)):
        return [(value[0], value[1])]
    return None


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum))


def _refused(table: Table, name: str, problem: str, row: int | None = None, fix: str = _FORMS) -> DataError:
    return DataError(problem, fix=fix, source=table.source, column=name, row=row)
