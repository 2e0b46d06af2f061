"""The relation of an item with itself as a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution, EntryContribution
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import ContributingModule, Gate, ModuleOptions, scattered
from attrformer.relations.repeat import RepeatRelation

if TYPE_CHECKING:
    from typing_extensions import Self


class RepeatModule(ContributingModule):
    """R(i, j) = [i = j]; its signed gate says whether people here come back to the same item.

    Args:
        items: catalogue size.
        gate: its gate, signed.
        recency: its recency profile.
    """

    attends: ClassVar[bool] = True

    def __init__(self, items: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        self.padding = items

    @classmethod
    def make(cls, relation: RepeatRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        return cls(options.relations.n_items, Gate(options.width, options.epsilon, signed=True), options.recency(1.0))

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The items of the history, weighted by recency."""
        return EntryContribution(batch.items.clamp_max(self.padding - 1).unsqueeze(1), self.padding), weights

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """[i_t = i_s], `[b, l, l]`."""
        return (batch.items.unsqueeze(2) == batch.items.unsqueeze(1)).float()

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`."""
        return (batch.items.unsqueeze(2) == items.unsqueeze(1)).float()

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        return torch.log1p(scattered(batch.items.clamp_max(self.padding - 1), weights.squeeze(1), self.padding))
