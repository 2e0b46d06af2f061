"""The order of interactions: by user, then by time, and of one user at one time as they stand in the table."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SMALL: Final = 4
"""Bytes of numbers that are sorted by counting."""


def stable_order(rows: NDArray[Any], order: NDArray[Any] | None) -> NDArray[np.int64]:
    """The places of interactions by user, then by time; those of one user at one time as they stand.

    Args:
        rows: the user of each, from 0 on, whole numbers of at most 32 bits.
        order: whole or floating-point numbers in the order of the times; None where the order of the rows counts.
    """
    largest = int(rows.max(initial=0))
    if order is None or bool((order[1:] >= order[:-1]).all()):
        return by_small_numbers(rows, largest)
    small = order.dtype.kind == "u" and order.dtype.itemsize <= _SMALL
    by_time = by_small_numbers(order, int(order.max())) if small else np.argsort(order, kind="stable")
    return by_time[by_small_numbers(rows[by_time], largest)]


def by_small_numbers(numbers: NDArray[Any], largest: int) -> NDArray[np.int64]:
    """What a stable sort of whole numbers from 0 on gives, in time that grows with their count.

    Args:
        numbers: `[n]`, of at most 32 bits.
        largest: of them.
    """
    # NumPy sorts numbers of 16 bits by counting.
    low = np.argsort(numbers.astype(np.uint16), kind="stable")
    if largest < 2**16:
        return low
    high = (numbers >> 16).astype(np.uint16)[low]
    found: NDArray[np.int64] = low[np.argsort(high, kind="stable")]
    return found
