"""How the parts of a table are read, as all of them decide it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.attributes import AttributeKind
from attrformer.data.column_names import with_made_columns
from attrformer.data.date_order import DateForms
from attrformer.data.index_columns import INDEX_BY_NAME, index_note, may_number_rows, without_index
from attrformer.data.prepared.parts import Part, Source, names_in, read_part, texts_in
from attrformer.data.table_files import TableFile, may_hold_decimal_commas, profiles_of, typed_table, untyped_in
from attrformer.data.tables import Table, named_table, notes_about, open_table
from attrformer.data.text_columns import TextProfile, is_whole
from attrformer.data.text_tables import PLAIN, TextForm
from attrformer.data.times import date_forms
from attrformer.errors import DataError


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
        numbers: columns of a text file that are read as they stand, and hold plain whole numbers.
        dates: what its times say about the order of day and month.
    """

    rows: int = 0
    texts: Mapping[str, TextProfile] = field(default_factory=dict)
    numbering: Mapping[str, Numbering] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    dates: DateForms = field(default_factory=DateForms)

    def then(self, other: Glance) -> Glance:
        """The same of two parts, one behind the other."""
        if not self.rows or not other.rows:
            return other if other.rows or not self.texts else self
        return Glance(
            self.rows + other.rows,
            {name: profile | other.texts[name] for name, profile in self.texts.items()},
            {name: found.then(other.numbering[name]) for name, found in self.numbering.items()},
            self.numbers,
            self.dates | other.dates,
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
        numbers: columns of a text file that most likely hold whole numbers, as they are named there.
        form: what is known of a text file.
        date_order: what stands first in the dates of its times, where their form leaves that open; None: as all tell.
    """

    source: Source
    columns: Mapping[str, str]
    kinds: Mapping[str, AttributeKind | None]
    kept: Collection[str] = ()
    texts: Mapping[str, TextProfile] = field(default_factory=dict)
    left_out: Collection[str] = ()
    numbers: Collection[str] = ()
    form: TextForm = PLAIN
    date_order: str | None = None

    def ours(self, name: str) -> str:
        """The library's own name of a column of the file."""
        return next((ours for ours, theirs in self.columns.items() if theirs == name), name)

    def doubts(self, name: str) -> bool:
        """Whether a column of the file may be one that numbers the rows."""
        return may_number_rows(self.ours(name)) and self.ours(name) not in self.kept


def glance_at(reading: Reading, part: Part) -> Glance:
    """What has to be known of a part before parts can be read.

    Args:
        reading: the table; how its texts are read need not be known.
        part: one of its parts.

    Raises:
        DataError: the part cannot be read.
    """
    return glance_of(reading, read_part(reading.source, part, reading.numbers))


def glance_of(reading: Reading, raw: pl.DataFrame) -> Glance:
    """What `glance_at` finds in the rows of a part, as they stand in the file."""
    numbering = {name: _numbering(raw[name]) for name in raw.columns if reading.doubts(name)}
    dates = _dates_in(reading, raw)
    if not reading.source.text:
        return Glance(len(raw), {}, numbering, dates=dates)
    commas = may_hold_decimal_commas(reading.source.separator, reading.form)
    texts = profiles_of(raw, untyped_in(reading.columns), reading.form, commas=commas)
    ids = [reading.columns.get(name, name) for name in (USER, ITEM, TIMESTAMP)]
    numbers = tuple(name for name in ids if name in raw.columns and _is_plain(raw[name]))
    return Glance(len(raw), texts, numbering, numbers, dates)


def _dates_in(reading: Reading, raw: pl.DataFrame) -> DateForms:
    """What the times of a part say about the order of day and month."""
    theirs = {TIMESTAMP: reading.columns.get(TIMESTAMP, TIMESTAMP)}
    made = with_made_columns(raw, theirs)
    # A name that this table does not have is about another one.
    when = theirs[TIMESTAMP] if theirs[TIMESTAMP] in made.columns else TIMESTAMP
    return date_forms(made[when]) if when in made.columns else DateForms()


def _is_plain(values: pl.Series) -> bool:
    return values.dtype == pl.Int64 or (not values.null_count() and len(values) > 0 and is_whole(values))


def reading_of(reading: Reading, glance: Glance) -> Reading:
    """How parts are read as far as a glance tells.

    Args:
        reading: the table.
        glance: at all of it, or at the first part.

    Raises:
        WholeTableError: a column may number the rows.
        DataError: the order of day and month is not clear.
    """
    source = reading.source.path
    left_out = tuple(name for name, found in glance.numbering.items() if found.numbers_rows(name, source))
    order = reading.date_order or glance.dates.decide(source=source, column=TIMESTAMP) or None
    return replace(reading, texts=glance.texts, left_out=left_out, numbers=glance.numbers, date_order=order)


def reads_alike(one: Reading, other: Reading) -> bool:
    """Whether parts are the same read in one way and in another."""
    ways = ({name: profile.way for name, profile in reading.texts.items()} for reading in (one, other))
    same = (one.left_out, one.date_order) == (other.left_out, other.date_order)
    return next(ways) == next(ways) and same


def needs_glance(reading: Reading) -> bool:
    """Whether parts can be read only after a glance at all of them."""
    if reading.source.whole:
        return False
    names = names_in(reading.source) if not reading.source.text else []
    if reading.source.text or any(map(reading.doubts, names)):
        return True
    when = reading.columns.get(TIMESTAMP, TIMESTAMP)
    return bool({when, when.split(".")[0], TIMESTAMP} & {*texts_in(reading.source)})


def _numbering(values: pl.Series) -> Numbering:
    if values.dtype == pl.String:
        values = values.cast(pl.Int64, strict=False)
    if values.is_empty():
        return Numbering()
    if values.null_count() or not values.dtype.is_integer():
        return Numbering(False, False, 0, 0, len(values))
    # In their own type: not all whole numbers fit into 64 bits with a sign.
    ascending = bool((values[1:] > values[:-1]).all())
    first, last = int(values.min()), int(values.max())  # type: ignore[arg-type]
    return Numbering(first >= 0, ascending, first, last, len(values))


def named_part(reading: Reading, raw: pl.DataFrame) -> Table:
    """The rows of a part with the library's own column names; of a text file as texts until their types are known.

    Args:
        reading: how it is read.
        raw: the rows as they stand in the file.

    Raises:
        DataError: the table has both a mapped column and one of the canonical name.
    """
    typed = reading.source.text and reading.texts
    found = typed_table(raw, reading.columns, reading.texts) if typed else TableFile(raw, reading.source.text)
    return named_table(found, reading.source.path, reading.columns)


def opened_table(reading: Reading) -> Table:
    """A table that is one part, with the library's own column names.

    Raises:
        DataError: it cannot be read, or has both a mapped column and one of the canonical name.
    """
    return open_table(Path(reading.source.path), reading.source.path, reading.columns, reading.form)


def columns_of(reading: Reading) -> Table:
    """The table without its rows; errors as `opened_table`."""
    if reading.source.whole:
        return opened_table(reading)
    first = reading.source.parts[0]
    return named_part(reading, read_part(reading.source, replace(first, stop=first.start)))


def notes_on(reading: Reading) -> tuple[str, ...]:
    """How the columns of a table in parts are read, and which are left out.

    Args:
        reading: as all parts decide it.
    """
    return without_index_columns(reading, columns_of(reading)).notes


def without_index_columns(reading: Reading, table: Table) -> Table:
    """The table without columns that number its rows, and notes on how the others were read."""
    if reading.source.whole:
        frame, left_out = without_index(table.frame, reading.kept)
    else:
        names = {name for name in table.frame.columns if INDEX_BY_NAME.match(name)} - {*reading.kept}
        names |= {reading.ours(name) for name in reading.left_out}
        frame = table.frame.drop(names)
        left_out = [index_note(name) for name in table.frame.columns if name in names]
    return replace(table, frame=frame, notes=(*left_out, *notes_about(table.notes, frame.columns)))
