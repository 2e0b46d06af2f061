"""A part of a table of interactions: its rows in few bytes, and what of it decides about the whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.attributes import AttributeKind
from attrformer.data.index_columns import INDEX_BY_NAME, index_note, may_number_rows, without_index
from attrformer.data.interactions import TimeSpan
from attrformer.data.prepared.columns import ColumnPart, survey_column
from attrformer.data.prepared.parts import Part, Source, names_in, read_part
from attrformer.data.table_files import TableFile, typed_table, untyped_in
from attrformer.data.tables import Table, id_column, named_table, notes_about, open_table, require_columns
from attrformer.data.text_columns import TextProfile, profile_of
from attrformer.data.times import times_of
from attrformer.errors import DataError

USERS, ITEMS, ORDER, SAME, BEHAVIOUR = "user", "item", "order", "same", "behaviour "
"""Columns of what is kept of a part; a behaviour attribute has its own name behind `BEHAVIOUR`."""

_SEED: Final = 7


class WholeTableError(DataError):
    """What only the whole table could tell, and its parts do not."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Whether a column numbers the rows of a part.

    Args:
        whole: whether it holds whole numbers without gaps, none below 0.
        ascending: whether each is larger than the one before.
        first: the least.
        last: the largest.
        rows: how many there are.
    """

    whole: bool = True
    ascending: bool = True
    first: int = 0
    last: int = -1
    rows: int = 0

    def numbers_rows(self, name: str, source: str) -> bool:
        """Whether a column is the index that a frame library wrote, as `without_index` has it.

        Raises:
            WholeTableError: it may be, in another order.
        """
        if not self.whole or not self.rows or self.ascending:
            return self.whole and self.rows > 0
        if self.first in (0, 1) and self.last == self.first + self.rows - 1:
            raise WholeTableError(
                "its values may number the rows in another order, which parts of the table do not tell",
                fix=f"Declare it: kinds={{'interactions.{name}': 'ignore'}}, or 'numeric' to have it read",
                source=source,
                column=name,
            )
        return False

    def then(self, other: Numbering) -> Numbering:
        """The same of two parts, one behind the other."""
        if not self.rows or not other.rows:
            return other if other.rows else self
        return Numbering(
            self.whole and other.whole,
            self.ascending and other.ascending and self.last < other.first,
            min(self.first, other.first),
            max(self.last, other.last),
            self.rows + other.rows,
        )


@dataclass(frozen=True, slots=True)
class Glance:
    """What has to be known of all parts before one can be read: how texts are read, and which columns number rows.

    Args:
        rows: how many there are.
        texts: by column of a text file, as it is named there.
        numbering: by column that may number the rows, as it is named in the file.
    """

    rows: int = 0
    texts: Mapping[str, TextProfile] = field(default_factory=dict)
    numbering: Mapping[str, Numbering] = field(default_factory=dict)

    def then(self, other: Glance) -> Glance:
        """The same of two parts, one behind the other."""
        if not self.rows or not other.rows:
            return other if other.rows or not self.texts else self
        return Glance(
            self.rows + other.rows,
            {name: profile | other.texts[name] for name, profile in self.texts.items()},
            {name: found.then(other.numbering[name]) for name, found in self.numbering.items()},
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How a part is read.

    Args:
        source: the table.
        columns: canonical column name to the one in the files.
        kinds: declared kinds of columns of the interactions; None for columns to be ignored.
        kept: columns that are wanted even if they number the rows.
        texts: how the texts of a text file are read, by column.
        left_out: columns that number the rows, as they are named in the file.
    """

    source: Source
    columns: Mapping[str, str]
    kinds: Mapping[str, AttributeKind | None]
    kept: Collection[str] = ()
    texts: Mapping[str, TextProfile] = field(default_factory=dict)
    left_out: Collection[str] = ()

    def ours(self, name: str) -> str:
        """The library's own name of a column of the file."""
        return next((ours for ours, theirs in self.columns.items() if theirs == name), name)

    def doubts(self, name: str) -> bool:
        """Whether a column of the file may be one that numbers the rows."""
        return may_number_rows(self.ours(name)) and self.ours(name) not in self.kept


@dataclass(frozen=True, slots=True)
class Survey:
    """What of a part decides about the whole.

    Args:
        rows: how many there are.
        names: every column but those that number the rows.
        notes: how the columns were read and which were left out.
        whole: whether the ids of users, and of items, are whole numbers.
        times: what its times are; None where it has none.
        columns: by name, those besides user, item and time.
    """

    rows: int
    names: tuple[str, ...]
    notes: tuple[str, ...]
    whole: tuple[bool, bool]
    times: TimeSpan | None
    columns: Mapping[str, ColumnPart]


def glance_at(reading: Reading, part: Part) -> Glance:
    """What has to be known of a part before parts can be read.

    Args:
        reading: the table; how its texts are read need not be known.
        part: one of its parts.

    Raises:
        DataError: the part cannot be read.
    """
    raw = read_part(reading.source, part)
    untyped = untyped_in(reading.columns) if reading.source.text else raw.columns
    texts = {text.name: profile_of(text) for text in raw if text.name not in untyped}
    return Glance(len(raw), texts, {name: _numbering(raw[name]) for name in raw.columns if reading.doubts(name)})


def needs_glance(reading: Reading) -> bool:
    """Whether parts can be read only after a glance at all of them."""
    if reading.source.whole:
        return False
    return reading.source.text or any(map(reading.doubts, names_in(reading.source)))


def _numbering(values: pl.Series) -> Numbering:
    if values.dtype == pl.String:
        values = values.cast(pl.Int64, strict=False)
    if values.is_empty():
        return Numbering()
    if values.null_count() or not values.dtype.is_integer():
        return Numbering(False, False, 0, 0, len(values))
    numbers = values.cast(pl.Int64).to_numpy()
    ascending = bool((np.diff(numbers) > 0).all())
    first, last = int(numbers.min()), int(numbers.max())
    return Numbering(first >= 0, ascending, first, last, len(numbers))


def named_part(reading: Reading, part: Part) -> Table:
    """The rows of a part with the library's own column names; of a text file as texts until their types are known.

    Raises:
        DataError: the part cannot be read, or the table has both a mapped column and one of the canonical name.
    """
    source = reading.source
    if source.whole:
        return open_table(Path(source.path), source.path, reading.columns, source.encoding)
    raw = read_part(source, part)
    typed = source.text and reading.texts
    found = typed_table(raw, reading.columns, reading.texts) if typed else TableFile(raw, source.text)
    return named_table(found, source.path, reading.columns)


def table_of(reading: Reading, part: Part) -> Table:
    """What `named_part` gives, without columns that number the rows; errors as there."""
    table = named_part(reading, part)
    if reading.source.whole:
        frame, left_out = without_index(table.frame, reading.kept)
    else:
        names = {name for name in table.frame.columns if INDEX_BY_NAME.match(name)} - {*reading.kept}
        names |= {reading.ours(name) for name in reading.left_out}
        frame = table.frame.drop(names)
        left_out = [index_note(name) for name in table.frame.columns if name in names]
    return replace(table, frame=frame, notes=(*left_out, *notes_about(table.notes, frame.columns)))


def survey_part(reading: Reading, part: Part, first: int) -> tuple[Survey, pl.DataFrame]:
    """What of a part decides about the whole, and its rows in few bytes.

    Args:
        reading: how it is read.
        part: one of the parts of the table.
        first: number of its first row, for errors.

    Returns:
        What decides; a column each for users, items, the order of times, a hash of what else tells rows apart, and
        behaviour attributes, as far as the table has them.

    Raises:
        DataError: a column is missing, or a value cannot be used; column and row are named.
    """
    try:
        return _surveyed(reading, table_of(reading, part), first)
    except DataError as error:
        if error.row is None or error.column == TIMESTAMP:
            raise
        raise DataError(
            error.problem, fix=error.fix, source=error.source, column=error.column, row=first + error.row
        ) from error


def _surveyed(reading: Reading, table: Table, first: int) -> tuple[Survey, pl.DataFrame]:
    require_columns(table, (USER, ITEM))
    frame = table.frame
    kept = {USERS: id_column(table, USER), ITEMS: id_column(table, ITEM)}
    span = None
    if TIMESTAMP in frame.columns and len(frame):
        times = times_of(frame[TIMESTAMP], source=table.source, first=first)
        span = TimeSpan.of(times)
        kept[ORDER] = pl.Series(times.order)
    same = _hashes(frame)
    if same is not None:
        kept[SAME] = same
    columns = {}
    for name in frame.columns:
        if name not in (USER, ITEM, TIMESTAMP):
            columns[name], values = survey_column(table, name, reading.kinds)
            if values is not None:
                kept[f"{BEHAVIOUR}{name}"] = pl.Series(values)
    whole = (kept[USERS].dtype == pl.Int64, kept[ITEMS].dtype == pl.Int64)
    survey = Survey(len(frame), tuple(frame.columns), table.notes, whole, span, columns)
    return survey, pl.DataFrame({name: values.alias(name) for name, values in kept.items()})


def _hashes(frame: pl.DataFrame) -> pl.Series | None:
    """A number for each row that is the same for rows with the same values besides user, item and time."""
    timed = frame.schema.get(TIMESTAMP)
    # Other times are the same only where they are written in the same way.
    plain = timed is None or timed.is_integer() or timed.is_float() or timed.is_temporal()
    told = [name for name in frame.columns if name not in (USER, ITEM) and not (plain and name == TIMESTAMP)]
    if not told:
        return None
    return pl.DataFrame({name: _plain(frame[name]) for name in told}).hash_rows(_SEED)


def _plain(values: pl.Series) -> pl.Series:
    kind: Any = values.dtype
    if kind.is_nested() or kind == pl.Object:
        return pl.Series(values.name, [repr(value) for value in values.to_list()])
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return values.cast(pl.String)
    return values + 0.0 if kind.is_float() else values
