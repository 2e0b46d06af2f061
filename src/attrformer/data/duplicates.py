"""Interactions that stand in a table more than once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import COUNT

KEEP: Final = "keep"
DROP: Final = "drop"
COUNTED: Final = "count"

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """Rows that stay of a table of interactions.

    Args:
        kept: int64, their numbers, ascending; None where all stay.
        counts: how often each row that stays is there, int64; None where that is not asked for.
        again: how many rows repeat an earlier one in every column.
        near: how many repeat user, item and time of an earlier one with other values.
    """

    kept: NDArray[np.int64] | None
    counts: NDArray[np.int64] | None
    again: int = 0
    near: int = 0


def find_repeats(
    frame: pl.DataFrame,
    users: NDArray[Any],
    items: NDArray[Any],
    times: NDArray[np.int64] | None,
    wanted: str | None,
    among: NDArray[np.int64] | None = None,
) -> Repeats:
    """Rows that say again what an earlier row says, and what becomes of them.

    Args:
        frame: every column of the interactions, index columns excepted.
        users: the code of each row's user.
        items: the code of each row's item.
        times: the time of each row, or None; without times nothing tells a repeated row from a repeated act.
        wanted: "keep", "drop" or "count"; None keeps, and the note says how to choose.
        among: the rows that may have user and time of another one, ascending; all of them where it is not known.
    """
    counted = wanted == COUNTED
    nothing = Repeats(None, np.ones(len(frame), dtype=np.int64) if counted else None)
    if among is None:
        suspects = _suspects(users, items, times)
    else:
        suspects = among[_suspects(users[among], items[among], None if times is None else times[among])]
    if not len(suspects):
        return nothing
    keys = pl.DataFrame({"user": users[suspects], "item": items[suspects]})
    if times is not None:
        keys = keys.with_columns(time=pl.Series(times[suspects]))
    at_once = keys.is_duplicated().to_numpy()
    suspects, keys = suspects[at_once], keys.filter(pl.Series(at_once))
    if not len(suspects):
        return nothing
    first = _first_of_equal(frame[suspects])
    again = first != np.arange(len(suspects))
    repeated = int(again.sum())
    near = len(suspects) - keys.n_unique() - repeated
    if wanted not in (DROP, COUNTED):
        return Repeats(None, None, repeated, near)
    kept = np.delete(np.arange(len(frame)), suspects[again])
    if not counted:
        return Repeats(kept, None, repeated, near)
    counts = np.ones(len(frame), dtype=np.int64)
    np.add.at(counts, suspects[first[again]], 1)
    return Repeats(kept, counts[kept], repeated, near)


def _suspects(users: NDArray[Any], items: NDArray[Any], times: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Rows that may have user, item and time of another one, ascending; none that has is left out."""
    keys = users.astype(np.uint64) * np.uint64(int(items.max(initial=0)) + 1) + items.astype(np.uint64)
    if times is not None:
        keys = keys * _SPREAD + times.astype(np.uint64)
    numbers = pl.Series(keys)
    if numbers.n_unique() == len(numbers):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(numbers.is_duplicated().to_numpy())


def _first_of_equal(frame: pl.DataFrame) -> NDArray[np.int64]:
    """For each row the number of the first one that is equal in every column."""
    texts = [column for column, kind in frame.schema.items() if kind.is_nested() or kind == pl.Object]
    plain = frame.with_columns(pl.Series(name, [repr(value) for value in frame[name].to_list()]) for name in texts)
    number = "row number" + "_" * max(map(len, frame.columns))
    numbered = plain.with_row_index(number)
    firsts = numbered.select(pl.col(number).min().over(plain.columns))
    return firsts.to_series().to_numpy().astype(np.int64)


def repeat_notes(rows: int, again: int, near: int, timed: bool, wanted: str | None) -> list[str]:
    """What is to be said of rows that say again what an earlier row says.

    Args:
        rows: of the table.
        again: how many repeat an earlier one in every column.
        near: how many repeat user, item and time with other values.
        timed: whether there are times; without them nothing tells such a row from a repeated act.
        wanted: as `find_repeats` takes it.
    """
    notes = []
    if again:
        done = {None: "are kept as acts of their own", KEEP: "are kept as acts of their own", DROP: "are left out"}
        said = done.get(wanted, f"are added up in the behaviour attribute '{COUNT}'")
        hint = " (duplicates='drop' leaves them out, 'count' adds them up)" if wanted is None else ""
        notes.append(f"{again:,} of {rows:,} rows repeat an earlier row in every column and {said}{hint}")
    if near and timed:
        notes.append(f"{near:,} rows repeat user, item and time of an earlier row with other values, and are kept")
    return notes
