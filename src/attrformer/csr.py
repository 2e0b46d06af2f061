"""Compressed rows: one array of values, and offsets that cut it into rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def offsets_of(lengths: NDArray[np.integer] | NDArray[np.bool_] | Sequence[int]) -> NDArray[np.int64]:
    """Where each row begins, and where the last one ends, int64 `[rows + 1]`.

    Args:
        lengths: values in each row, `[rows]`.
    """
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(np.asarray(lengths, dtype=np.int64), out=offsets[1:])
    return offsets


def positions_in_rows(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """The position of every value within its row, from 0 on, int64 `[sum of lengths]`.

    Args:
        lengths: values in each row, `[rows]`.
    """
    offsets = offsets_of(lengths)
    within: NDArray[np.int64] = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return within
