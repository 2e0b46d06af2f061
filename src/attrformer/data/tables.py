"""Checks that every table goes through: columns, ids, duplicates, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.data.column_names import alike_names, renaming, with_made_columns, with_rows_of_lists, without_header
from attrformer.data.frames import to_polars
from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.table_files import TableFile, read_file
from attrformer.data.text_columns import is_whole
from attrformer.data.text_tables import PLAIN, TextForm
from attrformer.errors import DataError

MAPPED_BY: Final = ("columns=", "--columns")
"""Options of Python and of the command line that say how the user calls columns."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what error messages call it.

    Args:
        frame: the table.
        source: its file, or the name of the argument.
        text: whether its ids are texts of a file that may stand for numbers.
        notes: what is to be said of how it was read.
        renamed: its columns that the user calls otherwise.
        mapped_by: the options that say how the user calls columns, for messages; none where there are none.
        date_order: what stands first in dates whose form leaves it open; None: what all values of a column allow.
    """

    frame: pl.DataFrame
    source: str
    text: bool = False
    notes: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    mapped_by: tuple[str, ...] = MAPPED_BY
    date_order: str | None = None

    @property
    def label(self) -> str:
        """The source without its folder, for notes."""
        return Path(self.source).name


def open_table(
    table: Any,
    source: str,
    columns: Mapping[str, str],
    form: TextForm = PLAIN,
    mapped_by: tuple[str, ...] = MAPPED_BY,
) -> Table:
    """A table from the user, as polars and with the library's own column names.

    Args:
        table: a frame of any library or the path of a file.
        source: the name of the argument.
        columns: canonical name to the user's column; names that this table does not have are left alone.
        form: of a text file.
        mapped_by: the options that `columns` comes from, for messages.

    Raises:
        DataError: the table cannot be read, or has both a mapped column and one of the canonical name.
    """
    if isinstance(table, (str, Path)):
        source = str(table)
        found = read_file(table, form=form, columns=columns)
    else:
        found = TableFile(to_polars(table, source=source))
    return replace(named_table(found, source, columns), mapped_by=mapped_by)


def named_table(found: TableFile, source: str, columns: Mapping[str, str]) -> Table:
    """A table that was read, with the library's own column names; arguments and errors as `open_table`."""
    frame, told = with_rows_of_lists(found.frame, columns)
    frame, notes = with_made_columns(frame, columns), [*found.notes, *([] if told is None else [told])]
    renamed = {theirs: ours for ours, theirs in columns.items() if theirs in frame.columns and theirs != ours}
    for theirs, ours in renamed.items():
        if ours in frame.columns and ours not in renamed:
            frame = frame.drop(ours)
            notes.append(f"column '{ours}' is the one that is called '{theirs}'; that of the same name is not used")
    notes = [_about_ours(note, renamed) for note in notes]
    named = [ours for ours, theirs in columns.items() if theirs in frame.columns]
    return Table(frame.rename(renamed), source, found.text, tuple(notes), tuple(named))


def _about_ours(note: str, renamed: Mapping[str, str]) -> str:
    """A note on a column of a file by the library's own name of the column."""
    for theirs, ours in renamed.items():
        start = f"column '{theirs}':"
        if note.startswith(start):
            return f"column '{ours}':{note.removeprefix(start)}"
    return note


def notes_about(notes: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The notes about columns that are still there."""
    names = tuple(f"column '{name}'" for name in columns)
    return [note for note in notes if note.startswith(names)]


def require_columns(table: Table, names: Iterable[str]) -> None:
    """Checks that the table has the named columns.

    Raises:
        DataError: one is missing.
    """
    for name in names:
        if name not in table.frame.columns:
            present = f"{', '.join(table.frame.columns) or 'none'}{without_header(table.frame.columns)}"
            alike = alike_names(table.frame.columns) if name in alike_names(table.frame.columns) else {name: "YOURS"}
            raise DataError(
                f"the column is missing (present: {present})",
                fix=renaming(alike, table.mapped_by),
                source=table.source,
                column=name,
            )


def id_column(table: Table, name: str) -> pl.Series:
    """The ids in a column, integers (int64) or text; texts of a file are integers where all are plain whole numbers.

    Raises:
        DataError: an id is null or empty, or of a type that is neither.
    """
    values = table.frame[name]
    kind = values.dtype
    if kind.is_float():
        values = values.fill_nan(None)
    gaps = (values.is_null() | (values == "") if kind == pl.String else values.is_null()).arg_true()
    if len(gaps):
        raise DataError(
            "the id is null" if values[int(gaps[0])] is None else "the id is empty",
            fix="Give every row an id or drop the row",
            source=table.source,
            column=name,
            row=int(gaps[0]),
        )
    if kind == pl.String:
        return values.cast(pl.Int64) if table.text and is_whole(values) else values
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return values.cast(pl.String)
    if kind.is_numeric():
        whole = values.cast(pl.Int64, strict=False)
        bad = (whole.cast(kind, strict=False) != values).fill_null(True).arg_true()
        if not len(bad):
            return whole
        raise DataError(
            f"{values[int(bad[0])]} is not a whole number that can be an id",
            fix="Use integers below 2^63 or text as ids",
            source=table.source,
            column=name,
            row=int(bad[0]),
        )
    if kind == pl.Null:
        return values.cast(pl.String)
    raise DataError(
        f"values of type {kind} cannot be ids", fix="Use integers or text", source=table.source, column=name
    )


def require_distinct(table: Table, ids: pl.Series) -> None:
    """Checks that no id has two rows.

    Raises:
        DataError: one has; the second row is named.
    """
    again = (~ids.is_first_distinct()).arg_true()
    if len(again):
        row = int(again[0])
        raise DataError(
            f"'{ids[row]}' has more than one row",
            fix="Keep one row for each id (several values of one attribute go into a list column)",
            source=table.source,
            column=ids.name,
            row=row,
        )


def number_column(table: Table, name: str) -> pl.Series:
    """The numbers of a column, float64 with null where missing; NaN and words for a missing value are missing.

    Raises:
        DataError: a value is no number or not finite.
    """
    values = table.frame[name]
    if values.dtype == pl.String or isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        values = values.cast(pl.String).str.strip_chars()
        values = values.set(missing_among_numbers(values), None)
    numbers = _as_numbers(table, values)
    bad = (numbers.is_null() & values.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"'{values[row]}' is not a number",
            fix="Write it with digits and a point alone (1299.00), leave it empty, or declare another kind",
            source=table.source,
            column=name,
            row=row,
        )
    infinite = numbers.is_infinite().fill_null(False).arg_true()
    if len(infinite):
        raise DataError(
            f"the number is not finite ({numbers[int(infinite[0])]})",
            fix="Correct the value, or leave it empty where it is unknown",
            source=table.source,
            column=name,
            row=int(infinite[0]),
        )
    return numbers.fill_nan(None)


def _as_numbers(table: Table, values: pl.Series) -> pl.Series:
    kind = values.dtype
    if kind.is_numeric() or kind in (pl.Boolean, pl.String, pl.Null):
        return values.cast(pl.Float64, strict=False)
    raise DataError(
        f"values of type {kind} are not numbers",
        fix="Declare another kind for the column",
        source=table.source,
        column=values.name,
    )


def rows_outside(table: Table, column: str, ids: pl.Series, outside: NDArray[np.bool_], unknown: str) -> list[str]:
    """The note about rows of ids that the data do not have.

    Args:
        table: the table.
        column: its column of ids.
        ids: the ids, `[rows]`.
        outside: which of them the data do not have, `[rows]`.
        unknown: "raise" where that is not allowed.

    Raises:
        DataError: there is such a row and `unknown` is "raise".
    """
    if not outside.any():
        return []
    row = int(np.flatnonzero(outside)[0])
    if unknown == "raise":
        raise DataError(
            f"'{ids[row]}' is not in the data, nobody acted on it" if column != USER else f"'{ids[row]}' never acted",
            fix="Drop the row, pass on_unknown='skip'" + (", or catalogue='all'" if column == ITEM else ""),
            source=table.source,
            column=column,
            row=row,
        )
    count = int(outside.sum())
    rows = "1 row about an id" if count == 1 else f"{count:,} rows about ids"
    return [f"{table.label}: {rows} without interactions {'is' if count == 1 else 'are'} left out (e.g. '{ids[row]}')"]
