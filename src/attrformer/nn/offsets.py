"""What a relation adds to the scores of groups of items as it is, above or below 0."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attrformer.nn.contributions import Block, ContributionInputs
from attrformer.nn.fixed import LowCopies


class OffsetBlock:
    """The offsets of one block of sequences.

    Args:
        of_item: int64 `[items]`, the group of each item.
        inputs: the offset of each group, and the gate.
    """

    def __init__(self, of_item: Tensor, inputs: ContributionInputs) -> None:
        self._of_item, self._gate = of_item, inputs.gate.unsqueeze(2)
        self._shared = inputs.weights.shape[1] == 1
        self._offsets = inputs.weights.expand(-1, inputs.gate.shape[1], -1)

    def _of_items(self) -> Tensor:
        flat = self._offsets.flatten(0, 1).index_select(1, self._of_item)
        return flat.view(*self._offsets.shape[:2], len(self._of_item))

    def add_to(self, logits: Tensor) -> None:
        """Adds gate times offset to logits `[b, t, items]` in place."""
        logits.addcmul_(self._of_items(), self._gate)

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of offsets (None where not needed) and gate; see `Block`."""
        flat = gradient.flatten(0, 1)
        by_group = torch.zeros(len(flat), self._offsets.shape[2], device=flat.device)
        by_group = by_group.index_add_(1, self._of_item, flat).view(self._offsets.shape).mul(factor)
        of_gate = (by_group * self._offsets).sum(2)
        if not needs_weights:
            return None, of_gate
        of_offsets = by_group * self._gate
        return of_offsets.sum(1, keepdim=True) if self._shared else of_offsets, of_gate

    def spoken(self) -> tuple[Tensor | None, Tensor]:
        """None, for the whole catalogue, and what of the offsets is above 0."""
        return None, self._of_items().clamp_min(0.0)


@dataclass(frozen=True, slots=True, eq=False)
class OffsetContribution:
    """An offset for each group of items, given by the caller as the weights.

    Args:
        of_item: int64 `[items]`, the group of each item.
    """

    of_item: Tensor

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """The offsets of some sequences; `inputs` are already cut to them."""
        return OffsetBlock(self.of_item, inputs)
