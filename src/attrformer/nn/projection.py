"""Attribute values of items carried over by M_a, in one compiled pass each way."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

MANY_FEATURES: Final = 1 << 16
"""Fewer items times values are not worth importing numba for."""


def projected(codes: Tensor, weights: Tensor, left: Tensor, right: Tensor, log_diagonal: Tensor) -> Tensor:
    """max(0, phi^T (diag(s) + left right^T)), `[n, values]`, on a CPU where numba can be imported.

    Args:
        codes: int64 `[n, k]`, the values of which phi is made.
        weights: float32 `[n, k]`, how much each counts; no gradient is made of them.
        left: `[values, r]`.
        right: `[values, r]`.
        log_diagonal: logarithm of s, `[values]`.
    """
    found: Tensor = _Projected.apply(codes, weights, left, right, log_diagonal)  # type: ignore[no-untyped-call]
    return found


class _Projected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, codes: Tensor, weights: Tensor, left: Tensor, right: Tensor, log_diagonal: Tensor) -> Tensor:
        from attrformer.nn.projection_kernels import project

        codes, weights, left = codes.contiguous(), weights.contiguous(), left.detach().contiguous()
        across, diagonal = right.detach().t().contiguous(), log_diagonal.detach().exp()
        out, reduced = torch.empty(len(codes), len(diagonal)), torch.empty(len(codes), len(across))
        project(*(tensor.numpy() for tensor in (codes, weights, left, across, diagonal, reduced, out)))
        ctx.save_for_backward(codes, weights, across, diagonal, reduced)
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.projection_kernels import gradients

        codes, weights, across, diagonal, reduced = ctx.saved_tensors
        of_left, of_across = torch.zeros(across.shape[::-1]), torch.zeros(across.shape)
        of_diagonal = torch.zeros_like(diagonal)
        read = (codes, weights, across, diagonal, reduced, outputs[0].contiguous())
        gradients(*(tensor.numpy() for tensor in (*read, of_left, of_across, of_diagonal)))
        # That of the logarithm.
        return None, None, of_left, of_across.t(), of_diagonal * diagonal
