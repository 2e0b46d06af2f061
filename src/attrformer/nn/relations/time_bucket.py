"""The time of behaviours as a module: what other users take at about the time of each position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution, RowContribution
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import ContributingModule, Gate, ModuleOptions
from attrformer.nn.tables import DenseRows
from attrformer.relations.positions import NO_TIMES
from attrformer.relations.time_bucket import TimeBucketRelation

if TYPE_CHECKING:
    from typing_extensions import Self

MOMENT_EPSILON, MOMENT_GATE, MOMENT_DECAY = 0.1, 0.3, 0.3
"""eps, gate and recency profile of the relation of buckets start here: it counts little, and for the latest buckets."""


class TimeBucketModule(ContributingModule):
    """e(t, j) = sum over s <= t of beta(t, s) R(m_s, j), m_s the bucket of the interaction at s.

    It knows the times of the history only, never that of the interaction to be predicted.

    Args:
        relation: the rows, keyed by bucket.
        items: catalogue size.
        gate: its gate.
        recency: its recency profile.
    """

    edges: Tensor
    dense: Tensor

    def __init__(self, relation: TimeBucketRelation, items: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        assert relation.lift.dense is not None
        self.keys, self.folds, self.padding = relation.lift.keys, relation.lift.folds, items
        self.register_buffer("edges", torch.from_numpy(relation.edges), persistent=False)
        self.register_buffer("dense", torch.from_numpy(relation.lift.dense), persistent=False)

    @classmethod
    def make(cls, relation: TimeBucketRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        gate = Gate(options.width, MOMENT_EPSILON, start=MOMENT_GATE)
        return cls(relation, options.relations.n_items, gate, options.recency(MOMENT_DECAY))

    @property
    def table(self) -> DenseRows:
        """The relation as a tensor table."""
        return DenseRows(self.dense)

    def lookup(self, batch: Batch) -> Tensor:
        """The table row of every position, its fold's block included, `[b, l]`.

        Args:
            batch: with times; where it has none, everything happened in the latest bucket.
        """
        if batch.times is None:
            buckets = torch.full_like(batch.items, self.keys - 1)
        else:
            buckets = (batch.times.unsqueeze(2) >= self.edges).sum(2)
        return batch.folds.clamp_max(self.folds).unsqueeze(1) * self.keys + buckets

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The rows of the positions' buckets, weighted by recency."""
        assert looked_up is not None
        return RowContribution(self.table, looked_up), weights

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`."""
        return self.table.pairs(self.lookup(batch), items)

    def onnx_lookup(self, batch: Batch) -> None:
        """Moments are counted by `onnx_contribution`."""

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`; the weights of the positions are added up by bucket first."""
        latest = self.keys - 1
        if batch.times is None:
            buckets = torch.full_like(batch.items, latest)
        else:
            counted = (batch.times.unsqueeze(2) >= self.edges).long().sum(2)
            buckets = torch.where(batch.times[:, :1] == NO_TIMES, latest, counted)
        own = buckets.unsqueeze(2) == torch.arange(self.keys, device=weights.device)
        by_bucket = (own * weights.squeeze(1).unsqueeze(2)).sum(1)
        return torch.log1p(by_bucket @ self.dense[: self.keys])
