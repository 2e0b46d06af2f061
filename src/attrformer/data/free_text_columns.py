"""Columns of free text."""

from __future__ import annotations

import polars as pl

from attrformer.data.coded_values import as_text
from attrformer.data.list_text import lists_of_texts
from attrformer.data.tables import Table
from attrformer.errors import DataError


def texts_of(table: Table, name: str) -> pl.Series:
    """The texts of a column without blanks around them, "" where missing; lists of texts are joined by blanks.

    Args:
        table: the table.
        name: the column.

    Raises:
        DataError: the column holds no text.
    """
    values = table.frame[name]
    if values.dtype == pl.String:
        lists = lists_of_texts(values)
        values = values if lists is None or lists.dtype.inner.is_nested() else lists  # type: ignore[attr-defined]
    try:
        if isinstance(values.dtype, pl.Array):
            values = values.arr.to_list()
        if isinstance(values.dtype, pl.List):
            if values.dtype.inner.is_nested():
                raise pl.exceptions.InvalidOperationError("lists of lists or mappings are no texts")
            parts = values.cast(pl.List(pl.String))
            values = parts.list.eval(pl.element().str.strip_chars()).list.join(" ", ignore_nulls=True)
        texts = as_text(values)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"values of type {table.frame[name].dtype} are no text",
            fix="Give text, declare another kind, or 'ignore'",
            source=table.source,
            column=name,
        ) from error
    return texts.fill_null("")
