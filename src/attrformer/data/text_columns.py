"""Columns of text files: the numbers, booleans and gaps that their texts stand for."""

from __future__ import annotations

from typing import Final

import polars as pl

from attrformer.data.missing_words import kept_as_code, missing_among_numbers, missing_among_texts

WHOLE: Final = r"^(0|-?[1-9][0-9]*)$"
"""A whole number in the one way to write it, which an id has to have to be a number."""

_INTEGER: Final = r"^[+-]?(0|[1-9][0-9]*)$"
_FLOAT: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?([iI]nf|INF)$"
_LEADING_ZERO: Final = r"^[+-]?0[0-9]"
_BOOLEANS: Final = pl.Series(["true", "false"])
_SHOWN: Final = 3
_GLANCE: Final = 200


def typed_column(column: pl.Series) -> tuple[pl.Series, str | None]:
    """A column of a text file with the type that all its values have, and a sentence where words were read as missing.

    Digits with a leading zero (post codes, product codes) and integers that do not fit into 64 bits stay text.

    Args:
        column: texts as they stand in the file.
    """
    column = column.set(column == "", None)
    if column.null_count() == len(column):
        return column, None
    found = _typed(column)
    if found is not None:
        return found, None
    bare = column.str.strip_chars()
    words = missing_among_numbers(bare)
    found = _typed(bare.set(words, None)) if bool(words.any()) or not bare.equals(column) else None
    if found is None:
        words = missing_among_texts(bare)
        found = bare.set(words | (bare == ""), None)
    return found, _told(column.name, bare, words)


def is_whole(texts: pl.Series) -> bool:
    """Whether every text is a whole number of 64 bits, in the one way to write it."""
    if not bool(texts.head(_GLANCE).str.contains(WHOLE).all()):
        return False
    return bool(texts.str.contains(WHOLE).all()) and texts.cast(pl.Int64, strict=False).null_count() == 0


def _typed(column: pl.Series) -> pl.Series | None:
    """The column as integers, numbers or booleans; None where some value is none of them."""
    known = column.drop_nulls()
    if known.is_empty():
        return column
    if _all(known, _INTEGER):
        return _cast(column, pl.Int64())
    if _all(known, _FLOAT):
        return None if bool(known.str.contains(_LEADING_ZERO).any()) else _cast(column, pl.Float64())
    lower = known.head(_GLANCE).str.to_lowercase().is_in(_BOOLEANS.implode()).all()
    if lower and known.str.to_lowercase().is_in(_BOOLEANS.implode()).all():
        return column.str.to_lowercase() == "true"
    return None


def _all(known: pl.Series, pattern: str) -> bool:
    """Whether all texts match; most columns that do not show it in their first rows."""
    return bool(known.head(_GLANCE).str.contains(pattern).all()) and bool(known.str.contains(pattern).all())


def _cast(column: pl.Series, kind: pl.DataType) -> pl.Series | None:
    plain = column.str.strip_prefix("+")
    numbers = plain.cast(kind, strict=False)
    return numbers if numbers.null_count() == column.null_count() else None


def _told(name: str, texts: pl.Series, words: pl.Series) -> str | None:
    """What is said of a column in which words were read as missing, or could have been."""
    counted = texts.filter(words & (texts != ""))
    if len(counted):
        some = ", ".join(f"'{word}'" for word in counted.unique().sort().head(_SHOWN))
        return f"column '{name}': {some} read as missing in {len(counted):,} rows"
    if kept_as_code(texts):
        return f"column '{name}': 'NA' is read as a value, since all others are codes of two letters as well"
    return None
