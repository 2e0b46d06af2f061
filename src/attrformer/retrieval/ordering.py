"""An order of vectors in which like ones stand close together."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_CENTRES: Final = 1024
_ITEMS_OF_A_CENTRE: Final = 64
_BLOCK: Final = 1 << 16


def like_by_like(table: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows of a table so that vectors of like direction follow each other, int64 `[n]`.

    Each vector goes to the nearest of some that are drawn, and those are walked through from each to the nearest one
    left. The same table gives the same order.

    Args:
        table: float32 `[n, d]`.
    """
    count = min(_CENTRES, len(table) // _ITEMS_OF_A_CENTRE)
    if count < 2:
        return np.arange(len(table))
    drawn = np.random.default_rng(0).choice(len(table), count, replace=False)
    centres = F.normalize(torch.from_numpy(table[drawn]))
    walked = _walk(centres @ centres.t())
    nearest = np.empty(len(table), dtype=np.int16)
    columns = centres[walked].t().contiguous()
    for start in range(0, len(table), _BLOCK):
        block = torch.from_numpy(table[start : start + _BLOCK])
        nearest[start : start + _BLOCK] = (block @ columns).argmax(1).numpy()
    return np.argsort(nearest, kind="stable")


def _walk(likeness: Tensor) -> Tensor:
    """A way through all rows, each time to the likest one that is left; int64 `[n]`."""
    likeness = likeness.clone()
    path = torch.empty(len(likeness), dtype=torch.long)
    here = 0
    for step in range(len(likeness)):
        path[step] = here
        likeness[:, here] = -torch.inf
        here = int(likeness[here].argmax())
    return path
