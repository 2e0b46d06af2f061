"""Heads of attention on a CPU by compiled passes: weights of one history and one head at a time, which fit the cache.

Nothing of the size of all pairs of positions is kept for the way back; weights are made once more there. The plain way
is in `nn/attention.py` and stays the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from attrformer.compiled import may_round
from attrformer.nn.column_loss import LEAST_LOGITS
from attrformer.nn.pair_values import filled_up
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

    Layers add their gradients of the values to the same memory, which the first one makes; autograd asks for them when
    all have.

    Args:
        given: R_a(i_t, i_s) of each head, `[b, l, l]`.
        lengths: int64 `[b]`, positions before padding.
        distances: int64 `[l]`, the bin of the distance l - 1 - k at k.
    """

    given: InitVar[list[Tensor]]
    lengths: Tensor
    distances: Tensor
    values: list[Tensor] = field(init=False)
    read: Tensor = field(init=False)
    gradients: list[Tensor | None] = field(init=False)

    def __post_init__(self, given: list[Tensor]) -> None:
        self.values = [filled_up(value.detach()) for value in given]
        self.gradients = [torch.empty(0, 0, 0) if value.requires_grad else None for value in given]
        asked = [value for value in given if value.requires_grad]
        # Its gradient is 0; it tells autograd that the layers read the values.
        self.read = _Read.apply(self.gradients, given[0].shape[1], *asked)  # type: ignore[no-untyped-call]


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradients: list[Tensor | None], length: int, *values: Tensor) -> Tensor:
        ctx.gradients, ctx.length = gradients, length
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        found = [own[..., : ctx.length] for own in ctx.gradients if own is not None]
        # Autograd keeps what it is given, and a graph that is retained asks once more.
        ctx.gradients[:] = [None if own is None else torch.empty(0, 0, 0) for own in ctx.gradients]
        return (None, None, *found)


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


def _each_pair(run: Callable[[list[int]], None], spoken: Tensor) -> None:
    """Runs shares of all pairs of a history and a head, numbered history by history."""
    each_share(run, list(range(spoken.shape[0] * spoken.shape[2])), spoken.device)


def _by_head(pairs: list[int], heads: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each head of some pairs, and its histories."""
    rows, numbers = np.divmod(np.array(pairs), heads)
    for head in range(heads):
        yield head, rows[numbers == head]


def _arrays(*tensors: Tensor) -> list[NDArray[Any]]:
    return [tensor.detach().numpy() for tensor in tensors]


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, held: HeadValues, read: Tensor, temperature: Tensor, bias: Tensor, spoken: Tensor, places: Tensor
    ) -> Tensor:
        from attrformer.nn.attention_kernels import relation_head

        filled, heads = F.pad(bias, (0, held.values[0].shape[2]), value=-torch.inf), spoken.shape[2]
        out, divisors = torch.empty(*places.shape, *spoken.shape[2:]), torch.zeros(heads, *places.shape)
        inputs = (places.contiguous(), held.lengths, temperature, filled, spoken, out, divisors)
        values, arrays = _arrays(*held.values), _arrays(*inputs)

        def run(pairs: list[int]) -> None:
            for head, rows in _by_head(pairs, heads):
                relation_head(head, rows, values[head], *arrays)

        _each_pair(run, spoken)
        ctx.save_for_backward(*inputs)
        ctx.values, ctx.gradients = held.values, held.gradients
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.attention_kernels import relation_gradients

        inputs, back = ctx.saved_tensors, outputs[0].contiguous()
        bias, spoken = inputs[3], inputs[4]
        batch, length, heads = spoken.shape[:3]
        of_temperature, of_bias = torch.zeros(heads, batch), torch.zeros(heads, batch, bias.shape[1])
        of_spoken, nothing = torch.empty(spoken.shape), torch.empty(0, 0, 0)
        for k, own in enumerate(ctx.gradients):
            if own is not None and not len(own):
                ctx.gradients[k] = torch.zeros(ctx.values[k].shape)
        of_values = _arrays(*(nothing if own is None else own for own in ctx.gradients))
        values, arrays = _arrays(*ctx.values), _arrays(*inputs, back, of_temperature, of_bias)

        def run(pairs: list[int]) -> None:
            for head, rows in _by_head(pairs, heads):
                relation_gradients(head, rows, values[head], *arrays, of_values[head], of_spoken.numpy())

        _each_pair(run, spoken)
        return None, torch.zeros(()), of_temperature.sum(1), of_bias[..., :length].sum(1), of_spoken, None


class _Ordinary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, spoken: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
        from attrformer.nn.ordinary_kernels import ordinary_heads

        out, divisors = torch.empty(*places.shape, *spoken.shape[2:]), torch.zeros(spoken.shape[2], *places.shape)
        inputs = (query, key, places.contiguous(), lengths, spoken, out, divisors)
        arrays = _arrays(*inputs)
        _each_pair(lambda pairs: ordinary_heads(np.array(pairs), *arrays), spoken)
        ctx.save_for_backward(*inputs)
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn.ordinary_kernels import ordinary_gradients

        inputs, back = ctx.saved_tensors, outputs[0].contiguous()
        query, key, spoken = inputs[0], inputs[1], inputs[4]
        found = [torch.empty(tensor.shape) for tensor in (query, key, spoken)]
        arrays = _arrays(*inputs, back, *found)
        _each_pair(lambda pairs: ordinary_gradients(np.array(pairs), *arrays), spoken)
        return (*found, None, None)
