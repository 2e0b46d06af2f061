"""A part of a table of interactions: its rows in few bytes, and what of it decides about the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.interactions import TimeSpan
from attrformer.data.prepared.columns import ColumnPart, survey_column
from attrformer.data.prepared.names import BEHAVIOUR, ITEMS, ORDER, SAME, USERS
from attrformer.data.prepared.parts import Part, read_part
from attrformer.data.prepared.reading import (
    Glance,
    Reading,
    glance_of,
    named_part,
    opened_table,
    without_index_columns,
)
from attrformer.data.tables import Table, id_column, require_columns
from attrformer.data.text_columns import WHOLE
from attrformer.data.times import times_of
from attrformer.errors import DataError

_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Survey:
    """What of a part decides about the whole.

    Args:
        rows: how many there are.
        names: every column but those that number the rows.
        notes: how the columns were read and which were left out, as far as the part tells.
        times: what its times are; None where it has none.
        columns: by name, those besides user, item and time.
        glance: what of it decides about how parts are read.
        exact: whether behaviour attributes tell its rows apart as all columns besides user, item and time do.
    """

    rows: int
    names: tuple[str, ...]
    notes: tuple[str, ...]
    times: TimeSpan | None
    columns: Mapping[str, ColumnPart]
    glance: Glance
    exact: bool


def survey_part(reading: Reading, part: Part, first: int, same: bool = False) -> tuple[Survey, pl.DataFrame]:
    """What of a part decides about the whole, and its rows in few bytes.

    Args:
        reading: how it is read.
        part: one of the parts of the table.
        first: number of its first row, for errors.
        same: whether the hash below is wanted even where behaviour attributes do.

    Returns:
        What decides; a column each for users, items, the order of times, a hash of what else tells rows apart where
        behaviour attributes do not, and these, as far as the table has them.

    Raises:
        DataError: a column is missing, or a value cannot be used; column and row are named.
    """
    try:
        if reading.source.whole:
            return _surveyed(reading, without_index_columns(reading, opened_table(reading)), Glance(), first, same)
        raw = read_part(reading.source, part, reading.numbers)
        table = without_index_columns(reading, named_part(reading, raw))
        return _surveyed(reading, table, glance_of(reading, raw), first, same)
    except DataError as error:
        if error.row is None or error.column == TIMESTAMP:
            raise
        raise DataError(
            error.problem, fix=error.fix, source=error.source, column=error.column, row=first + error.row
        ) from error


def _surveyed(reading: Reading, table: Table, glance: Glance, first: int, same: bool) -> tuple[Survey, pl.DataFrame]:
    require_columns(table, (USER, ITEM))
    frame = table.frame
    kept = {USERS: id_column(table, USER), ITEMS: id_column(table, ITEM)}
    span = None
    if TIMESTAMP in frame.columns and len(frame):
        times = times_of(frame[TIMESTAMP], source=table.source, first=first, date_order=reading.date_order)
        span = TimeSpan.of(times)
        kept[ORDER] = pl.Series(times.order)
    told = _telling(frame, reading.source.text)
    exact, columns = set[str](), {}
    for name in frame.columns:
        if name not in (USER, ITEM, TIMESTAMP):
            columns[name], values = survey_column(table, name, reading.kinds)
            if values is not None:
                kept[f"{BEHAVIOUR}{name}"] = pl.Series(values)
                if columns[name].values is None and _is_exact(frame[name], kept[f"{BEHAVIOUR}{name}"]):
                    exact.add(name)
    tells = all(name in exact or values.null_count() == len(values) for name, values in told.items())
    if told and (same or not tells):
        kept[SAME] = pl.DataFrame(told).hash_rows(_SEED)
    survey = Survey(len(frame), tuple(frame.columns), table.notes, span, columns, glance, tells)
    return survey, pl.DataFrame({name: values.alias(name) for name, values in kept.items()})


def _is_exact(values: pl.Series, found: pl.Series) -> bool:
    """Whether short floating-point numbers, NaN where missing, are those of a column."""
    if not values.dtype.is_numeric():
        return False
    return bool(found.fill_nan(None).cast(values.dtype, strict=False).eq_missing(values).all())


def _telling(frame: pl.DataFrame, text: bool) -> dict[str, pl.Series]:
    """What is the same for rows with the same values besides user, item and time, and for no others.

    Args:
        frame: a part.
        text: whether it is of a text file, of which another part may have times of another type.
    """
    told = {name: _plain(frame[name]) for name in frame.columns if name not in (USER, ITEM, TIMESTAMP)}
    times = frame[TIMESTAMP] if TIMESTAMP in frame.columns else None
    if times is not None and not (times.dtype.is_integer() or times.dtype.is_float() or times.dtype.is_temporal()):
        # Such times are the same only where they are written in the same way.
        told[TIMESTAMP] = times.set(times.str.contains(WHOLE), None) if text else _plain(times)
    elif times is not None and text:
        told[TIMESTAMP] = pl.repeat(None, len(frame), dtype=pl.String, eager=True)
    return told


def _plain(values: pl.Series) -> pl.Series:
    kind: Any = values.dtype
    if kind.is_nested() or kind == pl.Object:
        return pl.Series(values.name, [repr(value) for value in values.to_list()])
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return values.cast(pl.String)
    return values + 0.0 if kind.is_float() else values
