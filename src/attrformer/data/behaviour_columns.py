"""From the columns of a table of interactions to behaviour attributes: numbers, and codes of categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.attribute_kinds import infer_kind
from attrformer.data.attributes import AttributeKind
from attrformer.data.list_text import lists_of_texts
from attrformer.data.missing_words import missing_among_texts
from attrformer.data.tables import Table, number_column
from attrformer.errors import DataError

MOST_VALUES: Final = 64
"""Different values that a column of categories may have; one with more is most likely free text, or an id."""

MANY_VALUES: Final = 10_000
"""Different values of a column up to which messages count them."""

EMPTY: Final = "it is empty"
"""Why a column without a value is not used."""

_LARGEST: Final = float(np.finfo(np.float32).max)


class Behaviours(NamedTuple):
    """The behaviour attributes of a table of interactions.

    Args:
        columns: float32 `[rows]` by name, NaN where missing: numbers, or codes of values.
        values: the values of each column that holds categories, by code.
        notes: how each column was read.
    """

    columns: dict[str, NDArray[np.float32]]
    values: dict[str, tuple[str, ...]]
    notes: list[str]


def read_behaviours(table: Table, kinds: Mapping[str, AttributeKind | None]) -> Behaviours:
    """The behaviour attributes, and what became of each column.

    Args:
        table: of interactions.
        kinds: declared kinds by column; None for columns to be ignored.

    Raises:
        DataError: a value does not fit the kind that is declared, or is too large a number.
    """
    found = Behaviours({}, {}, [])
    for name in table.frame.columns:
        if name in (USER, ITEM, TIMESTAMP):
            continue
        values = table.frame[name]
        kind = kinds[name] if name in kinds else _inferred(values)
        why = unused_column(values, kind) if name not in kinds else "as it is declared" if kind is None else None
        if why is not None:
            found.notes.append(unused_note(name, why))
        elif kind is AttributeKind.NUMERIC:
            found.columns[name] = short_numbers(table, number_column(table, name))
            found.notes.append(used_note(name, "a number", name in kinds))
        else:
            texts = _categories(table, values)
            labels = texts.drop_nulls().unique().sort()
            if labels.is_empty() and name not in kinds:
                # Texts without a character and words for a missing value; in a csv file the first are no values at all.
                found.notes.append(unused_note(name, EMPTY))
                continue
            if len(labels) > MOST_VALUES:
                found.notes.append(too_many_values(name, len(labels), table.source, name in kinds))
                continue
            codes = texts.replace_strict(labels, np.arange(len(labels)), default=None, return_dtype=pl.Float32)
            found.columns[name] = codes.fill_null(float("nan")).to_numpy().astype(np.float32)
            found.values[name] = tuple(labels.to_list())
            found.notes.append(used_note(name, f"a category of {len(labels)}", name in kinds))
    return found


def unused_note(name: str, why: str) -> str:
    """What is said of a column that is not read."""
    return f"column '{name}' is not used, {why}"


def used_note(name: str, what: str, declared: bool) -> str:
    """What is said of a column that is read."""
    return f"column '{name}' is read as a behaviour attribute, {what}{', as it is declared' if declared else ''}"


def too_many_values(name: str, values: int, source: str, declared: bool) -> str:
    """What is said of a column that has too many values for a category of interactions.

    Args:
        name: of the column.
        values: how many; those beyond `MANY_VALUES` need not be counted.
        source: the table, for the error.
        declared: whether its kind is.

    Raises:
        DataError: it is declared.
    """
    counted = f"{values:,}" if values <= MANY_VALUES else f"more than {MANY_VALUES:,}"
    why = f"it has {counted} different values, and a category of interactions has {MOST_VALUES} at most"
    if declared:
        raise DataError(why, fix="Declare it 'ignore', or group its values", source=source, column=name)
    return unused_note(name, why)


def _inferred(values: pl.Series) -> AttributeKind | None:
    """The kind that the values of a column speak for; None for what is neither a number nor a category."""
    if values.dtype.is_numeric():
        return AttributeKind.NUMERIC
    texts = values.dtype in (pl.String, pl.Boolean) or isinstance(values.dtype, (pl.Categorical, pl.Enum))
    if not texts or infer_kind(values) in (AttributeKind.TIME, AttributeKind.MULTI):
        return None
    if values.dtype == pl.String and lists_of_texts(values) is not None:
        # Lists that are all empty speak for no kind.
        return None
    # Free text is left out by the number of its values.
    return AttributeKind.CATEGORICAL


def _categories(table: Table, values: pl.Series) -> pl.Series:
    """The values as texts, null where missing.

    Raises:
        DataError: they are lists or something else that is no single value.
    """
    try:
        return texts_of_values(values)
    except pl.exceptions.PolarsError as error:
        raise no_categories(table, values) from error


def no_categories(table: Table, values: pl.Series) -> DataError:
    """The error for a column declared a category whose values are lists or something else that is no single value."""
    return DataError(
        f"values of type {values.dtype} are no categories",
        fix="Give one text, number or truth value for each interaction",
        source=table.source,
        column=values.name,
    )


def texts_of_values(values: pl.Series) -> pl.Series:
    """The values as texts, null where missing."""
    texts = values.cast(pl.Float64) if values.dtype.is_float() else values
    if texts.dtype.is_float() and bool((texts.drop_nulls().drop_nans() % 1 == 0).all()):
        # 1.0 beside a gap is the 1 of the same table in a library that has whole numbers with gaps.
        texts = texts.fill_nan(None).cast(pl.Int64, strict=False)
    texts = texts.cast(pl.String)
    if values.dtype == pl.String:
        texts = texts.str.strip_chars()
        texts = texts.set(missing_among_texts(texts) | (texts == ""), None)
    return texts


def short_numbers(table: Table, numbers: pl.Series) -> NDArray[np.float32]:
    """Numbers of single precision, NaN where missing."""
    large = (numbers.abs() > _LARGEST).fill_null(False).arg_true()
    if len(large):
        raise DataError(
            f"{numbers[int(large[0])]} is too large for a behaviour attribute",
            fix=f"Correct the value, or leave the column out: kinds={{'interactions.{numbers.name}': 'ignore'}}",
            source=table.source,
            column=numbers.name,
            row=int(large[0]),
        )
    return numbers.fill_null(float("nan")).to_numpy().astype(np.float32)


def unused_column(values: pl.Series, kind: AttributeKind | None) -> str | None:
    """Why a column that is not declared is no behaviour attribute; None where it is one."""
    if values.null_count() == len(values) or (
        values.dtype.is_float() and values.fill_nan(None).null_count() == len(values)
    ):
        return EMPTY
    if kind is None:
        return "a behaviour attribute has to be a number or a category"
    if after_the_fact(values.name):
        return declare_to_use(values.name, "interactions")
    return None


def declare_to_use(name: str, table: str) -> str:
    """Why a column that is computed after the fact is left out, and how to have it read."""
    return (
        "by its name it is computed after the interactions, from them, and would know of those to be predicted "
        f"(kinds={{'{table}.{name}': 'numeric'}} reads it)"
    )
