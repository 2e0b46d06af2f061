"""From a table of interactions to sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import COUNT, ITEM, TIMESTAMP, USER
from attrformer.csr import offsets_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.behaviour_columns import read_behaviours
from attrformer.data.chronology import stable_order
from attrformer.data.duplicates import COUNTED, find_repeats, repeat_notes
from attrformer.data.id_columns import spelling_notes
from attrformer.data.id_map import IdMap
from attrformer.data.meaning import Meaning
from attrformer.data.options import INTERACTIONS
from attrformer.data.sequences import Sequences
from attrformer.data.tables import Table, id_column, require_columns
from attrformer.data.times import Times, joined_form, times_of
from attrformer.errors import DataError

_1980: Final = 315_532_800
_2100: Final = 4_102_444_800
_DAY: Final = 86_400
_YEARS: Final = (1_900, 2_100)
# From 2000 to 2064.
_EXCEL_DAYS: Final = (36_526, 60_000)


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


class TimeSpan(NamedTuple):
    """What is to be known of the times of a table, or of a part of it.

    Args:
        form: what the column holds, in words.
        factor: how many of the column's own units make a second.
        whole: whether these are whole numbers.
        rows: how many there are.
        first: the earliest, in seconds since 1970.
        last: the latest.
        low: the earliest in the column's own units.
        high: the latest.
        early: how many are of the first day of 1970 or before.
        late: how many are after the year 2100.
        date_order: what stands first in its dates, where their form leaves that open; else empty.
    """

    form: str
    factor: int
    whole: bool
    rows: int
    first: int
    last: int
    low: float
    high: float
    early: int
    late: int
    date_order: str = ""

    @classmethod
    def of(cls, times: Times) -> TimeSpan:
        """What is to be known of at least one time."""
        seconds, order = times.seconds, times.order
        whole = bool(np.issubdtype(order.dtype, np.integer))
        ends = (int(seconds.min()), int(seconds.max()), order.min().item(), order.max().item())
        counts = (int((seconds <= _DAY).sum()), int((seconds > _2100).sum()))
        return cls(times.form, times.factor, whole, len(seconds), *ends, *counts, times.date_order)

    def then(self, other: TimeSpan) -> TimeSpan:
        """The same of two parts whose times are of one form."""
        return self._replace(
            form=joined_form(self.form, other.form) or self.form,
            date_order=self.date_order or other.date_order,
            whole=self.whole and other.whole,
            rows=self.rows + other.rows,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            early=self.early + other.early,
            late=self.late + other.late,
        )


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
    times = None
    if TIMESTAMP in table.frame.columns:
        times = times_of(table.frame[TIMESTAMP], source=table.source, date_order=table.date_order)
    found += time_notes(None if times is None else TimeSpan.of(times))
    behaviours, values, said = read_behaviours(table, kinds)
    seconds = None if times is None else times.seconds.astype(np.int64)
    orders = {INTERACTIONS: times.date_order} if times is not None and times.date_order else {}
    repeats = find_repeats(table.frame, rows, codes, seconds, duplicates)
    if duplicates == COUNTED and repeats.counts is not None:
        behaviours[COUNT] = _counts(table, repeats.counts)
    unordered = Sequences(np.empty(0, np.int64), codes, seconds, behaviours, Meaning(values, date_orders=orders))
    if repeats.kept is not None:
        unordered, rows = _only(unordered, rows, repeats.kept, counted=duplicates == COUNTED)
    order = _order(rows, times, repeats.kept)
    offsets = offsets_of(np.bincount(rows, minlength=len(user_ids)))
    repeated = repeat_notes(len(table.frame), repeats.again, repeats.near, times is not None, duplicates)
    notes = [f"{table.label}: {note}" for note in (*said, *found, *repeated)]
    return Interactions(user_ids, item_ids, unordered.select(order, offsets), notes)


def _order(rows: NDArray[np.int32], times: Times | None, kept: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if times is None:
        return stable_order(rows, None)
    return stable_order(rows, times.order if kept is None else times.order[kept])


def _only(
    sequences: Sequences, rows: NDArray[np.int32], kept: NDArray[np.int64], *, counted: bool
) -> tuple[Sequences, NDArray[np.int32]]:
    """The interactions that are kept; counts are of these already."""
    behaviours = {
        name: values if counted and name == COUNT else values[kept] for name, values in sequences.behaviours.items()
    }
    times = None if sequences.times is None else sequences.times[kept]
    return replace(sequences, items=sequences.items[kept], times=times, behaviours=behaviours), rows[kept]


def _counts(table: Table, counts: NDArray[np.int64]) -> NDArray[np.float32]:
    if COUNT in table.frame.columns:
        raise clashing_count(table.source)
    return counts.astype(np.float32)


def clashing_count(source: str) -> DataError:
    """The error for a table that has a column in which repeated rows are to be counted."""
    return DataError(
        f"the table has a column '{COUNT}', and repeated rows are to be counted in one of that name",
        fix="Rename the column, or pass duplicates='drop'",
        source=source,
        column=COUNT,
    )


def time_notes(span: TimeSpan | None) -> list[str]:
    """What the times are taken for and the dates they span; None where there are no times."""
    if span is None:
        return [f"no column '{TIMESTAMP}', the order of the rows counts"]
    notes = [f"column '{TIMESTAMP}' holds {span.form}, from {_date(span.first)} to {_date(span.last)}"]
    if span.first == span.last and span.rows > 1:
        notes.append("all times are the same, the order of the rows counts")
    elif span.last < _1980:
        notes[0] += (
            f"; if nothing happened then, they are {_perhaps(span)}counters, and only their order means anything"
        )
    elif span.last > _1980:
        notes += [f"{span.early:,} times are of 1970-01-01 or before, as missing ones often are"] if span.early else []
        notes += [f"{span.late:,} times are after the year 2100"] if span.late else []
    return notes


def _perhaps(span: TimeSpan) -> str:
    """What else numbers so small may be: years, or days as spreadsheets count them."""
    low, high = int(span.low), int(span.high)
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
