"""The interactions of a range of users, oldest first, and what becomes of those that stand there twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import COUNT
from attrformer.data.duplicates import COUNTED, Repeats, find_repeats
from attrformer.data.prepared.coding import Arrays
from attrformer.data.prepared.plan import Plan
from attrformer.data.prepared.survey import BEHAVIOUR, ITEMS, ORDER, SAME, USERS

LENGTHS, TIMES, REPEATED = "lengths", "times", "repeated"
"""Interactions of each user; their times; how many rows repeat an earlier one in every column, and in some of them."""


def order_range(plan: Plan, number: int, pieces: Sequence[Arrays]) -> Arrays:
    """The interactions of a range of users as they stand in the dataset.

    Args:
        plan: what was decided.
        number: of the range.
        pieces: its rows of every part, in the order of the parts.

    Returns:
        int64 `LENGTHS` `[users of the range]`; int32 items, int64 `TIMES` and float32 behaviour attributes
        `[interactions]`; and `REPEATED`.
    """
    held = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    first, last = plan.starts[number], plan.starts[number + 1]
    rows = held[USERS] - np.int32(first)
    order = held.get(ORDER)
    seconds = None
    if order is not None and plan.times is not None:
        # As `times_of` divides.
        seconds = np.floor_divide(order, plan.times.factor).astype(np.float64).astype(np.int64)
    repeats = _repeats(plan, held, seconds)
    places = stable_order(rows, order)
    lengths = np.bincount(rows, minlength=last - first)
    counts = None
    if repeats.kept is not None:
        stays = np.zeros(len(rows), dtype=bool)
        stays[repeats.kept] = True
        places = places[stays[places]]
        lengths = np.bincount(rows[repeats.kept], minlength=last - first)
    if repeats.counts is not None:
        counts = np.ones(len(rows), dtype=np.float32)
        counts[np.arange(len(rows)) if repeats.kept is None else repeats.kept] = repeats.counts
    found: Arrays = {LENGTHS: lengths.astype(np.int64), ITEMS: held[ITEMS][places]}
    if seconds is not None:
        found[TIMES] = seconds[places]
    for column in plan.columns:
        found[f"{BEHAVIOUR}{column.name}"] = held[f"{BEHAVIOUR}{column.name}"][places]
    if plan.duplicates == COUNTED:
        found[f"{BEHAVIOUR}{COUNT}"] = (np.ones(len(rows), np.float32) if counts is None else counts)[places]
    return {**found, REPEATED: np.array([repeats.again, repeats.near], dtype=np.int64)}


def _repeats(plan: Plan, held: Arrays, seconds: NDArray[np.int64] | None) -> Repeats:
    told = {name: held[name] for name in (USERS, ITEMS, ORDER, SAME) if name in held}
    return find_repeats(pl.DataFrame(told), held[USERS], held[ITEMS], seconds, plan.duplicates)


def stable_order(rows: NDArray[np.int32], order: NDArray[np.int64] | NDArray[np.float64] | None) -> NDArray[np.int64]:
    """The places of interactions by user, then by time; those of one user at one time as they stand.

    Args:
        rows: the user of each, from 0 on.
        order: numbers in the order of the times; None where the order of the rows counts.
    """
    largest = int(rows.max(initial=0))
    if order is None or bool((order[1:] >= order[:-1]).all()):
        return by_small_numbers(rows, largest)
    by_time = np.argsort(order, kind="stable")
    return by_time[by_small_numbers(rows[by_time], largest)]


def by_small_numbers(numbers: NDArray[np.int32], largest: int) -> NDArray[np.int64]:
    """What a stable sort of whole numbers from 0 on gives, in time that grows with their count.

    Args:
        numbers: `[n]`.
        largest: of them.
    """
    # NumPy sorts numbers of 16 bits by counting.
    low = np.argsort(numbers.astype(np.uint16), kind="stable")
    if largest < 2**16:
        return low
    high = (numbers >> 16).astype(np.uint16)[low]
    found: NDArray[np.int64] = low[np.argsort(high, kind="stable")]
    return found
