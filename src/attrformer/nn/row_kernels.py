"""Look-ups in rows of which the largest entries are kept, compiled by numba: exactly what `nn/tables.py` finds.

Imported only where numba can be (`attrformer.compiled`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.compiled import compiler

exact: Final = compiler(error_model="numpy")


@exact
def pairs(indices: Any, values: Any, starts: Any, ends: Any, items: Any, slots: Any, out: Any) -> None:
    """Values of rows at items.

    Args:
        indices: int32 `[entries]`, the items of the entries of all rows.
        values: float32 `[entries]`, at least 0.
        starts: int64 `[b, t]`, where the entries of each row begin.
        ends: int64 `[b, t]`, where they end.
        items: int64 `[b, s]`, which may repeat.
        slots: int32 `[columns]`, -1 throughout, and again at the end.
        out: `[b, t, s]`, 0 at the start.
    """
    following = np.empty(items.shape[1], np.int32)
    for b in range(len(items)):
        # Positions of one item form a chain.
        for s in range(items.shape[1]):
            following[s], slots[items[b, s]] = slots[items[b, s]], s
        for t in range(starts.shape[1]):
            for e in range(starts[b, t], ends[b, t]):
                s = slots[indices[e]]
                while s >= 0:
                    # An unused place names item 0 and has no value.
                    if values[e] > 0:
                        out[b, t, s] = values[e]
                    s = following[s]
        for s in range(items.shape[1]):
            slots[items[b, s]] = -1


@exact
def cut(
    indices: Any, values: Any, starts: Any, ends: Any, places: Any, limit: Any, items: Any, kept: Any, counts: Any
) -> None:
    """Rows cut to some items, the entries that are left first and in their order.

    Args:
        indices: as for `pairs`.
        values: as for `pairs`.
        starts: int64 `[n]`, where the entries of each row begin.
        ends: int64 `[n]`, where they end.
        places: int32 `[columns]`, what takes the place of each item.
        limit: entries whose place is below it are left.
        items: int32 `[n, k]`, 0 at the start; the places.
        kept: float32 `[n, k]`, 0 at the start; the values.
        counts: int32 `[n]`, filled with the number of entries that are left.
    """
    for row in range(len(starts)):
        count = 0
        for e in range(starts[row], ends[row]):
            place = places[indices[e]]
            if place < limit and values[e] > 0:
                items[row, count], kept[row, count] = place, values[e]
                count += 1
        counts[row] = count


@exact
def place(items: Any, places: Any, limit: Any, out: Any) -> None:
    """What takes the place of items, -1 where that is not below a limit.

    Args:
        items: int32 or int64 `[n]`.
        places: as for `cut`.
        limit: as for `cut`.
        out: int32 `[n]`, filled in.
    """
    for n in range(len(items)):
        found = places[items[n]]
        out[n] = found if found < limit else -1


@exact
def take(values: Any, rows: Any, columns: Any, out: Any) -> None:
    """Some columns `[c]` of some rows `[n]` of a table, into `out` `[n, c]`."""
    for n in range(len(rows)):
        own, row = out[n], values[rows[n]]
        for c in range(len(columns)):
            own[c] = row[columns[c]]


@exact
def add_strengths(indices: Any, values: Any, starts: Any, ends: Any, total: Any) -> None:
    """Adds the entries of some rows, each over the largest of its row, up by item.

    Args:
        indices: as for `pairs`.
        values: as for `pairs`.
        starts: int64 `[n]`, where the entries of each row begin.
        ends: int64 `[n]`, where they end.
        total: float32 `[columns]`, added to.
    """
    for row in range(len(starts)):
        largest = np.float32(1e-12)
        for e in range(starts[row], ends[row]):
            largest = max(largest, values[e])
        for e in range(starts[row], ends[row]):
            total[indices[e]] += values[e] / largest
