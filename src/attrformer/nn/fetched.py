"""Rows of a parameter of which a process may hold a part alone."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

from attrformer.ranks import Ranks

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


def from_owners(own: Tensor, items: Tensor, owned: slice, ranks: Ranks) -> Tensor:
    """Rows of a table of which each rank holds some, `[n, ...]`, the same on all ranks.

    Args:
        own: `[own, ...]`, the rows of this rank.
        items: int64 `[n]`, the same on all ranks.
        owned: numbers of the own rows.
        ranks: that hold the other rows.
    """
    rows = own.new_zeros(len(items), *own.shape[1:])
    here = (items >= owned.start) & (items < owned.stop)
    rows[here] = own[items[here] - owned.start]
    ranks.sum(rows)
    return rows


def rows_of(parameter: nn.Parameter, items: Tensor) -> Tensor:
    """Rows of a parameter, whose gradient is sparse.

    Args:
        parameter: `[items, d]`, or the part of it that this process holds, after `fetch`.
        items: int64 `[n]`, distinct; the items whose rows were fetched.
    """
    found = fetched(parameter)
    if found is None:
        found = _Rows.apply(parameter, items)  # type: ignore[no-untyped-call]
    return found


class _Rows(torch.autograd.Function):
    """Rows, each once, so that their gradients need no sorting to be added up."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, items: Tensor) -> Tensor:
        ctx.save_for_backward(items)
        ctx.shape = table.shape
        return table.index_select(0, items)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        (items,) = ctx.saved_tensors
        gradient = torch.sparse_coo_tensor(
            items.unsqueeze(0), outputs[0], ctx.shape, is_coalesced=True, check_invariants=False
        )
        return gradient, None
