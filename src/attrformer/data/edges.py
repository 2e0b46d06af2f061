"""Edges between items, as the user supplied them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """An edge table between items that the user supplied (also bought, a knowledge graph).

    Args:
        source: int32 `[e]`, item codes.
        target: int32 `[e]`, item codes.
        weight: float32 `[e]`, positive.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"Edges({len(self.source):,})"
