"""What relations say of pairs of positions, by compiled passes that make pairs with earlier positions alone.

Rows are filled up, so that loops over them have no rest. The plain way is in the modules of `nn/relations/`.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from attrformer.compiled import may_round

MANY: Final = 1 << 16
"""Fewer pairs are not worth a compiled pass."""

LANES: Final = 64
"""Rows are filled up to a multiple of so many positions, so that no loop has a rest that is computed one by one."""


def takes(items: Tensor) -> bool:
    """Whether pairs of positions of histories `[b, l]` are made here: on a CPU, in a step that may round."""
    return items.numel() * items.shape[1] >= MANY and items.device.type == "cpu" and may_round()


def filled_up(values: Tensor) -> Tensor:
    """Values `[b, l, l]` in rows that are filled up with 0, `[b, l, p]`; themselves where they lie in such rows."""
    (batch, length, _), wide = values.shape, _wide(values.shape[1])
    if values.stride() == (length * wide, wide, 1) and values.storage_offset() == 0:
        return values.as_strided((batch, length, wide), values.stride())
    out = torch.empty(batch, length, wide)
    out[..., length:] = 0
    out[..., :length] = values
    return out


def _wide(length: int) -> int:
    return length + -length % LANES


def of_rows(table: Tensor, rows: Tensor, items: Tensor, scale: float) -> Tensor:
    """log(1 + scale times a table's values) at rows and earlier items, `[b, l, l]`, 0 for later ones.

    Args:
        table: float32 `[rows, items]`; no gradient is made of it.
        rows: int64 `[b, l]`.
        items: int64 `[b, l]`.
        scale: above 0.
    """
    from attrformer.nn.pair_value_kernels import rows_logs

    length = rows.shape[1]
    out = torch.empty(len(rows), length, _wide(length))
    rows_logs(table.numpy(), rows.contiguous().numpy(), items.contiguous().numpy(), scale, out.numpy())
    return out[..., :length]


def of_slots(profiles: Tensor, codes: Tensor, weights: Tensor, scale: float) -> Tensor:
    """log(1 + scale times the profile of each position at the value of each earlier one), 0 for later ones.

    Args:
        profiles: float32 `[b, l, values]`.
        codes: int64 `[b, l]`, the value of each position.
        weights: float32 `[b, l]`, how much it counts; no gradient is made of them.
        scale: above 0.

    Returns:
        `[b, l, l]`.
    """
    found: Tensor = _Slots.apply(profiles, codes, weights, scale)  # type: ignore[no-untyped-call]
    return found


def of_products(profiles: Tensor, features: Tensor, scale: float) -> Tensor:
    """log(1 + scale times the product of each position's profile with the features of each earlier one).

    Args:
        profiles: float32 `[b, l, values]`.
        features: float32 `[b, l, values]`; no gradient is made of them.
        scale: above 0.

    Returns:
        `[b, l, l]`, 0 for later positions.
    """
    found: Tensor = _Products.apply(profiles, features, scale)  # type: ignore[no-untyped-call]
    return found


def of_buckets(values: Tensor, buckets: Tensor) -> Tensor:
    """Values `[n]` by the bucket of each pair, int64 `[b, l, l]`, 0 for later positions."""
    found: Tensor = _Buckets.apply(values, buckets)  # type: ignore[no-untyped-call]
    return found


class _Slots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, profiles: Tensor, codes: Tensor, weights: Tensor, scale: float) -> Tensor:
        from attrformer.nn.pair_value_kernels import slots_logs

        codes, weights, length = codes.contiguous(), weights.contiguous(), codes.shape[1]
        out = torch.empty(len(codes), length, _wide(length))
        tensors = (profiles.detach(), codes, weights)
        slots_logs(*(tensor.numpy() for tensor in tensors), scale, out.numpy())
        ctx.save_for_backward(codes, weights, out)
        ctx.scale, ctx.shape = scale, profiles.shape
        return out[..., :length]

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.pair_value_kernels import slots_gradients

        of_profiles = torch.zeros(ctx.shape)
        arrays = [tensor.numpy() for tensor in (*ctx.saved_tensors, outputs[0], of_profiles)]
        slots_gradients(ctx.scale, *arrays)
        return of_profiles, None, None, None


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, profiles: Tensor, features: Tensor, scale: float) -> Tensor:
        from attrformer.nn.pair_value_kernels import logs

        length = profiles.shape[1]
        out = torch.empty(len(profiles), length, _wide(length))
        logs(torch.bmm(profiles, features.transpose(1, 2)).numpy(), scale, out.numpy())
        ctx.save_for_backward(features, out)
        ctx.scale = scale
        return out[..., :length]

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.pair_value_kernels import of_logs

        features, out = ctx.saved_tensors
        own = torch.empty(*out.shape[:2], out.shape[1])
        of_logs(out.numpy(), outputs[0].numpy(), ctx.scale, own.numpy())
        return torch.bmm(own, features), None, None


class _Buckets(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, buckets: Tensor) -> Tensor:
        from attrformer.nn.pair_value_kernels import named

        length = buckets.shape[1]
        out = torch.empty(len(buckets), length, _wide(length))
        named(values.detach().numpy(), buckets.numpy(), out.numpy())
        ctx.save_for_backward(buckets)
        ctx.count = len(values)
        return out[..., :length]

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.pair_value_kernels import named_gradients

        of_values = torch.zeros(ctx.count, dtype=torch.float64)
        named_gradients(ctx.saved_tensors[0].numpy(), outputs[0].numpy(), of_values.numpy())
        return of_values.float(), None
