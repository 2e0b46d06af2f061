"""How much similar users and their steps count, with gradients by compiled passes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attrformer.nn.batch import NeighbourBatch


def weighed(found: NeighbourBatch, codes: Tensor, rows: Tensor, power: Tensor) -> Tensor:
    """Softmax weights of similar users, 0 throughout where there are none, `[b, t, k]`.

    Args:
        found: similar users.
        codes: int32 `[users, a]`, where in `rows` the value of each attribute stands.
        rows: `[b, v]`, logarithms of what counts for the user of each history, by value.
        power: of the similarity, a scalar.
    """
    weights: Tensor = _Weighed.apply(found.users, found.similarity, codes, rows, power)  # type: ignore[no-untyped-call]
    return weights


class _Weighed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, similarity: Tensor, codes: Tensor, rows: Tensor, power: Tensor) -> Tensor:
        from attrformer.nn.similar_user_kernels import weigh

        read = [users.int().contiguous(), similarity.contiguous(), codes]
        weights = torch.empty(users.shape)
        own = (rows.detach().contiguous(), power.detach().view(1))
        weigh(*(tensor.numpy() for tensor in (*read, *own, weights)))
        ctx.save_for_backward(*read, weights)
        ctx.values = rows.shape
        return weights

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.similar_user_kernels import weight_gradients

        of_rows, of_power = torch.zeros(ctx.values), torch.zeros(1)
        read = (*ctx.saved_tensors, outputs[0].contiguous())
        weight_gradients(*(tensor.numpy() for tensor in (*read, of_rows, of_power)))
        return None, None, None, of_rows, of_power.view(())


def entries_of(following: Tensor, weights: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """What similar users did in their next steps, and how much each counts.

    Args:
        following: int32 or int64 `[b, t, k, h]`, -1 for none.
        weights: of the users, `[b, t, k]`.
        steps: weights of the steps, `[h]`.

    Returns:
        Items int32 `[b, t, k h]`, and weights of the same shape, 0 for none.
    """
    found: tuple[Tensor, Tensor] = _Entries.apply(following, weights, steps)  # type: ignore[no-untyped-call]
    return found


class _Entries(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, following: Tensor, weights: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        from attrformer.nn.similar_user_kernels import spread

        flat = following.int().contiguous().view(-1, len(steps))
        own, each = weights.detach().contiguous().view(-1), steps.detach().contiguous()
        items, entries = torch.empty(flat.shape, dtype=torch.int32), torch.empty(flat.shape)
        spread(*(tensor.numpy() for tensor in (flat, own, each, items, entries)))
        ctx.save_for_backward(flat, own, each)
        ctx.shape = weights.shape
        named, said = (values.view(*weights.shape[:2], -1) for values in (items, entries))
        ctx.mark_non_differentiable(named)
        return named, said

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.similar_user_kernels import spread_gradients

        flat, own, each = ctx.saved_tensors
        of_weights, of_steps = torch.empty_like(own), torch.zeros_like(each)
        gradient = outputs[1].contiguous().view(flat.shape)
        spread_gradients(*(tensor.numpy() for tensor in (flat, own, each, gradient, of_weights, of_steps)))
        return None, of_weights.view(ctx.shape), of_steps
