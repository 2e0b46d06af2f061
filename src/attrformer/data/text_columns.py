"""Columns of text files: the numbers, booleans and gaps that their texts stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from attrformer.data.missing_words import CODE, LEAST_CODES, SURE_WORDS, UNSURE_WORDS, missing_among_numbers

WHOLE: Final = r"^(0|-?[1-9][0-9]*)$"
"""A whole number in the one way to write it, which an id has to have to be a number."""

_INTEGER: Final = r"^[+-]?(0|[1-9][0-9]*)$"
_FLOAT: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?([iI]nf|INF)$"
_COMMA: Final = r"\d,\d"
# Where commas are said to stand before fractions, a point stands between thousands: `1.234` is no fraction.
_MARK: Final = r"\d[.,]\d"
# With points between thousands, or none.
_DECIMAL: Final = r"^[+-]?([0-9]+|[1-9][0-9]{0,2}(\.[0-9]{3})+)(,[0-9]+)?$"
# A comma that does not stand between thousands: `1,5`, `0,125`, `1234,567` and `1.234,567`, unlike `1,234`.
_FRACTION: Final = r"^[+-]?(.*,([0-9]{1,2}|[0-9]{4,})|0+,.*|[0-9]{4,},.*|.*\..*,.*)$"
_LEADING_ZERO: Final = r"^[+-]?0[0-9]"
_BOOLEANS: Final = pl.Series(["true", "false"])
_SHOWN: Final = 3
_GLANCE: Final = 200
_FEW: Final = 40


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a set of texts has the shape of; all of it is true of no texts.

    Args:
        none: there are no texts.
        integer: all are whole numbers.
        fits: those that are whole numbers where all of their part are fit into 64 bits.
        number: all are numbers.
        readable: all that look like numbers can be read as such.
        padded: some begin with a zero and another digit, as post codes do.
        truth: all are true or false.
        comma: all are numbers with at most one comma before the fraction, and points between thousands alone.
        fraction: some have a comma that cannot stand between thousands.
    """

    none: bool = True
    integer: bool = True
    fits: bool = True
    number: bool = True
    readable: bool = True
    padded: bool = False
    truth: bool = True
    comma: bool = True
    fraction: bool = False

    def __or__(self, other: Shapes) -> Shapes:
        return Shapes(
            self.none and other.none,
            self.integer and other.integer,
            self.fits and other.fits,
            self.number and other.number,
            self.readable and other.readable,
            self.padded or other.padded,
            self.truth and other.truth,
            self.comma and other.comma,
            self.fraction or other.fraction,
        )

    @property
    def type(self) -> pl.DataType | None:
        """The type that all of the texts have; None where that is text."""
        if self.none:
            return pl.String()
        if self.integer:
            return pl.Int64() if self.fits else None
        if self.number:
            return None if self.padded or not self.readable else pl.Float64()
        return pl.Boolean() if self.truth else None


@dataclass(frozen=True, slots=True)
class TextProfile:
    """What decides how a column of texts is read; the profiles of parts add up to that of the whole.

    Args:
        given: the shapes of the texts as they stand there.
        bare: their shapes without blanks around them and words for a missing value.
        bared: whether there are such blanks or words.
        words: how often each word occurs that is, or may be, one for a missing value.
        codes: the other texts as long as all of them are codes of two capital letters; else None.
        commas: whether numbers with decimal commas are read as such.
        told: whether that is said of every comma, not only of those that can be nothing else.
        shown: a number with a decimal comma as it stands there, or with a point between thousands where decimal commas
            are told; empty where there is none.
    """

    given: Shapes = Shapes()
    bare: Shapes = Shapes()
    bared: bool = False
    words: Mapping[str, int] = field(default_factory=dict)
    codes: frozenset[str] | None = frozenset()
    commas: bool = False
    told: bool = False
    shown: str = ""

    def __or__(self, other: TextProfile) -> TextProfile:
        words = {word: self.words.get(word, 0) + other.words.get(word, 0) for word in {*self.words, *other.words}}
        codes = None if self.codes is None or other.codes is None else self.codes | other.codes
        shapes = self.given | other.given, self.bare | other.bare, self.bared or other.bared
        commas = self.commas or other.commas, self.told or other.told, self.shown or other.shown
        return TextProfile(*shapes, words, codes, *commas)

    @property
    def decimals(self) -> bool:
        """Whether the column holds numbers with decimal commas."""
        if not (self.commas and self.shown and self.bare.comma):
            return False
        plain = self.given.type is None and not (self.bared and self.bare.type is not None)
        return self.told or (plain and self.bare.fraction)

    @property
    def way(self) -> tuple[str, str]:
        """How `column_as` reads a column."""
        if self.decimals:
            return "commas", str(pl.Float64())
        if self.given.type is not None:
            return "given", str(self.given.type)
        if self.bared and self.bare.type is not None:
            return "bare", str(self.bare.type)
        return "text", str(self.holds_codes)

    @property
    def holds_codes(self) -> bool:
        """Whether `NA` would be a code like all other texts."""
        return self.codes is not None and len(self.codes) >= LEAST_CODES


def profile_of(column: pl.Series, *, commas: bool = False, told: bool = False) -> TextProfile:
    """What a column of a text file, or a part of it, says about how it is to be read.

    Args:
        column: texts as they stand in the file.
        commas: whether numbers may have decimal commas.
        told: whether it is said that they do.
    """
    profile = replace(_profile_of(column), commas=commas, told=told)
    if not commas or not profile.bare.comma or (profile.given.type is not None and not told):
        return profile
    shown = column.filter(column.str.contains(_MARK if told else _COMMA).fill_null(False))
    return replace(profile, shown=shown[0].strip()) if len(shown) else profile


def _profile_of(column: pl.Series) -> TextProfile:
    known = column.filter((column != "").fill_null(False))
    if known.head(_GLANCE).n_unique() <= _FEW:
        counts = known.value_counts(name="rows")
        return _profile(counts[column.name], counts["rows"])
    return _profile(known)


def _profile(known: pl.Series, rows: pl.Series | None = None) -> TextProfile:
    """What texts say, none of which is missing; `rows` says how often each stands there, if not once."""
    given = _shapes(known)
    if given.none:
        return TextProfile()
    if given.type is not None:
        # Numbers have no blanks around them, and are no words.
        return TextProfile(given, given, codes=None)
    bare = known.str.strip_chars()
    words = missing_among_numbers(bare)
    unclear = bare.is_in(pl.Series([*SURE_WORDS, *UNSURE_WORDS, ""]).implode())
    others = bare.filter(~unclear).unique()
    codes = frozenset(others.to_list()) if bool(others.str.contains(CODE).all()) else None
    counted: dict[str, int] = {}
    held = words & (bare != "")
    repeats = pl.repeat(1, len(bare), eager=True) if rows is None else rows
    for word, count in zip(bare.filter(held), repeats.filter(held), strict=True):
        counted[word] = counted.get(word, 0) + count
    return TextProfile(given, _shapes(bare.filter(~words)), bool(words.any()) or not bare.equals(known), counted, codes)


def column_as(column: pl.Series, profile: TextProfile) -> pl.Series:
    """A column of a text file, or a part of it, read as the profile of the whole says.

    Args:
        column: texts as they stand in the file.
        profile: of all of its texts.
    """
    column = column.set(column == "", None)
    if profile.given.type is not None and not profile.decimals:
        return _cast(column, profile.given.type)
    bare = column.str.strip_chars()
    if profile.decimals:
        plain = bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        return _cast(plain.set(missing_among_numbers(bare), None), pl.Float64())
    if profile.bared and profile.bare.type is not None:
        return _cast(bare.set(missing_among_numbers(bare), None), profile.bare.type)
    words = [*SURE_WORDS, *UNSURE_WORDS, ""]
    if profile.holds_codes:
        words.remove("NA")
    return bare.set(bare.is_in(pl.Series(words).implode()).fill_null(False), None)


def told_of(name: str, profile: TextProfile) -> str | None:
    """What is said of a column in which words were read as missing, or could have been.

    Args:
        name: of the column.
        profile: of all of its texts.
    """
    if profile.given.type is not None and not profile.decimals:
        return None
    if profile.decimals:
        count = sum(profile.words.values())
        words = f", {count:,} rows say that it is missing" if count else ""
        return f"column '{name}': numbers with decimal commas, such as '{profile.shown}'{words}"
    if profile.commas and profile.bare.comma and profile.shown:
        return (
            f"column '{name}': '{profile.shown}' may have a decimal comma or one between thousands, and is read as "
            "text (--decimal comma, in Python decimal='comma', reads such numbers)"
        )
    numbers = profile.bared and profile.bare.type is not None
    missing = {*SURE_WORDS, *UNSURE_WORDS} - ({"NA"} if profile.holds_codes else set())
    counted = {word: count for word, count in profile.words.items() if numbers or word in missing}
    if counted:
        some = ", ".join(f"'{word}'" for word in sorted(counted)[:_SHOWN])
        return f"column '{name}': {some} read as missing in {sum(counted.values()):,} rows"
    if profile.holds_codes and "NA" in profile.words:
        return f"column '{name}': 'NA' is read as a value, since all others are codes of two letters as well"
    return None


def typed_column(column: pl.Series) -> tuple[pl.Series, str | None]:
    """A column of a text file with the type that all its values have, and a sentence where words were read as missing.

    Digits with a leading zero (post codes, product codes) and integers that do not fit into 64 bits stay text.

    Args:
        column: texts as they stand in the file.
    """
    profile = profile_of(column)
    return column_as(column, profile), told_of(column.name, profile)


def is_whole(texts: pl.Series) -> bool:
    """Whether every text is a whole number of 64 bits, in the one way to write it."""
    if not bool(texts.head(_GLANCE).str.contains(WHOLE).all()):
        return False
    return bool(texts.str.contains(WHOLE).all()) and texts.cast(pl.Int64, strict=False).null_count() == 0


def _shapes(known: pl.Series) -> Shapes:
    """The shapes of texts none of which is missing."""
    if known.is_empty():
        return Shapes()
    integer = _all(known, _INTEGER)
    number = integer or _all(known, _FLOAT)
    fits = not integer or _fits(known, pl.Int64())
    readable = not number or integer or _fits(known, pl.Float64())
    padded = number and not integer and bool(known.str.contains(_LEADING_ZERO).any())
    truth = not number and all(
        bool(some.str.to_lowercase().is_in(_BOOLEANS.implode()).all()) for some in (known.head(_GLANCE), known)
    )
    comma = integer or (not truth and _all(known, _DECIMAL))
    fraction = comma and not number and bool(known.str.contains(_FRACTION).any())
    return Shapes(False, integer, fits, number, readable, padded, truth, comma, fraction)


def _all(known: pl.Series, pattern: str) -> bool:
    """Whether all texts match; most columns that do not show it in their first rows."""
    return bool(known.head(_GLANCE).str.contains(pattern).all()) and bool(known.str.contains(pattern).all())


def _fits(known: pl.Series, kind: pl.DataType) -> bool:
    return known.str.strip_prefix("+").cast(kind, strict=False).null_count() == 0


def _cast(column: pl.Series, kind: pl.DataType) -> pl.Series:
    if kind == pl.Boolean:
        return column.str.to_lowercase() == "true"
    found = column.cast(kind, strict=False)
    # Numbers with a sign that polars does not read are few, and to look for it in all takes longer than to read them.
    return found if found.null_count() == column.null_count() else column.str.strip_prefix("+").cast(kind, strict=False)
