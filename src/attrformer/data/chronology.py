"""The order of interactions: by user, then by time, and of one user at one time as they stand in the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
