"""What kind of attribute the values of a column are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from attrformer.data.attributes import AttributeKind
from attrformer.data.list_text import MULTI_SEPARATOR, lists_of_texts
from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.text_columns import profile_of
from attrformer.data.times import times_of
from attrformer.errors import DataError

PATH: Final = r"^[^<>]+>[^<]+$"
"""What a path of levels looks like; no text with tags of HTML does."""

_FEW_INTEGERS: Final = 50
_FREE_TEXT_SHARE: Final = 0.5
_FREE_TEXT_LEAST: Final = 20
_SEPARATED_SHARE: Final = 0.05
_GLANCE: Final = 200
_LARGEST_WHOLE: Final = 2**53
_QUOTED_LIST: Final = r"""^\[\s*('[^']*'|"[^"]*")\s*(,.*)?\]$"""
_ZONE: Final = r"([Zz]|\s*(UTC|GMT)|[+-]\d{2}(:?\d{2})?)"
_ISO_DATE: Final = rf"^\s*\d{{4}}-\d{{2}}-\d{{2}}([Tt ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?{_ZONE}?)?\s*$"
# A number with a sign of money, thousands or a decimal comma.
_SIGNED: Final = (
    r"^([^\d\s,.\pL\[\](){}<>-]|\pL{0,2}\p{Sc}|[A-Z]{3}|Fr\.?|kr)?\s?-?\d[\d.,' ]*\s?[^\d\s,.\[\](){}<>]{0,3}$"
)
# A day with the year last.
_DAY_FIRST: Final = r"^\s*\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})\b"
# A whole such date with a year of four digits that a date may have, unlike codes such as 12-34-5678, and a time of day.
_YEAR_LAST: Final = (
    rf"^\s*(\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./-]\s?\d{{1,2}}[./-]\s?([12]\d{{3}}|9999)\.?)"
    rf"((,?\s+|[Tt])\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?(\s*[AaPp]\.?\s?[Mm]\.?)?\s*{_ZONE}?)?\s*$"
)
_DOTTED: Final = r"^\s*\d{1,2}\."
# Latitude and longitude, both with fractions.
_PLACE: Final = r"^\s*-?\d{1,2}\.\d+\s*,\s*-?\d{1,3}\.\d+\s*$"
# Separators that a hint is given for, and the least share of texts that hold one.
_MARKS: Final = (", ", ",", "; ", ";", " / ", "/")
_HINT_SHARE: Final = 0.2
_HINT_PARTS: Final = 0.7
_PATH_SHARE: Final = 0.5


def infer_kind(values: pl.Series, *, dates: bool = False, date_order: str | None = None) -> AttributeKind | str:
    """The kind of a column's values, or the reason why they are no attribute.

    Args:
        values: the column, `[rows]`.
        dates: whether dates whose year of four digits stands last are times where their order is clear.
        date_order: what stands first in these; None: what all of them allow.
    """
    dtype, known = values.dtype, values.drop_nulls()
    if dtype.is_float():
        known = known.drop_nans()
    if dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)):
        known = known.cast(pl.String).str.strip_chars()
        known = known.filter(known != "")
    if known.is_empty():
        return "it is empty"
    if known.dtype == pl.String:
        return _kind_of_text(known, dates=dates, date_order=date_order)
    if isinstance(dtype, (pl.List, pl.Array)):
        return _kind_of_lists(known)
    if dtype.is_temporal():
        return AttributeKind.TIME if dtype in (pl.Date, pl.Datetime) else f"values of type {dtype} are not supported"
    if isinstance(dtype, pl.Struct):
        return "mappings are read where a kind is declared: 'location' for lat and lon, 'weighted' for tags with scores"
    if dtype.is_decimal():
        return AttributeKind.NUMERIC
    if dtype.is_integer() or dtype.is_float():
        # Whole numbers are the same attribute whether they are stored as integers or not.
        few = _are_whole(known) and known.n_unique() <= min(_FEW_INTEGERS, len(known) / 2)
        return AttributeKind.CATEGORICAL if few else AttributeKind.NUMERIC
    return AttributeKind.CATEGORICAL if dtype == pl.Boolean else f"values of type {dtype} are not supported"


@dataclass(frozen=True, slots=True)
class TextSigns:
    """What the texts of a part of a column look like.

    Args:
        known: how many there are.
        dates: how many are dates.
        words: how many may stand for a missing date.
        early: whether there is a date among the first.
        times: whether the dates can be read as such.
        lists: whether all are lists.
        separated: how many hold the sign between several values.
        quoted: how many are lists of texts.
    """

    known: int
    dates: int
    words: int
    early: bool
    times: bool
    lists: bool
    separated: int
    quoted: int

    @classmethod
    def of_all(cls, parts: Sequence[TextSigns]) -> TextSigns:
        """What the texts of all parts look like."""
        held = [part for part in parts if part.known]
        return cls(
            sum(part.known for part in held),
            sum(part.dates for part in held),
            sum(part.words for part in held),
            bool(held) and held[0].early,
            all(part.times for part in held),
            bool(held) and all(part.lists for part in held),
            sum(part.separated for part in held),
            sum(part.quoted for part in held),
        )

    @property
    def several_or_times(self) -> bool:
        """Whether the texts are times, lists, or hold several values each."""
        dated = self.known - (self.words if self.early else 0)
        if (self.dates and self.times and self.dates == dated) or self.lists:
            return True
        return max(self.separated, self.quoted) > _SEPARATED_SHARE * self.known


def signs_of(texts: pl.Series) -> TextSigns:
    """What the texts of a part of a column look like.

    Args:
        texts: null where missing.
    """
    known = texts.drop_nulls().str.strip_chars()
    known = known.filter(known != "")
    dates = known.filter(known.str.contains(_ISO_DATE))
    return TextSigns(
        len(known),
        len(dates),
        int(missing_among_numbers(known).sum()),
        _may_be_dates(known),
        dates.is_empty() or _are_dates(dates),
        lists_of_texts(texts) is not None,
        int(known.str.contains(MULTI_SEPARATOR, literal=True).sum()),
        int(known.str.contains(_QUOTED_LIST).sum()),
    )


def text_hint(values: pl.Series, kind: AttributeKind | str) -> str:
    """What to add to the note about a text column that seems to hold numbers, places, or several values in each text.

    Args:
        values: the column, `[rows]`.
        kind: how it was read, or why it was not.
    """
    if values.dtype != pl.String or kind in (AttributeKind.MULTI, AttributeKind.TIME, AttributeKind.VECTOR):
        return ""
    texts = values.drop_nulls()
    shape = profile_of(texts).given.type
    if shape is not None and shape.is_numeric():
        whole = "whole " if shape.is_integer() else ""
        return f"; its texts are {whole}numbers (declare 'numeric' to have them read so)"
    glance = texts.head(_GLANCE * 10)
    if not glance.is_empty() and glance.str.contains(_PLACE).all():
        return f"; its texts look like latitude and longitude (kinds={{'{values.name}': 'location'}} reads places)"
    if not glance.is_empty() and glance.str.contains(_DAY_FIRST).all():
        return (
            f"; its texts look like days (kinds={{'{values.name}': 'time'}} reads them, with --date-order where it is "
            "not clear what stands first)"
        )
    if glance.str.contains(_SIGNED).all() and glance.str.contains(r"[^\d]").any() and not glance.is_empty():
        return "; its texts look like numbers with other signs, without which they would be a numeric attribute"
    if glance.str.contains(PATH).sum() >= max(2, _PATH_SHARE * len(glance)):
        return f"; its texts look like paths of levels (kinds={{'{values.name}': 'hierarchy'}} reads every level)"
    for mark in _MARKS:
        if glance.str.contains(mark, literal=True).sum() < max(2, _HINT_SHARE * len(glance)):
            continue
        combined = texts.n_unique()
        parts = texts.unique().str.split(mark.strip()).explode().str.strip_chars().n_unique()
        if parts <= _HINT_PARTS * combined:
            return (
                f"; its {combined:,} texts seem to be {parts:,} values separated by '{mark}' "
                f"(separators={{'{values.name}': '{mark}'}} splits them)"
            )
    return ""


def _kind_of_lists(lists: pl.Series) -> AttributeKind | str:
    inner = lists.dtype.inner  # type: ignore[attr-defined]
    if inner.is_float():
        return _kind_of_number_lists(lists)
    values = lists.explode().drop_nulls()
    if values.is_empty() or (inner == pl.String and not bool((values.str.strip_chars() != "").any())):
        return "it is empty"
    listable = inner in (pl.String, pl.Boolean) or isinstance(inner, (pl.Categorical, pl.Enum))
    if listable or inner.is_integer():
        return AttributeKind.MULTI
    if inner.is_nested():
        return (
            "lists of lists or mappings are read where a kind is declared: 'hierarchy' for paths of levels, "
            "'weighted' for tags with scores"
        )
    return f"lists of {inner} are not supported"


def _kind_of_number_lists(lists: pl.Series) -> AttributeKind | str:
    """Lists of numbers with fractions are vectors where all have one length."""
    if isinstance(lists.dtype, pl.Array):
        return AttributeKind.VECTOR if len(lists.dtype.shape) == 1 else "arrays of several dimensions are not supported"
    lengths = lists.list.len()
    known = lengths.filter(lengths > 0)
    if known.is_empty():
        return "it is empty"
    if known.n_unique() == 1:
        return AttributeKind.VECTOR
    return (
        f"its lists hold {known.min()!r} to {known.max()!r} numbers, and vectors have one length (declare 'multi' if "
        "each number is a value of its own)"
    )


def _kind_of_text(known: pl.Series, *, dates: bool, date_order: str | None) -> AttributeKind | str:
    if _are_dates(known) or (dates and _are_dates(known, _YEAR_LAST, date_order)):
        return AttributeKind.TIME
    lists = lists_of_texts(known)
    if lists is not None:
        return _kind_of_lists(lists)
    if known.str.contains(MULTI_SEPARATOR, literal=True).sum() > _SEPARATED_SHARE * len(known):
        return AttributeKind.MULTI
    # Lists beside single values, as JSON lines may hold them.
    if known.str.contains(_QUOTED_LIST).sum() > _SEPARATED_SHARE * len(known):
        return AttributeKind.MULTI
    distinct = known.n_unique()
    if distinct > max(_FREE_TEXT_SHARE * len(known), _FREE_TEXT_LEAST):
        return (
            f"{distinct:,} different texts in {len(known):,} rows look like free text or ids "
            f"(kinds={{'{known.name}': 'text'}} reads its words, 'categorical' each text as a value)"
        )
    return AttributeKind.CATEGORICAL


def _are_dates(known: pl.Series, form: str = _ISO_DATE, date_order: str | None = None) -> bool:
    known = known.filter(~missing_among_numbers(known)) if _may_be_dates(known, form) else known
    if known.is_empty() or not known.head(_GLANCE).str.contains(form).all() or not known.str.contains(form).all():
        return False
    try:
        order = times_of(known, source="", date_order=date_order).date_order
    except DataError:
        return False
    # With dots the day stands first everywhere: 1.14.2019 is a number of a version, unless months are said to do so.
    return order != "month" or date_order is not None or not known.str.contains(_DOTTED).any()


def _may_be_dates(known: pl.Series, form: str = _ISO_DATE) -> bool:
    return bool(known.head(_GLANCE).str.contains(form).any())


def _are_whole(known: pl.Series) -> bool:
    if known.dtype.is_integer():
        return True
    return bool((known == known.floor()).all()) and float(known.abs().max()) < _LARGEST_WHOLE  # type: ignore[arg-type]
