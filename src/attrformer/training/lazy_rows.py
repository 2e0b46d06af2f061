"""AdamW for parameters with a row for each item, of which a step reads few: only these rows are touched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from attrformer.compiled import can_compile
from attrformer.errors import CheckpointError

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""As `torch.optim.AdamW` has them."""

MANY_ROWS: Final = 1 << 10
"""Fewer rows are not worth importing numba for."""

AT_ONCE: Final = 1 << 16
"""Rows that are brought up to date together where all are."""


@dataclass(eq=False)
class _Rows:
    """One parameter and what goes with each of its rows.

    Args:
        parameter: `[items, d]`.
        mean: first moments, same shape.
        square: second moments, same shape.
        steps: int32 `[items]`, after how many steps each row was last brought up to date.
        decayed: float64 `[items]`, log of the weight decay that had come by then.
        blended: float64 `[items]`, log of the share that the moving average had kept by then.
    """

    parameter: nn.Parameter
    mean: Tensor = field(init=False)
    square: Tensor = field(init=False)
    steps: Tensor = field(init=False)
    decayed: Tensor = field(init=False)
    blended: Tensor = field(init=False)

    def __post_init__(self) -> None:
        own = self.parameter.data
        self.mean, self.square = torch.zeros_like(own), torch.zeros_like(own)
        self.steps = torch.zeros(len(own), dtype=torch.int32, device=own.device)
        # Metal has no double precision.
        exact = torch.float32 if own.device.type == "mps" else torch.float64
        self.decayed, self.blended = (torch.zeros(len(own), dtype=exact, device=own.device) for _ in range(2))

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, by name."""
        return {name: getattr(self, name) for name in ("mean", "square", "steps", "decayed", "blended")}


class LazyRows:
    """AdamW and the moving average over rows that are read.

    A row is brought up to date before it is read: its moments and weights decay as they would have without a gradient.
    Where every row is read in every step this is AdamW. It differs in two ways where rows are not: momentum does not
    move a row while nobody reads it, and for the moving average the row stands still meanwhile, at its value after
    the weight decay.

    Args:
        parameters: by name; their gradients are sparse.
        weight_decay: as of AdamW.
        compiled: whether compiled passes may be used, whose results are equal but for rounding.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], weight_decay: float, compiled: bool = False) -> None:
        self._rows = {name: _Rows(parameter) for name, parameter in parameters.items()}
        self._weight_decay, self._compiled = weight_decay, compiled
        self._steps, self._decay, self._blend = 0, 0.0, 0.0

    def names(self) -> list[str]:
        """Of the parameters."""
        return list(self._rows)

    @torch.no_grad()
    def refresh(self, items: Tensor | None, averaged: Mapping[str, Tensor]) -> None:
        """Brings rows up to date, before they are read.

        Args:
            items: int64 `[n]`, distinct rows; None for all.
            averaged: the moving averages by name; empty where there are none.
        """
        for name, rows in self._rows.items():
            rows.parameter.grad = None
            every = torch.arange(len(rows.parameter), device=rows.steps.device) if items is None else items
            parts = torch.split(every, AT_ONCE)
            for part in parts:
                self._refresh(rows, part, averaged.get(name))

    def _refresh(self, rows: _Rows, items: Tensor, averaged: Tensor | None) -> None:
        missed = self._steps - rows.steps[items]
        items = items[missed > 0]
        if not len(items):
            return
        missed = missed[missed > 0].unsqueeze(1).float()
        if self._compiles(rows, items):
            self._refresh_compiled(rows, items, missed.squeeze(1), averaged)
            return
        rows.mean[items] *= BETA1**missed
        rows.square[items] *= BETA2**missed
        value = rows.parameter[items]
        if self._weight_decay:
            value = value * torch.exp(self._decay - rows.decayed[items]).to(value.dtype).unsqueeze(1)
            rows.parameter[items] = value
        if averaged is not None:
            kept = torch.exp(self._blend - rows.blended[items]).to(value.dtype).unsqueeze(1)
            averaged[items] = torch.lerp(value, averaged[items], kept)
        self._mark(rows, items)

    def _compiles(self, rows: _Rows, items: Tensor) -> bool:
        own = rows.parameter
        return self._compiled and own.device.type == "cpu" and items.numel() >= MANY_ROWS and can_compile()

    def _refresh_compiled(self, rows: _Rows, items: Tensor, missed: Tensor, averaged: Tensor | None) -> None:
        from attrformer.training import row_kernels

        decay = torch.exp(self._decay - rows.decayed[items]).float()
        kept = torch.exp(self._blend - rows.blended[items]).float()
        factors = torch.stack([BETA1**missed, BETA2**missed, decay])
        table = rows.parameter.detach()
        tables = (table, rows.mean, rows.square, table[:0] if averaged is None else averaged)
        row_kernels.refresh(*(tensor.numpy() for tensor in (items, factors, kept, *tables)))
        self._mark(rows, items)

    def _mark(self, rows: _Rows, items: Tensor) -> None:
        rows.steps[items] = self._steps
        rows.decayed[items], rows.blended[items] = self._decay, self._blend

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Moves the rows that have a gradient, all of which were brought up to date before they were read.

        Args:
            rate: learning rate.
        """
        self._steps += 1
        self._decay += math.log1p(-rate * self._weight_decay)
        for rows in self._rows.values():
            gradient = rows.parameter.grad
            if gradient is None:
                continue
            gradient = gradient.coalesce()
            items, values = gradient.indices()[0], gradient.values()
            if self._compiles(rows, items):
                self._move_compiled(rows, items, values, rate)
                continue
            mean = torch.lerp(rows.mean[items], values, 1 - BETA1)
            square = rows.square[items].mul_(BETA2).addcmul_(values, values, value=1 - BETA2)
            rows.mean[items], rows.square[items] = mean, square
            scale = math.sqrt(1 - BETA2**self._steps)
            moved = rows.parameter[items] * (1 - rate * self._weight_decay)
            moved.addcdiv_(mean, square.sqrt_().div_(scale).add_(EPSILON), value=-rate / (1 - BETA1**self._steps))
            rows.parameter[items] = moved

    def _move_compiled(self, rows: _Rows, items: Tensor, values: Tensor, rate: float) -> None:
        from attrformer.training import row_kernels

        moments, squares = 1 - BETA1**self._steps, 1 - BETA2**self._steps
        options = [1 - BETA1, BETA2, 1 - rate * self._weight_decay, rate / moments, math.sqrt(squares), EPSILON]
        tables = (rows.parameter.detach(), rows.mean, rows.square)
        row_kernels.move(*(t.numpy() for t in (items, values.contiguous(), torch.tensor(options), *tables)))

    @torch.no_grad()
    def average(self, averaged: Mapping[str, Tensor], kept: float) -> None:
        """Lets the moving averages of the rows that were just moved follow, and marks these as up to date.

        Args:
            averaged: by name; empty where there are none.
            kept: share of the average that is kept, above 0.
        """
        self._blend += math.log(kept)
        for name, rows in self._rows.items():
            if rows.parameter.grad is None:
                continue
            items = rows.parameter.grad.coalesce().indices()[0]
            if name in averaged and self._compiles(rows, items):
                from attrformer.training import row_kernels

                own = (rows.parameter.detach().numpy(), averaged[name].numpy())
                row_kernels.average(items.numpy(), np.float32(kept), *own)
            elif name in averaged:
                averaged[name][items] = torch.lerp(averaged[name][items], rows.parameter[items], 1 - kept)
            self._mark(rows, items)

    def state(self) -> dict[str, Tensor]:
        """All that a checkpoint needs, by name."""
        own = {f"{name}/{key}": value for name, rows in self._rows.items() for key, value in rows.state().items()}
        return own | {"so far": torch.tensor([self._steps, self._decay, self._blend], dtype=torch.float64)}

    def set_state(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`.

        Raises:
            CheckpointError: it is of other parameters, or of a training without such rows.
        """
        own = self.state()
        if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
            raise CheckpointError(
                "The checkpoint was written by a training with another loss or catalogue. Start a new run folder, or "
                "use the configuration it was made with."
            )
        for name, value in own.items():
            value.copy_(state[name])
        steps, self._decay, self._blend = state["so far"].tolist()
        self._steps = int(steps)


def clip_with_rows(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """Clips the norm of all gradients, sparse ones included, which `torch.nn.utils.clip_grad_norm_` does not take.

    Args:
        parameters: whose gradients are scaled in place.
        limit: largest norm.
    """
    every = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            every.append(parameter.grad.values())
        else:
            every.append(parameter.grad)
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(every)))
    torch._foreach_mul_(every, (limit / (norm + 1e-6)).clamp_max(1.0))
