"""Rows of a parameter of which a process may hold a part alone."""

from __future__ import annotations

from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

_FETCHED: Final = "fetched_rows"


def fetch(parameter: nn.Parameter, rows: Tensor | None) -> None:
    """Lays down the rows that `rows_of` gives until the next call.

    Args:
        parameter: of which this process holds a part.
        rows: `[n, d]`, a leaf that gets a gradient; None: the parameter is whole again.
    """
    setattr(parameter, _FETCHED, rows)


def fetched(parameter: nn.Parameter) -> Tensor | None:
    """The rows that were laid down for a parameter, or None."""
    rows: Tensor | None = getattr(parameter, _FETCHED, None)
    return rows


def rows_of(parameter: nn.Parameter, items: Tensor) -> Tensor:
    """Rows of a parameter, whose gradient is sparse.

    Args:
        parameter: `[items, d]`, or the part of it that this process holds, after `fetch`.
        items: int64 `[n]`, distinct; the items whose rows were fetched.
    """
    found = fetched(parameter)
    return F.embedding(items, parameter, sparse=True) if found is None else found
