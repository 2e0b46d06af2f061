"""The interactions of a range of users, oldest first, and what becomes of those that stand there twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import COUNT
from attrformer.data.chronology import stable_order
from attrformer.data.duplicates import COUNTED, Repeats, find_repeats
from attrformer.data.prepared.coding import Arrays
from attrformer.data.prepared.names import BEHAVIOUR, ITEMS, LENGTHS, ORDER, REPEATED, SAME, TIMES, USERS
from attrformer.data.prepared.plan import Plan


def order_range(plan: Plan, number: int, held: Arrays) -> Arrays:
    """The interactions of a range of users as they stand in the dataset.

    Args:
        plan: what was decided.
        number: of the range.
        held: its rows of all parts, as `code_part` gives them, in the order of the table.

    Returns:
        int64 `LENGTHS` `[users of the range]`; items, int64 `TIMES` and float32 behaviour attributes
        `[interactions]`; and `REPEATED`.
    """
    rows, order = held[USERS], held.get(ORDER)
    users = plan.starts[number + 1] - plan.starts[number]
    places = stable_order(rows, order)
    seconds = None if order is None else _seconds(plan, order[places])
    found: Arrays = {LENGTHS: np.bincount(rows, minlength=users)}
    repeats = _repeats(plan, held, places, found[LENGTHS], seconds)
    if plan.duplicates == COUNTED:
        counts = np.ones(len(rows), dtype=np.float32)
        if repeats.counts is not None:
            counts[slice(None) if repeats.kept is None else repeats.kept] = repeats.counts
        held = {**held, f"{BEHAVIOUR}{COUNT}": counts}
    if repeats.kept is not None:
        stays = np.zeros(len(rows), dtype=bool)
        stays[repeats.kept] = True
        stays = stays[places]
        places, seconds = places[stays], None if seconds is None else seconds[stays]
        found[LENGTHS] = np.bincount(rows[repeats.kept], minlength=users)
    if seconds is not None:
        found[TIMES] = seconds
    kept = [name for name in held if name == ITEMS or name.startswith(BEHAVIOUR)]
    found |= {name: held[name][places] for name in kept}
    return {**found, REPEATED: np.array([repeats.again, repeats.near], dtype=np.int64)}


def _seconds(plan: Plan, order: NDArray[Any]) -> NDArray[np.int64]:
    """Whole seconds since 1970 of the order of times."""
    assert plan.times is not None
    own = np.add(order, np.int64(plan.times.low), dtype=np.int64) if order.dtype.kind == "u" else order
    if own.dtype != np.int64 or plan.times.factor != 1:
        # As `times_of` divides.
        own = np.floor_divide(own, plan.times.factor).astype(np.float64).astype(np.int64)
    return own


def _repeats(
    plan: Plan,
    held: Arrays,
    places: NDArray[np.int64],
    lengths: NDArray[np.int64],
    seconds: NDArray[np.int64] | None,
) -> Repeats:
    """What becomes of rows that repeat others, which stand beside each other in the order by user and second."""
    same = np.ones(len(places) - 1, dtype=bool) if seconds is None else seconds[1:] == seconds[:-1]
    # Every user of a range has rows.
    same[np.cumsum(lengths)[:-1] - 1] = False
    if not same.any():
        return Repeats(None, None)
    among = np.zeros(len(places), dtype=bool)
    among[:-1] = same
    among[1:] |= same
    times = None
    if seconds is not None:
        times = np.empty_like(seconds)
        times[places] = seconds
    others = [SAME] if plan.same else [f"{BEHAVIOUR}{column.name}" for column in plan.columns]
    told = {name: held[name] for name in (USERS, ITEMS, ORDER, *others) if name in held}
    return find_repeats(pl.DataFrame(told), held[USERS], held[ITEMS], times, plan.duplicates, np.sort(places[among]))
