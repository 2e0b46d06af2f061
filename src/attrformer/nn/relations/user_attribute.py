"""User attributes as a module: what people with a value take more often than everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution, RowContribution
from attrformer.nn.relations.base import ContributingModule, Gate, ModuleOptions
from attrformer.nn.tables import DenseRows
from attrformer.relations.row_table import RowRelation
from attrformer.relations.user_attribute import UserAttributeRelation

if TYPE_CHECKING:
    from typing_extensions import Self


class UserAttributeModule(ContributingModule):
    """A user attribute: its value counts for items by smoothed log-lift.

    Args:
        relation: lift rows keyed by value.
        attribute: name under which batches carry the user's value.
        gate: its gate.
    """

    def __init__(self, relation: RowRelation, attribute: str, gate: Gate) -> None:
        super().__init__(gate, None)
        assert relation.dense is not None
        self.keys, self.folds, self.attribute = relation.keys, relation.folds, attribute
        self.register_buffer("dense", torch.from_numpy(relation.dense), persistent=False)

    dense: Tensor

    @classmethod
    def make(cls, relation: UserAttributeRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        return cls(relation.lift, relation.column, Gate(options.width, 1.0))

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The row of the user's value, with weight 1."""
        row = batch.folds.clamp_max(self.folds) * self.keys + batch.user_features[self.attribute]
        return RowContribution(DenseRows(self.dense), row.unsqueeze(1)), weights.expand(len(row), 1, 1)

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        return torch.log1p(self.dense[batch.user_features[self.attribute]] * weights)
