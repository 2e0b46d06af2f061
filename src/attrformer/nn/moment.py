"""The time of behaviours as a module: what other users take at about the time of each position."""

from __future__ import annotations

import torch
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.evidence import Gate, RelationEvidence
from attrformer.nn.parts import Part, RowPart
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.tables import DenseRows
from attrformer.relations.moment import MomentRelation


class MomentEvidence(RelationEvidence):
    """e(t, j) = sum over s <= t of beta(t, s) R(m_s, j), m_s the moment of the interaction at s.

    It knows the times of the history only, never that of the interaction to be predicted.

    Args:
        relation: the rows, keyed by moment.
        items: catalogue size.
        gate: its gate.
        recency: its recency profile.
    """

    edges: Tensor
    dense: Tensor

    def __init__(self, relation: MomentRelation, items: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        assert relation.lift.dense is not None
        self.keys, self.folds, self.padding = relation.lift.keys, relation.lift.folds, items
        self.register_buffer("edges", torch.from_numpy(relation.edges), persistent=False)
        self.register_buffer("dense", torch.from_numpy(relation.lift.dense), persistent=False)

    @property
    def table(self) -> DenseRows:
        """The relation as a tensor table."""
        return DenseRows(self.dense)

    def read(self, batch: Batch) -> Tensor:
        """The table row of every position, its fold's block included, `[b, l]`.

        Args:
            batch: with times; where it has none, everything happened in the latest moment.
        """
        if batch.times is None:
            moments = torch.full_like(batch.items, self.keys - 1)
        else:
            moments = (batch.times.unsqueeze(2) >= self.edges).sum(2)
        return batch.folds.clamp_max(self.folds).unsqueeze(1) * self.keys + moments

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """The rows of the positions' moments, weighted by recency."""
        assert read is not None
        return RowPart(self.table, read), weights
