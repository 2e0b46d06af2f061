"""From the columns of an items or users table to attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.attribute_kinds import infer_kind, text_hint
from attrformer.data.attributes import (
    CODED_KINDS,
    LEVEL_SEPARATOR,
    NUMBER_KINDS,
    VECTOR_KINDS,
    Attribute,
    AttributeKind,
)
from attrformer.data.coded_values import OWNER, VALUE, as_text, coded_attribute
from attrformer.data.free_text_columns import texts_of
from attrformer.data.hierarchy_columns import levels_of
from attrformer.data.list_text import lists_of_texts, split_texts
from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.tables import Table, number_column
from attrformer.data.times import form_of_dates, times_of
from attrformer.data.vector_columns import locations_of, vectors_of
from attrformer.data.weighted_columns import scores_of
from attrformer.errors import DataError

_LARGEST: Final = 1e150


def attributes_of(
    table: Table,
    names: list[str],
    codes: NDArray[np.int32],
    count: int,
    kinds: Mapping[str, AttributeKind | None],
    separators: Mapping[str, str],
) -> tuple[dict[str, Attribute], list[str]]:
    """The attributes that a table holds, and sentences that say how it was read.

    Args:
        table: one row for each user or item.
        names: the columns to read, in order.
        codes: int32 `[rows]`, the user or item of each row; -1 where it is unknown and the row is not used.
        count: how many users or items there are.
        kinds: declared kinds by column, None for columns to be ignored; the others are inferred, and only those can be
            skipped.
        separators: declared separators by column; what has one is multi-valued.

    Raises:
        DataError: a value does not fit the kind of its column.
    """
    found: dict[str, Attribute] = {}
    notes: list[str] = []
    used = pl.Series(codes >= 0)
    declared = {**dict.fromkeys(separators, AttributeKind.MULTI), **kinds}
    for name in names:
        values, separator = table.frame[name].filter(used), separators.get(name, "")
        kind = _kind_of(values, declared, table.date_order)
        attribute = None
        if isinstance(kind, AttributeKind):
            _check_separator(table, name, separator)
            attribute = attribute_from_column(table, name, kind, codes, count, separator)
            if name not in declared and _is_constant(attribute, values):
                kind = "its value is the same everywhere"
        hint = "" if name in declared else text_hint(values, kind)
        if attribute is None or not isinstance(kind, AttributeKind):
            notes.append(f"{table.label}: column '{name}' is not used, {kind}{hint}")
            continue
        found[name] = attribute
        told = ", as it is declared" if name in kinds else ""
        notes.append(f"{table.label}: column '{name}' is read as {_said(attribute, values)}{told}{hint}")
    return found, notes


def attribute_from_column(
    table: Table, name: str, kind: AttributeKind, codes: NDArray[np.int32], count: int, separator: str = ""
) -> Attribute:
    """One attribute of a declared or inferred kind.

    Args:
        table: one row for each user or item.
        name: the column.
        kind: how its values are read.
        codes: int32 `[rows]`, the user or item of each row; -1 where the row is not used.
        count: how many users or items there are.
        separator: what stands between the values of a text; where it is empty, `|` for several values and tags, `>`
            for levels, and a comma for numbers.

    Raises:
        DataError: a value does not fit the kind.
    """
    table = table if kind in NUMBER_KINDS else _without_type_where_empty(table, name)
    if kind in CODED_KINDS:
        owners = codes.astype(np.int64)
        if kind is AttributeKind.HIERARCHY:
            values = levels_of(table, name, owners, separator)
        elif kind is AttributeKind.WEIGHTED:
            values = scores_of(table, name, owners, separator)
        else:
            values = _owner_value_pairs(table, name, kind, owners, separator)
        return coded_attribute(name, kind, values.filter(pl.col(OWNER) >= 0), count, separator)
    used = codes >= 0
    bare = Attribute(name, kind, np.zeros(count + 1, np.int64), np.empty(0, np.int32), (), np.empty(0), separator)
    if kind is AttributeKind.TEXT:
        texts = np.full(count, "", dtype=object)
        texts[codes[used]] = texts_of(table, name).to_numpy()[used]
        return replace(bare, texts=tuple(texts.tolist()))
    if kind in VECTOR_KINDS:
        read = locations_of if kind is AttributeKind.LOCATION else vectors_of
        # What stands in rows that are not used has decided nothing.
        kept = table.frame.select(pl.when(pl.Series(used)).then(pl.col(name)).alias(name))
        rows = read(replace(table, frame=kept), name, separator)
        vectors = np.full((count, rows.shape[1]), np.nan, np.float32)
        vectors[codes[used]] = rows[used]
        return replace(bare, vectors=vectors)
    if kind is AttributeKind.TIME:
        times = times_of(table.frame[name], source=table.source, missing=True, date_order=table.date_order)
        numbers, bare = times.seconds, replace(bare, date_order=times.date_order)
    else:
        numbers = _within_range(table, number_column(table, name)).fill_null(float("nan")).to_numpy()
    placed = np.full(count, np.nan)
    placed[codes[used]] = numbers[used]
    return replace(bare, numbers=placed)


def _without_type_where_empty(table: Table, name: str) -> Table:
    """The same table, where an empty column has no type: pandas calls its values numbers or times."""
    values = table.frame[name]
    if values.null_count() < len(values) or not (values.dtype.is_numeric() or values.dtype.is_temporal()):
        return table
    return replace(table, frame=table.frame.with_columns(pl.Series(name, [None] * len(values))))


def _within_range(table: Table, numbers: pl.Series) -> pl.Series:
    """The numbers, unless one is so large that a mean or a distance overflows.

    Raises:
        DataError: one is.
    """
    large = (numbers.abs() > _LARGEST).fill_null(False).arg_true()
    if len(large):
        raise DataError(
            f"{numbers[int(large[0])]} is too large for an attribute",
            fix="Correct the value, or leave it empty where it stands for an unknown one",
            source=table.source,
            column=numbers.name,
            row=int(large[0]),
        )
    return numbers


def _kind_of(
    values: pl.Series, declared: Mapping[str, AttributeKind | None], date_order: str | None
) -> AttributeKind | str:
    """The declared or inferred kind of a column, or why it is not used."""
    if values.name in declared:
        return declared[values.name] or "as it is declared"
    if after_the_fact(values.name):
        return (
            "by its name it is computed after the interactions, from them, and would know of those to be predicted "
            f"(declare a kind to use it: kinds={{'{values.name}': 'numeric'}})"
        )
    return infer_kind(values, dates=True, date_order=date_order)


def _said(attribute: Attribute, values: pl.Series) -> str:
    """What a column became, in words."""
    size = f" with {len(attribute.vocabulary):,} values" if attribute.vocabulary else ""
    if attribute.kind is AttributeKind.VECTOR:
        return f"{attribute.kind.value} of {attribute.vectors.shape[1]:,} numbers"
    if attribute.kind is AttributeKind.HIERARCHY:
        depth = max((value.count(LEVEL_SEPARATOR) + 1 for value in attribute.vocabulary), default=0)
        return f"{attribute.kind.value}{size} in {depth} levels"
    if attribute.kind in (AttributeKind.LOCATION, AttributeKind.TEXT, AttributeKind.WEIGHTED):
        return f"{attribute.kind.value}{size}"
    text = values.dtype == pl.String
    if not text or attribute.kind is AttributeKind.NUMERIC:
        return f"{attribute.kind.value}{size}"
    if attribute.kind is AttributeKind.TIME:
        words = int((missing_among_numbers(values.str.strip_chars()) & (values.str.strip_chars() != "")).sum())
        form = form_of_dates(attribute.date_order) if attribute.date_order else "dates"
        return f"{attribute.kind.value}, its texts are {form}{f', {words:,} say that it is missing' if words else ''}"
    if attribute.kind is AttributeKind.MULTI:
        listed = not attribute.separator and lists_of_texts(values) is not None
        return f"{attribute.kind.value}{size}, {'its texts are lists' if listed else _split_at(attribute)}"
    blank = int((values != values.str.strip_chars()).sum())
    return f"{attribute.kind.value}{size}{f', without the blanks around {blank:,} texts' if blank else ''}"


def _split_at(attribute: Attribute) -> str:
    return f"its texts are split at '{attribute.separator or '|'}'"


def _check_separator(table: Table, name: str, separator: str) -> None:
    kind = table.frame[name].dtype
    if separator and kind not in (pl.String, pl.Null) and not isinstance(kind, (pl.Categorical, pl.Enum)):
        raise DataError(
            f"a separator is given, and the column holds no text ({kind})",
            fix="Leave it out of separators=",
            source=table.source,
            column=name,
        )


def _owner_value_pairs(
    table: Table, name: str, kind: AttributeKind, owners: NDArray[np.int64], separator: str
) -> pl.DataFrame:
    """One row for each value of each user or item, as text without blanks around it."""
    values = table.frame[name]
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        values = values.cast(pl.String)
    if kind is AttributeKind.MULTI and values.dtype == pl.String:
        values = split_texts(values, separator)
    frame = pl.DataFrame({OWNER: owners, VALUE: values})
    if isinstance(values.dtype, pl.List):
        frame = frame.explode(VALUE)
    try:
        texts = as_text(frame[VALUE])
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"values of type {values.dtype} are no {kind.value} attribute",
            fix="Declare another kind, or 'ignore'",
            source=table.source,
            column=name,
        ) from error
    return frame.with_columns(texts.alias(VALUE)).filter(pl.col(VALUE).str.len_bytes() > 0)


def _is_constant(attribute: Attribute, values: pl.Series) -> bool:
    values = values.fill_nan(None) if values.dtype.is_float() else values
    if values.null_count() or len(values) < 2:
        return False
    if attribute.kind in NUMBER_KINDS:
        return values.n_unique() == 1
    if attribute.kind in VECTOR_KINDS:
        return bool((attribute.vectors[attribute.known] == attribute.vectors[attribute.known][:1]).all())
    return len(attribute.vocabulary) == 0 or (len(attribute.vocabulary) == 1 and len(attribute.codes) == len(values))
