"""The words that R, pandas, MySQL, Spark, Excel and others write where a value is missing."""

from __future__ import annotations

from typing import Final

import polars as pl

SURE_WORDS: Final = (
    "NaN", "nan", "NAN", "-nan", "-NaN", "<NA>", "NaT", "null", "NULL", "Null", "(null)", "\\N", "N/A", "n/a", "#N/A",
    "#N/A N/A", "#NA", "#NULL!", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "1.#IND", "-1.#IND", "1.#QNAN",
    "-1.#QNAN",
)  # fmt: skip
"""No value of a categorical column is called so."""

UNSURE_WORDS: Final = ("NA", "None")
"""May be values as well: `NA` is the code of Namibia and of North America."""

NUMBER_WORDS: Final = (
    "na", "none", "NONE", "nil", "missing", "MISSING", ".", "-", "--", "?", "unknown", "Unknown", "UNKNOWN",
    "0000-00-00", "0000-00-00 00:00:00",
)  # fmt: skip
"""Missing among numbers, words like any other among texts."""

CODE: Final = r"^[A-Z]{2}$"
"""What a code of two letters, such as that of a country, looks like."""

LEAST_CODES: Final = 2
"""So many different codes make `NA` another one."""


def missing_among_numbers(texts: pl.Series) -> pl.Series:
    """Where a text column that should hold numbers or times has no value: bool `[rows]`, false where it is null."""
    words = pl.Series([*SURE_WORDS, *UNSURE_WORDS, *NUMBER_WORDS])
    return (texts.is_in(words.implode()) | (texts == "")).fill_null(False)


def missing_among_texts(texts: pl.Series) -> pl.Series:
    """Where a text column that holds words has no value: bool `[rows]`, false where it is null."""
    words = [*SURE_WORDS, *UNSURE_WORDS]
    if _holds_codes(texts):
        words.remove("NA")
    return texts.is_in(pl.Series(words).implode()).fill_null(False)


def _holds_codes(texts: pl.Series) -> bool:
    """Whether all values but certainly missing ones and `NA` are codes of two capital letters, such as countries."""
    distinct = texts.drop_nulls().unique()
    others = distinct.filter(~distinct.is_in(pl.Series([*SURE_WORDS, *UNSURE_WORDS, ""]).implode()))
    return len(others) >= LEAST_CODES and bool(others.str.contains(CODE).all())
