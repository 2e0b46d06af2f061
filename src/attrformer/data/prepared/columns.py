"""Columns of interactions besides user, item and time, a part at a time: what of each part decides about the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.attribute_kinds import TextSigns, signs_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.behaviour_columns import (
    EMPTY,
    MANY_VALUES,
    MOST_VALUES,
    declare_to_use,
    no_categories,
    short_numbers,
    texts_of_values,
    too_many_values,
    unused_note,
    used_note,
)
from attrformer.data.tables import Table, number_column

# More than there are words for a missing value, which are none of the values.
_SPARE: Final = 100
_NEITHER: Final = "a behaviour attribute has to be a number or a category"


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """What a part of a column says.

    Args:
        kind: "number", "text", "label" (categories, and truth values) or "other", by the type of the column.
        empty: whether every value is missing.
        values: its different values, in the order in which they first stand there; None where they are too many, or
            not asked for.
        signs: what its texts look like; None where it has none.
    """

    kind: str
    empty: bool
    values: tuple[str | float, ...] | None = None
    signs: TextSigns | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A behaviour attribute of the whole table.

    Args:
        name: of the column.
        labels: its values by code; None where it is a number.
        codes: the code of each value as it stands in the table; none where it is missing.
    """

    name: str
    labels: tuple[str, ...] | None = None
    codes: Mapping[str | float, int] | None = None


def survey_column(
    table: Table, name: str, kinds: Mapping[str, AttributeKind | None]
) -> tuple[ColumnPart, NDArray[np.float32] | None]:
    """What a part of a column says, and its numbers or the places of its values among those of the part.

    Args:
        table: a part of the interactions.
        name: the column.
        kinds: declared kinds by column; None for columns to be ignored.

    Returns:
        What it says; float32 `[rows]`, NaN where missing, or None where the column is not used whatever else it holds.

    Raises:
        DataError: a value does not fit the kind that is declared, or is too large a number.
    """
    values = table.frame[name]
    missing = values.fill_nan(None) if values.dtype.is_float() else values
    kind = _kind_of(values.dtype)
    part = ColumnPart(kind, missing.null_count() == len(values))
    declared = kinds.get(name)
    if (name in kinds and declared is None) or (name not in kinds and (kind == "other" or after_the_fact(name))):
        return part, None
    if declared is AttributeKind.NUMERIC or (name not in kinds and kind == "number"):
        return part, short_numbers(table, number_column(table, name))
    signs = signs_of(values.cast(pl.String)) if kind in ("text", "label") else None
    plain = _plain(table, values)
    distinct = plain.drop_nulls().unique(maintain_order=True)
    if len(distinct) > MANY_VALUES + _SPARE:
        return ColumnPart(kind, part.empty, None, signs), None
    places = plain.replace_strict(distinct, np.arange(len(distinct)), default=None, return_dtype=pl.Float32)
    found = ColumnPart(kind, part.empty, tuple(distinct.to_list()), signs)
    return found, places.fill_null(float("nan")).to_numpy().astype(np.float32)


def _kind_of(dtype: pl.DataType) -> str:
    if dtype == pl.String:
        return "text"
    if dtype.is_numeric():
        return "number"
    return "label" if dtype == pl.Boolean or isinstance(dtype, (pl.Categorical, pl.Enum)) else "other"


def _plain(table: Table, values: pl.Series) -> pl.Series:
    """The values as floating-point numbers where they are such, as texts without blanks around them elsewhere."""
    if values.dtype.is_float():
        return values.cast(pl.Float64).fill_nan(None)
    try:
        return values.str.strip_chars() if values.dtype == pl.String else values.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise no_categories(table, values) from error


def decide_column(
    name: str, parts: list[ColumnPart], source: str, kinds: Mapping[str, AttributeKind | None]
) -> tuple[Column | None, str]:
    """What a column is read as, and the note about it.

    Args:
        name: the column.
        parts: what its parts say, in order.
        source: the table, for errors.
        kinds: declared kinds by column; None for columns to be ignored.

    Returns:
        None in place of the column where it is not used.

    Raises:
        DataError: it is declared a category and has too many values.
    """
    told = name in kinds
    declared, kind = kinds.get(name), parts[0].kind
    if told and declared is None:
        return None, unused_note(name, "as it is declared")
    if not told:
        if all(part.empty for part in parts):
            return None, unused_note(name, EMPTY)
        signs = [part.signs for part in parts if part.signs is not None]
        if kind == "other" or (signs and TextSigns.of_all(signs).several_or_times):
            return None, unused_note(name, _NEITHER)
        if after_the_fact(name):
            return None, unused_note(name, declare_to_use(name, "interactions"))
    if declared is AttributeKind.NUMERIC or (not told and kind == "number"):
        return Column(name), used_note(name, "a number", told)
    values = None if any(part.values is None for part in parts) else _all_values(parts)
    if values is None:
        return None, too_many_values(name, MANY_VALUES + 1, source, told)
    plain = pl.Series(name, values, dtype=None if values else pl.String)
    texts = texts_of_values(plain) if kind == "text" or plain.dtype.is_float() else plain
    labels = texts.drop_nulls().unique().sort()
    if not len(labels) and not told:
        return None, unused_note(name, EMPTY)
    if len(labels) > MOST_VALUES:
        return None, too_many_values(name, len(labels), source, told)
    places = {label: code for code, label in enumerate(labels)}
    codes = {value: places[text] for value, text in zip(values, texts, strict=True) if text is not None}
    return Column(name, tuple(labels), codes), used_note(name, f"a category of {len(labels)}", told)


def _all_values(parts: list[ColumnPart]) -> list[str | float] | None:
    values: dict[str | float, None] = {}
    for part in parts:
        values.update(dict.fromkeys(part.values or ()))
        if len(values) > MANY_VALUES + _SPARE:
            return None
    return list(values)


def recode(found: NDArray[np.float32], part: ColumnPart, column: Column) -> NDArray[np.float32]:
    """The column of a part as it stands in the dataset: numbers, or codes of the whole.

    Args:
        found: what `survey_column` gave.
        part: what it said.
        column: what was decided.
    """
    if column.codes is None:
        return found
    codes = np.array([*(column.codes.get(value, np.nan) for value in part.values or ()), np.nan], dtype=np.float32)
    return codes[np.where(np.isnan(found), len(codes) - 1, found).astype(np.int64)]
