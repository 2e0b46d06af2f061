"""Recency profiles of all relations in one pass, compiled by numba; `nn/recency.py` has the same in many operations.

Imported only where numba can be (`attrformer.compiled`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from attrformer.nn.number_kernels import compiled


@compiled
def _products(bins: Any, gaps: Any, distance: Any, gap: Any, position: Any, out: Any) -> None:
    """Products of what distance, gap and position stand for.

    Args:
        bins: int64 `[b, t, l]`.
        gaps: int64 `[b, t, l]`; no rows where the gap plays no part.
        distance: `[r, bins]`.
        gap: `[r, gaps]`.
        position: `[r, b, l]`.
        out: `[r, b, t, l]`, filled in.
    """
    for r in range(len(out)):
        by_distance, by_gap = distance[r], gap[r]
        for b in range(out.shape[1]):
            by_position = position[r, b]
            for t in range(out.shape[2]):
                row, own = out[r, b, t], bins[b, t]
                for s in range(len(row)):
                    row[s] = by_distance[own[s]] * by_position[s]
                if len(gaps):
                    own = gaps[b, t]
                    for s in range(len(row)):
                        row[s] *= by_gap[own[s]]


@compiled
def _sums(bins: Any, gaps: Any, out: Any, gradient: Any, of_distance: Any, of_gap: Any, of_position: Any) -> None:
    """Gradients of the logarithms of what `_products` multiplies.

    Args:
        bins: as for `_products`.
        gaps: as for `_products`.
        out: as `_products` made it.
        gradient: of it, same shape.
        of_distance: float64 `[r, bins]`, 0 at the start.
        of_gap: float64 `[r, gaps]`, 0 at the start.
        of_position: `[r, b, l]`, 0 at the start.
    """
    for r in range(len(out)):
        by_distance, by_gap = of_distance[r], of_gap[r]
        for b in range(out.shape[1]):
            by_position = of_position[r, b]
            for t in range(out.shape[2]):
                for s in range(out.shape[3]):
                    own = out[r, b, t, s]
                    if own == 0:
                        continue
                    own *= gradient[r, b, t, s]
                    by_distance[bins[b, t, s]] += own
                    by_position[s] += own
                    if len(gaps):
                        by_gap[gaps[b, t, s]] += own


class _Profiles(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, distance: Tensor, gap: Tensor, position: Tensor, bins: Tensor, gaps: Tensor, keep: Tensor
    ) -> Tensor:
        out = torch.empty(len(distance), *bins.shape)
        logarithms = (distance.detach(), gap.detach(), position.detach())
        tables = [table.exp() for table in logarithms]
        tables[2] *= keep
        _products(*(tensor.numpy() for tensor in (bins, gaps, *tables, out)))
        ctx.save_for_backward(out, bins, gaps)
        ctx.shapes = [table.shape for table in logarithms]
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        out, bins, gaps = ctx.saved_tensors
        found = [np.zeros(shape, kind) for shape, kind in zip(ctx.shapes, ("f8", "f8", "f4"), strict=True)]
        arrays = (bins, gaps, out, outputs[0].contiguous())
        _sums(*(tensor.numpy() for tensor in arrays), *found)
        return (*(torch.from_numpy(each).float() for each in found), None, None, None)


def profiles(
    distance: Tensor, gap: Tensor | None, position: Tensor, bins: Tensor, gaps: Tensor | None, keep: Tensor
) -> Tensor:
    """Beta of r relations: the exponential of the sum of three look-ups.

    Args:
        distance: logarithms by bin, `[r, bins]`.
        gap: logarithms by bucket of the time gap, `[r, gaps]`; None where it plays no part.
        position: logarithms by position, `[r, b, l]`.
        bins: int64 `[b, t, l]`.
        gaps: int64 `[b, t, l]`; None where they play no part.
        keep: float32 `[b, l]`, 0 for positions that do not count, else 1.

    Returns:
        `[r, b, t, l]`.
    """
    if gap is None or gaps is None:
        gap, gaps = distance.new_zeros(len(distance), 1), bins[:0]
    arguments = (distance, gap, position, bins.contiguous(), gaps.contiguous(), keep)
    found: Tensor = _Profiles.apply(*arguments)  # type: ignore[no-untyped-call]
    return found
