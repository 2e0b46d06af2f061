"""Findings about columns that describe items, users and interactions: what their values look like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from attrformer.columns import ITEM, TIMESTAMP, TITLE, USER
from attrformer.data.attributes import AttributeKind
from attrformer.data.check.findings import Finding, Severity
from attrformer.data.check.subject import Subject
from attrformer.data.check.text import percent

INDEX_NAMES: Final = frozenset({"", "index", "level_0", "unnamed: 0", "unnamed:_0", "__index_level_0__", "rownames"})
MISSING_WORDS: Final = ("na", "n/a", "nan", "null", "none", "nil", "-", "?", "unknown", "undefined", "missing")

MANY: Final = 20
"""Rows below which nothing is said of what most values look like."""

MOST: Final = 0.9
MOSTLY_MISSING: Final = 0.8
SEPARATED: Final = 0.2
"""Share of the texts with a separator from which they may be lists."""

_NO_NUMBERS: Final = (AttributeKind.TEXT, AttributeKind.HIERARCHY, AttributeKind.WEIGHTED, AttributeKind.LOCATION)
_SEPARATORS: Final = (", ", "; ", " | ", ",", ";", "/")
_NUMBER: Final = r"^\s*[$€£¥]?\s*[+-]?(\d{1,3}([,.]\d{3})+|\d+)(\.\d+|,\d{1,2})?\s*[%$€£¥]?\s*$"
_PLAIN: Final = r"^\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\s*$"
_CALLED_ID: Final = re.compile(r"(^|[_ .-])id$|[a-z]I[dD]$", re.ASCII)
_DATE: Final = r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T]\d{1,2}:\d{2}.*)?\s*$"


class Column(NamedTuple):
    """A column of a table, without the ids and the title.

    Args:
        table: the name of the table.
        name: of the column.
        values: `[rows]`.
        known: those that are not missing.
    """

    table: str
    name: str
    values: pl.Series
    known: pl.Series

    @property
    def label(self) -> str:
        """The column as findings call it."""
        return f"{self.table}.{self.name or repr(self.name)}"

    @property
    def is_index(self) -> bool:
        """Whether its name is one that libraries give to the index of a frame."""
        return self.name.strip().lower() in INDEX_NAMES

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return self.values.dtype == pl.String


def columns_of(subject: Subject) -> Iterator[Column]:
    """The columns that describe something."""
    for table, own in (("items", (ITEM, TITLE)), ("users", (USER,)), ("interactions", (USER, ITEM, TIMESTAMP))):
        given = subject.tables.get(table)
        for values in () if given is None else given.frame:
            if values.name in own:
                continue
            known = values.fill_nan(None).drop_nulls() if values.dtype.is_float() else values.drop_nulls()
            if values.dtype == pl.String:
                known = known.filter(known.str.strip_chars() != "")
            yield Column(table, values.name, values, known)


def described(subject: Subject) -> Iterator[Finding]:
    """Everything that is said of one column after the other."""
    for column in columns_of(subject):
        if len(column.values) < 2:
            continue
        kind, used = subject.kind_of(column.table, column.name), subject.is_used(column.table, column.name)
        # Text that was read as numbers, times or lists has been understood.
        plain = column.is_text and kind in (None, AttributeKind.CATEGORICAL)
        yield from _missing_words(column, subject) if plain else ()
        yield from _emptiness(column)
        if not len(column.known):
            continue
        yield from _numbering(column, used) if kind not in _NO_NUMBERS else ()
        if not any(f"column '{column.name}' " in note and "declared" in note for note in subject.dataset.notes):
            yield from _numbers_of_others(column, used)
        if plain and len(column.known) >= MANY:
            yield from _text_that_is_something_else(column)
        yield from _spellings(column)


def _missing_words(column: Column, subject: Subject) -> Iterator[Finding]:
    """Words that may stand for a missing value and are read as values."""
    rows = len(column.values)
    taken = {word.strip().lower() for word in subject.values_of(column.table, column.name)} & set(MISSING_WORDS)
    words = column.known.filter(column.known.str.strip_chars().str.to_lowercase().is_in(sorted(taken)))
    if len(words):
        yield Finding(
            "missing-as-word",
            Severity.NOTE,
            f"{column.label}: {len(words):,} of {rows:,} values are words for a missing value, such as {words[0]!r}",
            "Leave these cells empty if nothing is known there",
            detail="As a word it is a value like any other, shared by all rows that have it.",
            evidence={"rows": rows, "words": len(words)},
            columns=(column.label,),
            examples=tuple(repr(word) for word in words.unique(maintain_order=True).head(3).to_list()),
        )


def _emptiness(column: Column) -> Iterator[Finding]:
    rows, known = len(column.values), len(column.known)
    missing = rows - known
    if missing >= MOSTLY_MISSING * rows:
        yield Finding(
            "mostly-missing",
            Severity.NOTE,
            f"{column.label} is missing in {percent(missing / rows)} of the rows",
            "Fill the column or leave it out",
            detail="An attribute that few have says little, and whether it is there may itself be known only later.",
            evidence={"rows": rows, "missing": missing},
            columns=(column.label,),
        )
    elif known == rows and not column.values.dtype.is_nested() and column.known.n_unique() == 1:
        yield Finding(
            "constant-column",
            Severity.NOTE,
            f"{column.label} has the same value in all {rows:,} rows",
            "Leave the column out",
            detail="It tells nothing of anybody.",
            evidence={"rows": rows},
            columns=(column.label,),
            examples=(repr(column.known[0]),),
        )


def _numbers_of_others(column: Column, used: bool) -> Iterator[Finding]:
    """Numbers of interactions that are called as ids are, such as that of an order."""
    numbers = column.values.dtype.is_numeric() and column.known.n_unique() > MANY
    if column.table == "interactions" and used and numbers and _CALLED_ID.search(column.name):
        yield Finding(
            "id-column",
            Severity.WARNING,
            f"{column.label} is called as an id is, and is read as a quantity",
            f"Leave it out with --kinds {column.label}=ignore, or declare it numeric if it is a quantity",
            detail="Whether one number is larger than another says nothing where they are names.",
            evidence={"rows": len(column.values), "different": column.known.n_unique()},
            columns=(column.label,),
            examples=tuple(f"{value:.15g}" for value in column.known.head(3).to_list()),
        )


def _numbering(column: Column, used: bool) -> Iterator[Finding]:
    """Columns that number the rows: the index of a frame, or another id."""
    rows, values = len(column.values), column.values
    named, kind = column.is_index, values.dtype
    if not (kind.is_integer() or kind == pl.String) or (column.table == "interactions" and not named):
        return
    if len(column.known) < rows or (rows < MANY and not named) or column.known.n_unique() < rows:
        return
    consecutive = kind.is_integer() and int(values.max()) - int(values.min()) == rows - 1  # type: ignore[arg-type]
    if named or consecutive:
        ordered = bool((values.diff().drop_nulls() == 1).all()) if kind.is_integer() else False
        yield Finding(
            "index-column",
            Severity.WARNING if used else Severity.NOTE,
            f"{column.label} numbers the rows and is no property of what they describe"
            + ("" if used else "; it is not used"),
            "Leave the column out (pandas: to_csv(index=False), to_parquet(index=False))",
            detail="A model would read neighbouring rows as alike, and rows are often in an order that tells "
            "something of later interactions.",
            evidence={"rows": rows, "different": rows, "in_order": ordered},
            columns=(column.label,),
            examples=tuple(map(repr, values.head(3).to_list())),
        )
    elif kind.is_integer() or column.known.str.len_chars().max() <= 40:  # type: ignore[operator]
        yield Finding(
            "id-column",
            Severity.WARNING if used else Severity.NOTE,
            f"{column.label} is different in every row, as an id is",
            "Leave the column out, or declare its kind if it is a quantity",
            detail=f"No two rows share a value. {'It is read as a quantity.' if used else 'It is not used.'}",
            evidence={"rows": rows, "different": rows},
            columns=(column.label,),
            examples=tuple(map(repr, values.head(3).to_list())),
        )


def _text_that_is_something_else(column: Column) -> Iterator[Finding]:
    known = column.known
    count = len(known)
    dates = int(known.str.contains(_DATE).sum())
    listed = int(known.str.contains(r"^\s*\[.*\]\s*$").sum())
    # Codes such as post codes have leading zeros and are no numbers.
    codes = bool(known.str.contains(r"^\s*0\d").any())
    plain, dressed = int(known.str.contains(_PLAIN).sum()), int(known.str.contains(_NUMBER).sum())
    if dates >= MOST * count:
        # Interactions have one column of times; others are not used, of whatever type they are.
        if column.table == "interactions":
            return
        fix = "Declare the kind 'time' (--kinds), with --date-order where it is unclear, or write dates as 2024-01-31"
        yield _read_as(column, "date-in-text", "dates", dates, fix)
    elif listed >= MOST * count:
        yield _read_as(column, "list-in-text", "lists written as text", listed, "Give lists, or text with '|' between")
    elif not codes and dressed >= MOST * count:
        yield _read_as(
            column, "number-in-text", "numbers", dressed, "Give the column a numeric type, other cells empty"
        )
    elif not codes and 0.1 * count <= plain <= MOST * count:
        yield Finding(
            "mixed-types",
            Severity.NOTE,
            f"{column.label} mixes numbers ({percent(plain / count)}) and other text",
            "Give the column one type, or make two columns of it",
            detail="It is read as text, so that 9 and 10 are as different as any two words.",
            evidence={"values": count, "numbers": plain},
            columns=(column.label,),
            examples=_both_kinds(known),
        )
    else:
        yield from _separated(column)


def _separated(column: Column) -> Iterator[Finding]:
    """Text whose parts recur, such as "Action, Comedy": its combinations are values of their own."""
    known = column.known
    for separator in _SEPARATORS:
        having = known.filter(known.str.contains(separator, literal=True))
        if len(having) < SEPARATED * len(known):
            continue
        parts = known.str.split(separator).explode().str.strip_chars()
        whole, single = known.n_unique(), parts.n_unique()
        # Parts of a list recur, those of a sentence or an address hardly do.
        if single <= 0.8 * whole and len(parts) >= 3 * single and parts.str.len_chars().mean() < 40:  # type: ignore[operator]
            yield Finding(
                "list-in-text",
                Severity.WARNING,
                f"{column.label}: {percent(len(having) / len(known))} of the texts look like lists with {separator!r}",
                f"Use --separators '{column.label}={separator}', or give lists",
                detail=f"Each of {whole:,} combinations is a value of its own; there are {single:,} single values.",
                evidence={"texts": len(known), "with_separator": len(having), "combinations": whole, "values": single},
                columns=(column.label,),
                examples=tuple(map(repr, having.unique(maintain_order=True).head(2).to_list())),
            )
            return


def _spellings(column: Column) -> Iterator[Finding]:
    known = column.known
    if isinstance(known.dtype, pl.List) and known.dtype.inner == pl.String:
        known = known.explode().drop_nulls()
    if known.dtype != pl.String:
        return
    distinct = known.unique(maintain_order=True)
    # Where hardly a value occurs twice the column is free text or an id.
    if len(distinct) > 0.5 * len(known):
        return
    frame = pl.DataFrame({"value": distinct, "alike": distinct.str.strip_chars().str.to_lowercase()})
    groups = frame.group_by("alike", maintain_order=True).agg("value").filter(pl.col("value").list.len() > 1)
    if len(groups):
        yield Finding(
            "values-differ-by-blanks-or-case",
            Severity.WARNING,
            f"{column.label}: {len(groups):,} values are there in several forms that differ only by blanks or case",
            "Write each value in one way",
            detail="They count as different values, and what is learned of one is not known of the other.",
            evidence={"values": len(distinct), "groups": len(groups)},
            columns=(column.label,),
            examples=tuple(" and ".join(map(repr, forms[:3])) for forms in groups["value"].head(3).to_list()),
        )


def _read_as(column: Column, id: str, what: str, count: int, fix: str) -> Finding:
    return Finding(
        id,
        Severity.WARNING,
        f"{column.label}: {count:,} of {len(column.known):,} texts are {what}",
        fix,
        detail="As text each is a value unlike every other, or the column is taken for free text and left out.",
        evidence={"texts": len(column.known), "alike": count},
        columns=(column.label,),
        examples=tuple(map(repr, column.known.head(2).to_list())),
    )


def _both_kinds(known: pl.Series) -> tuple[str, ...]:
    plain = known.str.contains(_PLAIN)
    return tuple(
        repr(value) for part in (known.filter(plain), known.filter(~plain)) for value in part.head(2).to_list()
    )
