"""Weighted sums of rows of small and large tables, with gradients by compiled passes."""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.compiled import may_round

MANY: Final = 1 << 14
"""Fewer entries are not worth importing numba for."""


def weighted_sums(rows: Tensor, table: Tensor, weights: Tensor) -> Tensor:
    """Rows of a table added up with weights, `[n, d]`.

    Args:
        rows: int32 or int64 `[n, k]`.
        table: float32 `[m, d]`.
        weights: float32 `[n, k]`.
    """
    if rows.numel() >= MANY and rows.device.type == "cpu" and may_round():
        found: Tensor = _WeightedSums.apply(rows, table, weights)  # type: ignore[no-untyped-call]
        return found
    return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")


class _WeightedSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, table: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, table, weights)
        return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        from attrformer.nn.bag_kernels import gradients

        rows, table, weights = ctx.saved_tensors
        _, needs_table, needs_weights = ctx.needs_input_grad
        # Not like table and weights, which may lie in memory in another order.
        of_table = torch.zeros(table.shape) if needs_table else table[:0]
        of_weights = torch.zeros(weights.shape) if needs_weights else weights[:0]
        tensors = (rows, table.detach(), weights.detach(), outputs[0], of_table.detach(), of_weights.detach())
        gradients(*(tensor.contiguous().numpy() for tensor in tensors))
        return None, of_table if needs_table else None, of_weights if needs_weights else None


def described(rows: Tensor, items: Tensor, share: float, attributes: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Rows of items to which the embeddings of their attribute values are added, by a compiled pass.

    Args:
        rows: `[n, d]`, embeddings of the items' own.
        items: int64 `[n]`.
        share: how much attributes count for an item whose own embedding is 0.
        attributes: of each, the embeddings of its values `[v, d]`, and value codes int64 and weights float32 of every
            item, `[items, k]`.
    """
    flat = [tensor for attribute in attributes for tensor in attribute]
    found: Tensor = _Described.apply(rows, items, share, *flat)  # type: ignore[no-untyped-call]
    return found


class _Described(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, items: Tensor, share: float, *flat: Tensor) -> Tensor:
        from attrformer.nn.bag_kernels import add_values, shares

        out, each = rows.detach().clone(), torch.empty(len(rows))
        shares(out.numpy(), share, each.numpy())
        for k in range(0, len(flat), 3):
            embedding, codes, weights = flat[k : k + 3]
            add_values(out.numpy(), *(t.numpy() for t in (items, each, codes, weights, embedding.detach())))
        ctx.save_for_backward(items, each, *flat)
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.bag_kernels import add_to_values

        items, each, *flat = ctx.saved_tensors
        gradient, found = outputs[0].contiguous(), []
        for k in range(0, len(flat), 3):
            embedding, codes, weights = flat[k : k + 3]
            of_embedding = torch.zeros_like(embedding)
            add_to_values(*(t.numpy() for t in (gradient, items, each, codes, weights, of_embedding)))
            found += [of_embedding, None, None]
        return gradient, None, None, *found
