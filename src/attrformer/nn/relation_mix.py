"""Relation heads on a CPU by compiled passes: weights of some histories and one head at a time, which fit the cache.

Nothing of the size of all pairs of positions is kept for the way back; weights are made once more there. The plain way
is in `nn/attention.py` and stays the reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.compiled import may_round
from attrformer.nn.column_loss import LEAST_LOGITS
from attrformer.nn.recency import look_up
from attrformer.nn.workers import each_share

PIECE: Final = 1 << 17
"""Pairs of positions that are worked on together."""


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
        values: R_a(i_t, i_s) of each head, `[b, l, l]`.
        lengths: int64 `[b]`, positions before padding.
        distances: int64 `[l]`, the bin of the distance l - 1 - k at k.
    """

    values: list[Tensor]
    lengths: Tensor
    distances: Tensor
    read: Tensor = field(init=False)
    gradients: list[Tensor | None] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        asked = [value for value in self.values if value.requires_grad]
        # Its gradient is 0; it tells autograd that the layers read the values.
        self.read = _Read.apply(self, *asked)  # type: ignore[no-untyped-call]
        self.values = [value.detach().contiguous() for value in self.values]

    def pieces(self, places: int) -> list[tuple[int, slice]]:
        """Heads and histories that are worked on together."""
        batch, length = self.values[0].shape[:2]
        step = max(1, PIECE // (places * length))
        return [(head, slice(at, at + step)) for head in range(len(self.values)) for at in range(0, batch, step)]


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, held: HeadValues, *values: Tensor) -> Tensor:
        held.gradients = [torch.zeros_like(value) if value.requires_grad else None for value in held.values]
        # Not `held` itself, which has the result: the two would keep each other until garbage is collected.
        ctx.gradients = held.gradients
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(gradient for gradient in ctx.gradients if gradient is not None))


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


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, held: HeadValues, read: Tensor, temperature: Tensor, bias: Tensor, spoken: Tensor, places: Tensor
    ) -> Tensor:
        from attrformer.nn import attention_kernels as kernels

        filled, places = F.pad(bias, (0, kernels.LANES), value=-torch.inf), places.contiguous()
        out = torch.empty(*places.shape, *spoken.shape[2:])
        divisors = torch.zeros(spoken.shape[2], *places.shape)

        @torch.no_grad()
        def run(share: list[tuple[int, slice]]) -> None:
            for head, rows in share:
                own = held.values[head][rows]
                weights = torch.empty(len(own), places.shape[1], own.shape[1])
                kernels.head_weights(
                    own.numpy(), places[rows].numpy(), held.lengths[rows].numpy(), temperature.numpy()[head],
                    filled[head].numpy(), weights.numpy(), divisors[head, rows].numpy(),
                )  # fmt: skip
                out[rows, :, head] = torch.bmm(weights, spoken[rows, :, head])

        each_share(run, held.pieces(places.shape[1]), spoken.device)
        ctx.save_for_backward(temperature, filled, spoken, places, out, divisors)
        ctx.held = held
        return out

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        from attrformer.nn import attention_kernels as kernels

        temperature, filled, spoken, places, out, divisors = ctx.saved_tensors
        held: HeadValues = ctx.held
        back = outputs[0].contiguous()
        means = (back * out).sum(3).permute(2, 0, 1).contiguous()
        batch, length, heads = spoken.shape[:3]
        of_temperature, of_bias = torch.zeros(heads, batch), torch.zeros(heads, batch, length)
        of_spoken, nothing = torch.empty_like(spoken), torch.empty(0, 0, 0)

        @torch.no_grad()
        def run(share: list[tuple[int, slice]]) -> None:
            for head, rows in share:
                of_values, own = held.gradients[head], held.values[head][rows]
                weights = torch.bmm(back[rows, :, head], spoken[rows, :, head].transpose(1, 2))
                kernels.head_gradients(
                    own.numpy(), places[rows].numpy(), held.lengths[rows].numpy(), temperature.numpy()[head],
                    filled[head].numpy(), divisors[head, rows].numpy(), means[head, rows].numpy(), weights.numpy(),
                    of_temperature[head, rows].numpy(), of_bias[head, rows].numpy(),
                    (nothing if of_values is None else of_values[rows]).numpy(),
                )  # fmt: skip
                of_spoken[rows, :, head] = torch.bmm(weights.transpose(1, 2), back[rows, :, head])

        each_share(run, held.pieces(places.shape[1]), spoken.device)
        return None, torch.zeros(()), of_temperature.sum(1), of_bias.sum(1), of_spoken, None
