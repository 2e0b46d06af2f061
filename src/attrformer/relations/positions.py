"""Behaviour attributes as relations between positions of one sequence: time gap and rating."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAP_BUCKETS = 24
"""Buckets of a time gap: one for no gap, one for up to 3 seconds, then one for each doubling from 4 seconds on."""


def level_edges(values: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """Quantile edges that cut a behaviour attribute (a rating) into at most `levels` levels.

    Args:
        values: all training values, NaN where missing.
        levels: the most levels.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.empty(0, dtype=np.float32)
    return np.unique(np.quantile(known, np.linspace(0, 1, levels + 1)[1:-1])).astype(np.float32)


def level(values: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.int64]:
    """Level of each value, 0 for missing, else 1 to `len(edges) + 1`.

    Args:
        values: any shape, NaN where missing.
        edges: from `level_edges`.
    """
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="left") + 1).astype(np.int64)
