"""From a table of interactions to sequences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import COUNT, ITEM, TIMESTAMP, USER
from attrformer.csr import offsets_of
from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.attributes import AttributeKind
from attrformer.data.duplicates import COUNTED, find_repeats
from attrformer.data.id_columns import spelling_notes
from attrformer.data.id_map import IdMap
from attrformer.data.sequences import Sequences
from attrformer.data.tables import Table, id_column, number_column, require_columns
from attrformer.data.times import Times, times_of
from attrformer.errors import DataError

_1980: Final = 315_532_800
_2100: Final = 4_102_444_800
_DAY: Final = 86_400
_YEARS: Final = (1_900, 2_100)
# From 2000 to 2064.
_EXCEL_DAYS: Final = (36_526, 60_000)
_LARGEST: Final = float(np.finfo(np.float32).max)


class Interactions(NamedTuple):
    """What a table of interactions says.

    Args:
        users: every user that acts.
        items: every item that is acted on.
        sequences: one row for each user.
        notes: how the table was read.
    """

    users: IdMap
    items: IdMap
    sequences: Sequences
    notes: list[str]


def read_interactions(table: Table, kinds: Mapping[str, AttributeKind | None], duplicates: str | None) -> Interactions:
    """The sequences that a table of interactions holds.

    Args:
        table: without index columns.
        kinds: declared kinds by column; None for columns to be ignored.
        duplicates: as `TableOptions` has it.

    Raises:
        DataError: a column is missing, or a value cannot be used.
    """
    require_columns(table, (USER, ITEM))
    if table.frame.is_empty():
        raise DataError("the table has no rows", fix="Give at least one interaction", source=table.source)
    users, items = id_column(table, USER), id_column(table, ITEM)
    user_ids, item_ids = IdMap(users.unique().sort()), IdMap(items.unique().sort())
    rows, codes = user_ids.encode(users), item_ids.encode(items)
    found = [*spelling_notes("user", user_ids.values), *spelling_notes("item", item_ids.values)]
    times = times_of(table.frame[TIMESTAMP], source=table.source) if TIMESTAMP in table.frame.columns else None
    found += [f"no column '{TIMESTAMP}', the order of the rows counts"] if times is None else _time_notes(times)
    behaviours, said = _behaviours(table, kinds)
    seconds = None if times is None else times.seconds.astype(np.int64)
    repeats = find_repeats(table.frame, rows, codes, seconds, duplicates)
    if duplicates == COUNTED and repeats.counts is not None:
        behaviours[COUNT] = _counts(table, repeats.counts)
    unordered = Sequences(np.empty(0, np.int64), codes, seconds, behaviours)
    if repeats.kept is not None:
        unordered, rows = _only(unordered, rows, repeats.kept, counted=duplicates == COUNTED)
    order = _order(rows, times, repeats.kept)
    offsets = offsets_of(np.bincount(rows, minlength=len(user_ids)))
    notes = [f"{table.label}: {note}" for note in (*said, *found, *repeats.notes)]
    return Interactions(user_ids, item_ids, unordered.select(order, offsets), notes)


def _order(rows: NDArray[np.int32], times: Times | None, kept: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if times is None:
        return np.argsort(rows, kind="stable")
    return np.lexsort((times.order if kept is None else times.order[kept], rows))


def _only(
    sequences: Sequences, rows: NDArray[np.int32], kept: NDArray[np.int64], *, counted: bool
) -> tuple[Sequences, NDArray[np.int32]]:
    """The interactions that are kept; counts are of these already."""
    behaviours = {
        name: values if counted and name == COUNT else values[kept] for name, values in sequences.behaviours.items()
    }
    times = None if sequences.times is None else sequences.times[kept]
    return Sequences(sequences.offsets, sequences.items[kept], times, behaviours), rows[kept]


def _counts(table: Table, counts: NDArray[np.int64]) -> NDArray[np.float32]:
    if COUNT in table.frame.columns:
        raise DataError(
            f"the table has a column '{COUNT}', and repeated rows are to be counted in one of that name",
            fix="Rename the column, or pass duplicates='drop'",
            source=table.source,
            column=COUNT,
        )
    return counts.astype(np.float32)


def _behaviours(
    table: Table, kinds: Mapping[str, AttributeKind | None]
) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """The behaviour attributes, and what became of each column."""
    found, notes = {}, []
    for name in table.frame.columns:
        if name in (USER, ITEM, TIMESTAMP):
            continue
        why = _unused(table.frame[name], kinds)
        if why is not None:
            notes.append(f"column '{name}' is not used, {why}")
            continue
        found[name] = _short(table, number_column(table, name))
        told = ", as it is declared" if name in kinds else ""
        notes.append(f"column '{name}' is read as a behaviour attribute, a number{told}")
    return found, notes


def _short(table: Table, numbers: pl.Series) -> NDArray[np.float32]:
    """Numbers of single precision, NaN where missing."""
    large = (numbers.abs() > _LARGEST).fill_null(False).arg_true()
    if len(large):
        raise DataError(
            f"{numbers[int(large[0])]} is too large for a behaviour attribute",
            fix=f"Correct the value, or leave the column out: kinds={{'interactions.{numbers.name}': 'ignore'}}",
            source=table.source,
            column=numbers.name,
            row=int(large[0]),
        )
    return numbers.fill_null(float("nan")).to_numpy().astype(np.float32)


def _unused(values: pl.Series, kinds: Mapping[str, AttributeKind | None]) -> str | None:
    """Why a column is no behaviour attribute; None where it is one."""
    if values.name in kinds:
        return "as it is declared" if kinds[values.name] is None else None
    if values.null_count() == len(values) or (
        values.dtype.is_float() and values.fill_nan(None).null_count() == len(values)
    ):
        return "it is empty"
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        return "a behaviour attribute has to be a number"
    if after_the_fact(values.name):
        return declare_to_use(values.name, "interactions")
    return None


def declare_to_use(name: str, table: str) -> str:
    """Why a column that is computed after the fact is left out, and how to have it read."""
    return (
        "by its name it is computed after the interactions, from them, and would know of those to be predicted "
        f"(kinds={{'{table}.{name}': 'numeric'}} reads it)"
    )


def _time_notes(times: Times) -> list[str]:
    """What the times are taken for and the dates they span."""
    first, last = int(times.seconds.min()), int(times.seconds.max())
    notes = [f"column '{TIMESTAMP}' holds {times.form}, from {_date(first)} to {_date(last)}"]
    if first == last and len(times.seconds) > 1:
        notes.append("all times are the same, the order of the rows counts")
    elif last < _1980:
        notes[0] += (
            f"; if nothing happened then, they are {_perhaps(times)}counters, and only their order means anything"
        )
    elif last > _1980:
        early, late = int((times.seconds <= _DAY).sum()), int((times.seconds > _2100).sum())
        notes += [f"{early:,} times are of 1970-01-01 or before, as missing ones often are"] if early else []
        notes += [f"{late:,} times are after the year 2100"] if late else []
    return notes


def _perhaps(times: Times) -> str:
    """What else numbers so small may be: years, or days as spreadsheets count them."""
    low, high = int(times.order.min()), int(times.order.max())
    if _YEARS[0] <= low and high <= _YEARS[1]:
        return "years (write them as 2020-01-01) or "
    if _EXCEL_DAYS[0] <= low and high <= _EXCEL_DAYS[1]:
        return "days as spreadsheets count them (subtract 25569 and multiply by 86400) or "
    return ""


def _date(seconds: int) -> str:
    """The day in UTC; years that the calendar of Python lacks as numbers of seconds."""
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).date().isoformat()
    except OverflowError:
        return f"{seconds:,} seconds since 1970"
