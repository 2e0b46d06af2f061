"""Vectors of items as a module: R_a(i, j) = max(0, x_i^T M_a x_j - tau_a), M_a and tau_a learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import RECENCY_DECAY, ContributingModule, Gate, ModuleOptions, scattered
from attrformer.nn.tables import SparseRows
from attrformer.nn.vector_contributions import KeptPairsContribution, VectorContribution, kept_products, packed
from attrformer.relations.item_vector import VectorRelation

if TYPE_CHECKING:
    from typing_extensions import Self


class VectorModule(ContributingModule):
    """Vectors of items, compared by a learned metric M_a = diag(s_a) + P_a Q_a^T with a learned threshold tau_a.

    At the start M_a is the identity and tau_a the noise of the encoder, which is 0 for vectors that are given, so that
    R_a is the cosine where that is above it. The threshold is the negative weight of one more coordinate, which is 1
    for every item that has a vector. An item is not related to itself, and one without a vector to nothing.

    Args:
        relation: vectors, and which pairs of items are kept in a large catalogue.
        rank: of P_a and Q_a; 0 for a diagonal M_a.
        gate: its gate.
        recency: its recency profile.
    """

    attends: ClassVar[bool] = True

    vectors: Tensor
    kept: Tensor | None

    def __init__(self, relation: VectorRelation, rank: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        items, width = relation.vectors.shape
        self.padding = items
        there = relation.vectors.any(axis=1, keepdims=True).astype(np.float32)
        vectors = torch.from_numpy(np.concatenate([relation.vectors, there], axis=1))
        self.register_buffer("vectors", vectors, persistent=False)
        kept = None if relation.neighbours is None else torch.from_numpy(relation.neighbours)
        self.register_buffer("kept", kept, persistent=False)
        self.log_diagonal = nn.Parameter(torch.zeros(width))
        self.threshold = nn.Parameter(torch.full((1,), relation.encoder.noise))
        self.left = nn.Parameter(torch.zeros(width, rank)) if rank else None
        self.right = nn.Parameter(torch.randn(width, rank) / math.sqrt(max(rank, 1)) * 0.3) if rank else None
        self.pair_scale = float(gate.inverse_epsilon().detach())

    @classmethod
    def make(cls, relation: VectorRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        gate = Gate(options.width, options.epsilon)
        return cls(relation, options.low_rank, gate, options.recency(RECENCY_DECAY))

    def vectors_of(self, items: Tensor) -> Tensor:
        """Vectors of items with the coordinate of the threshold, zeros for padding, `[..., d + 1]`."""
        return self.vectors[items.clamp_max(self.padding - 1)] * (items < self.padding).unsqueeze(-1)

    def project(self, items: Tensor) -> Tensor:
        """x_i^T M_a for items `[...]`, `[..., d + 1]`."""
        vectors = self.vectors_of(items)
        out = vectors * torch.cat([self.log_diagonal.exp(), -self.threshold])
        if self.left is None or self.right is None:
            return out
        mixed = vectors[..., :-1] @ self.left @ self.right.t()
        return out + torch.cat([mixed, torch.zeros_like(mixed[..., :1])], -1)

    def kept_items(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """The kept pairs of items `[...]`: int64 items `[..., k]`, 0 in unused places, and whether each is used."""
        assert self.kept is not None
        kept = self.kept[items.clamp_max(self.padding - 1)].long()
        return kept.clamp_min(0), kept >= 0

    def kept_values(self, projected: Tensor, kept: Tensor, used: Tensor) -> Tensor:
        """R_a of the kept pairs, 0 in unused places, `[..., k]`.

        Args:
            projected: `[..., d + 1]`.
            kept: int64 `[..., k]`, as `kept_items` gives it.
            used: bool `[..., k]`.
        """
        products = kept_products(projected.flatten(0, -2), self.vectors, kept.flatten(0, -2))
        return products.view(kept.shape).clamp_min(0.0) * used

    def lookup(self, batch: Batch) -> Tensor:
        """The vectors of every position, carried over by M_a, `[b, l, d + 1]`."""
        return self.project(batch.items)

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The pairs of the positions with the catalogue, or with their neighbours."""
        assert looked_up is not None
        if self.kept is None:
            return VectorContribution(self.vectors, batch.items), packed(weights, looked_up)
        kept, used = self.kept_items(batch.items)
        values = self.kept_values(looked_up, kept, used)
        return KeptPairsContribution(kept, self.padding), packed(weights, values)

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps), eps as it started, of all pairs, whether they are kept or not, `[b, l, l]`."""
        assert looked_up is not None
        return torch.log1p(self._between(looked_up, batch.items, batch.items) * self.pair_scale)

    def _between(self, projected: Tensor, items: Tensor, others: Tensor) -> Tensor:
        """R_a of items `[b, l]`, whose vectors are projected, and others `[b, n]`, `[b, l, n]`."""
        values = torch.bmm(projected, self.vectors_of(others).transpose(1, 2)).clamp_min(0.0)
        return values * (items.unsqueeze(2) != others.unsqueeze(1))

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`."""
        projected = self.project(batch.items)
        if self.kept is None:
            return self._between(projected, batch.items, items)
        kept, used = self.kept_items(batch.items)
        values = self.kept_values(projected, kept, used)
        rows = torch.arange(batch.items.numel(), device=items.device).view(batch.items.shape)
        return SparseRows(kept.flatten(0, 1), values.flatten(0, 1), self.padding).pairs(rows, items)

    def related(self, items: Tensor) -> Tensor:
        """See `ContributingModule.related`."""
        projected = self.project(items)
        if self.kept is None:
            return (projected @ self.vectors.t()).clamp_min(0.0).scatter(1, items.unsqueeze(1), 0.0)
        kept, used = self.kept_items(items)
        return scattered(kept, self.kept_values(projected, kept, used), self.padding)

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        assert looked_up is not None
        if self.kept is None:
            values = (looked_up @ self.vectors.t()).clamp_min(0.0)
            own = batch.items.clamp_max(self.padding - 1).unsqueeze(2)
            values = values.scatter(2, own, torch.zeros_like(own, dtype=values.dtype))
            return torch.log1p(torch.bmm(weights, values).squeeze(1))
        kept, used = self.kept_items(batch.items)
        values = (self.vectors[kept] @ looked_up.unsqueeze(3)).squeeze(3).clamp_min(0.0) * used
        entries = values * weights.squeeze(1).unsqueeze(2)
        return torch.log1p(scattered(kept.flatten(1), entries.flatten(1), self.padding))
