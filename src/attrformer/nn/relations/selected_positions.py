"""Relations as rows over the catalogue that only selected positions of a history contribute to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import RECENCY_DECAY, Gate, ModuleOptions
from attrformer.nn.relations.row_table import RowModule
from attrformer.relations.behaviour_rows import BehaviourRowsRelation
from attrformer.relations.negative import NegativeRelation

if TYPE_CHECKING:
    from typing_extensions import Self


class SelectedPositionsModule(RowModule):
    """Rows of those positions alone whose behaviour attribute has certain levels.

    Args:
        relation: the rows.
        gate: its gate.
        recency: its recency profile.
        levels: of the column whose positions contribute.
    """

    attends: ClassVar[bool] = False

    def __init__(
        self,
        relation: BehaviourRowsRelation | NegativeRelation,
        gate: Gate,
        recency: RecencyProfile,
        levels: tuple[int, ...],
    ) -> None:
        super().__init__(relation, gate, recency)
        self.column, self.levels = relation.source, levels

    def selected(self, batch: Batch) -> Tensor:
        """1 for positions that contribute, `[b, l]`; 0 for all where the attribute is not known."""
        levels = batch.levels.get(self.column)
        if levels is None:
            return torch.zeros(batch.items.shape, device=batch.items.device)
        found = torch.zeros_like(levels, dtype=torch.bool)
        for level in self.levels:
            found = found | (levels == level)
        return found.float()

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The rows of the positions that contribute, weighted by recency."""
        return super().contribution(batch, looked_up, weights * self.selected(batch).unsqueeze(1))

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`."""
        return super().values_between(batch, items) * self.selected(batch).unsqueeze(2)

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        return super().onnx_contribution(batch, looked_up, weights * self.selected(batch).unsqueeze(1))


class BehaviourRowsModule(SelectedPositionsModule):
    """What follows an interaction that has one value of a category."""

    @classmethod
    def make(cls, relation: BehaviourRowsRelation, options: ModuleOptions) -> Self:  # type: ignore[override]
        """See `RelationModule.make`."""
        gate = Gate(options.width, options.epsilon)
        return cls(relation, gate, options.recency(RECENCY_DECAY), (relation.level,))


class NegativeModule(SelectedPositionsModule):
    """What goes with an item that did not please: it is taken off the scores."""

    @classmethod
    def make(cls, relation: NegativeRelation, options: ModuleOptions) -> Self:  # type: ignore[override]
        """See `RelationModule.make`."""
        gate = Gate(options.width, options.epsilon, against=True)
        return cls(relation, gate, options.recency(RECENCY_DECAY), relation.levels)
