"""Heads of attention on a CPU by compiled passes: weights of one history and one head at a time, which fit the cache.

Nothing of the size of all pairs of positions is kept for the way back; weights are made once more there. The plain way
is in `nn/attention.py` and stays the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from attrformer.compiled import may_round
from attrformer.nn.column_loss import LEAST_LOGITS
from attrformer.nn.recency import look_up
from attrformer.nn.workers import each_share

def takes(logits: int, device: torch.device) -> bool:
    """Whether the heads are computed here: on a CPU, in a step that may round, where it is worth importing numba for.

    Args:
        logits: targets of the batch times items that they are scored with.
        device: of the network.
    """
    return device.type == "cpu" and logits >= LEAST_LOGITS and may_round()


@dataclass(slots=True, eq=False)
class HeadValues:
    """What the relation heads of all layers read of a batch.

    Layers add their gradients of the values to the same memory; autograd asks for them when all have.

    Args:
        given: R_a(i_t, i_s) of each head, `[b, l, l]`.
        lengths: int64 `[b]`, positions before padding.
        distances: int64 `[l]`, the bin of the distance l - 1 - k at k.
    """

    given: InitVar[list[Tensor]]
    lengths: Tensor
    distances: Tensor
    values: Tensor = field(init=False)
    read: Tensor = field(init=False)
    learned: Tensor = field(init=False)
    gradients: Tensor = field(init=False)

    def __post_init__(self, given: list[Tensor]) -> None:
        from attrformer.nn.attention_kernels import LANES

        length = given[0].shape[1]
        rest = -length % LANES
        self.values = torch.empty(len(given), *given[0].shape[:2], length + rest)
        # It is read, and counts for nothing.
        self.values[..., length:] = 0
        for own, value in zip(self.values, given, strict=True):
            own[..., :length] = value.detach()
        asked = [value for value in given if value.requires_grad]
        numbers = iter(range(len(asked)))
        self.learned = torch.tensor([next(numbers) if value.requires_grad else -1 for value in given])
        self.gradients = torch.zeros(len(asked), *self.values.shape[1:])
        # Its gradient is 0; it tells autograd that the layers read the values.
        self.read = _Read.apply(self.gradients, length, *asked)  # type: ignore[no-untyped-call]


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradients: Tensor, length: int, *values: Tensor) -> Tensor:
        ctx.gradients, ctx.length = gradients, length
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, *(gradient[..., : ctx.length] for gradient in ctx.gradients))


def mixed(held: HeadValues, temperature: Tensor, bias: Tensor, spoken: Tensor, places: Tensor) -> Tensor:
    """What the relation heads of a layer read of the positions.

    Args:
        held: what they weigh by.
        temperature: `[r]`.
        bias: `[r, bins]` by distance.
        spoken: what each position says to each head, `[b, l, r, w]`.
        places: int64 `[b, t]`.

    Returns:
        `[b, t, r, w]`; 0 at places of padding.
    """
    found: Tensor = _Mixed.apply(held, held.read, temperature, look_up(bias, held.distances), spoken, places)  # type: ignore[no-untyped-call]
    return found


def ordinary(query: Tensor, key: Tensor, spoken: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
    """What ordinary heads read of the positions.

    Args:
        query: of the places, `[b, t, h, w]`.
        key: `[b, l, h, w]`.
        spoken: what each position says to each head, `[b, l, h, w]`.
        places: int64 `[b, t]`.
        lengths: int64 `[b]`, positions before padding.

    Returns:
        `[b, t, h, w]`; 0 at places of padding.
    """
    found: Tensor = _Ordinary.apply(query, key, spoken, places, lengths)  # type: ignore[no-untyped-call]
    return found


def _each_pair(run: Callable[[NDArray[np.int64]], None], spoken: Tensor) -> None:
    """Runs shares of all pairs of a history and a head."""
    pairs = list(range(spoken.shape[0] * spoken.shape[2]))
    each_share(lambda share: run(np.array(share)), pairs, spoken.device)


def _arrays(*tensors: Tensor) -> list[NDArray[Any]]:
    return [tensor.detach().numpy() for tensor in tensors]


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, held: HeadValues, read: Tensor, temperature: Tensor, bias: Tensor, spoken: Tensor, places: Tensor
    ) -> Tensor:
        from attrformer.nn.attention_kernels import relation_heads

        filled = F.pad(bias, (0, held.values.shape[3]), value=-torch.inf)
        out, divisors = torch.empty(*places.shape, *spoken.shape[2:]), torch.zeros(spoken.shape[2], *places.shape)
        inputs = (held.values, places.contiguous(), held.lengths, temperature, filled, spoken, out, divisors)
        arrays = _arrays(*inputs)
        _each_pair(lambda pairs: relation_heads(pairs, *arrays), spoken)
        ctx.save_for_backward(*inputs)
        ctx.learned, ctx.gradients = held.learned, held.gradients
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.attention_kernels import relation_gradients

        inputs, back = ctx.saved_tensors, outputs[0].contiguous()
        bias, spoken = inputs[4], inputs[5]
        batch, length, heads = spoken.shape[:3]
        of_temperature, of_bias = torch.zeros(heads, batch), torch.zeros(heads, batch, bias.shape[1])
        of_spoken = torch.empty(spoken.shape)
        arrays = _arrays(*inputs, back, of_temperature, of_bias, ctx.learned, ctx.gradients, of_spoken)
        _each_pair(lambda pairs: relation_gradients(pairs, *arrays), spoken)
        return None, torch.zeros(()), of_temperature.sum(1), of_bias[..., :length].sum(1), of_spoken, None


class _Ordinary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, spoken: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
        from attrformer.nn.attention_kernels import ordinary_heads

        out, divisors = torch.empty(*places.shape, *spoken.shape[2:]), torch.zeros(spoken.shape[2], *places.shape)
        inputs = (query, key, places.contiguous(), lengths, spoken, out, divisors)
        arrays = _arrays(*inputs)
        _each_pair(lambda pairs: ordinary_heads(pairs, *arrays), spoken)
        ctx.save_for_backward(*inputs)
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.attention_kernels import ordinary_gradients

        inputs, back = ctx.saved_tensors, outputs[0].contiguous()
        query, key, spoken = inputs[0], inputs[1], inputs[4]
        found = [torch.empty(tensor.shape) for tensor in (query, key, spoken)]
        arrays = _arrays(*inputs, back, *found)
        _each_pair(lambda pairs: ordinary_gradients(pairs, *arrays), spoken)
        return (*found, None, None)
