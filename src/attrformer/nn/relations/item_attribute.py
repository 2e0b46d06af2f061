"""Item attributes as a module: R_a(i, j) = phi_a(i)^T M_a phi_a(j), M_a learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.compiled import may_round
from attrformer.nn import pair_values
from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution, FeatureContribution
from attrformer.nn.projection import MANY_FEATURES, projected
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import (
    RECENCY_DECAY,
    AnswerBatch,
    ContributingModule,
    Gate,
    ModuleOptions,
    PairScores,
)
from attrformer.nn.tables import FeatureGroups
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.relation_set import RelationSet

if TYPE_CHECKING:
    from typing_extensions import Self

MANY_VALUES = 96
"""Values of an attribute for each slot of an item from which on they are read slot by slot: faster there, on a CPU."""

ARROW = " → "
"""Between the value of an item of the history and the value of the answer that it goes with."""


class ItemAttributeModule(ContributingModule):
    """An item attribute, R_a(i, j) = phi_a(i)^T M_a phi_a(j) with M_a = diag(s_a) + P_a Q_a^T learned.

    The negative part of phi_a(i)^T M_a is cut off, so that R_a is at least 0.

    Args:
        relation: phi_a and the starting diagonal.
        rank: of P_a and Q_a; 0 for a diagonal M_a.
        gate: its gate.
        recency: its recency profile.
    """

    attends: ClassVar[bool] = True

    codes: Tensor
    slot_weights: Tensor
    of_item: Tensor
    features: Tensor | None
    slots: Tensor | None
    shares: Tensor | None

    def __init__(self, relation: ItemAttributeRelation, rank: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        items, values = len(relation.codes), len(relation.labels)
        self.padding, self.values = items, values
        empty = torch.zeros(1, relation.codes.shape[1])
        self.register_buffer("codes", torch.cat([torch.from_numpy(relation.codes), empty.long()]), persistent=False)
        self.register_buffer("slot_weights", torch.cat([torch.from_numpy(relation.weights), empty]), persistent=False)
        of_item, features = _group(relation)
        slots, shares = _slots(features, relation.codes.shape[1])
        groups = {"of_item": of_item, "features": features, "slots": slots, "shares": shares}
        for name, block in groups.items():
            self.register_buffer(name, block, persistent=False)
        self.log_diagonal = nn.Parameter(torch.from_numpy(relation.diagonal).clamp_min(1e-4).log())
        self.left = nn.Parameter(torch.zeros(values, rank)) if rank else None
        self.right = nn.Parameter(torch.randn(values, rank) / math.sqrt(max(rank, 1)) * 0.3) if rank else None
        self.pair_scale = float(gate.inverse_epsilon().detach())

    @classmethod
    def make(cls, relation: ItemAttributeRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        gate = Gate(options.width, options.epsilon)
        return cls(relation, options.low_rank, gate, options.recency(RECENCY_DECAY))

    def matrix(self) -> Tensor:
        """M_a with its negative part cut off, `[values, values]`, for people to look at."""
        matrix = torch.diag(self.log_diagonal.exp())
        if self.left is not None and self.right is not None:
            matrix = matrix + self.left @ self.right.t()
        return matrix.clamp_min(0.0)

    def phi(self, items: Tensor) -> Tensor:
        """phi_a of items, padding allowed, `[..., values]`."""
        out = torch.zeros(*items.shape, self.values, device=items.device)
        return out.scatter_add_(-1, self.codes[items], self.slot_weights[items])

    def project(self, items: Tensor) -> Tensor:
        """max(0, phi_a(i)^T M_a) for items `[b, l]`, `[b, l, values]`; M_a itself is never built."""
        codes, weights = self.codes[items].flatten(0, 1), self.slot_weights[items].flatten(0, 1)
        many = len(codes) * self.values >= MANY_FEATURES and items.device.type == "cpu"
        if self.left is not None and self.right is not None and many and may_round():
            return projected(codes, weights, self.left, self.right, self.log_diagonal).view(*items.shape, self.values)
        if self.left is not None and self.right is not None:
            out = F.embedding_bag(codes, self.left, per_sample_weights=weights, mode="sum") @ self.right.t()
        else:
            out = torch.zeros(len(codes), self.values, device=items.device)
        learned = self.log_diagonal[codes].exp() * weights
        if not torch.is_grad_enabled():
            # The same numbers without two copies.
            return out.scatter_add_(1, codes, learned).clamp_min_(0.0).view(*items.shape, self.values)
        # clamp passes the gradient at exactly 0, where the low-rank part starts.
        return out.scatter_add(1, codes, learned).clamp_min(0.0).view(*items.shape, self.values)

    def lookup(self, batch: Batch) -> Tensor:
        """The features of every position, carried over by M_a, `[b, l, values]`."""
        return self.project(batch.items)

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The profile of the history in the attribute's feature space."""
        assert looked_up is not None
        groups = FeatureGroups(self.of_item, self.features, self.values, self.slots, self.shares)
        return FeatureContribution(groups), torch.bmm(weights, looked_up)

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps) from the features, eps as it started, `[b, l, l]`."""
        assert looked_up is not None
        if pair_values.takes(batch.items):
            return self._compiled_values(batch, looked_up)
        if self.codes.shape[1] == 1:
            index = self.codes[batch.items].transpose(1, 2).expand(-1, looked_up.shape[1], -1)
            values = looked_up.gather(2, index) * self.slot_weights[batch.items].transpose(1, 2)
        else:
            values = torch.bmm(looked_up, self.phi(batch.items).transpose(1, 2))
        return torch.log1p(values * self.pair_scale)

    def _compiled_values(self, batch: Batch, looked_up: Tensor) -> Tensor:
        if self.codes.shape[1] > 1:
            return pair_values.of_products(looked_up, self.phi(batch.items), self.pair_scale)
        codes, weights = self.codes[batch.items].squeeze(2), self.slot_weights[batch.items].squeeze(2)
        return pair_values.of_slots(looked_up, codes, weights, self.pair_scale)

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`."""
        return torch.bmm(self.project(batch.items), self.phi(items).transpose(1, 2))

    def related(self, items: Tensor) -> Tensor:
        """See `ContributingModule.related`."""
        projected = self.project(items.unsqueeze(1)).squeeze(1)
        codes, weights = self.codes[:-1], self.slot_weights[:-1]
        summed = F.embedding_bag(codes, projected.t().contiguous(), per_sample_weights=weights, mode="sum")
        return summed.t().contiguous()

    def pair_scores(self, relation: ItemAttributeRelation, relations: RelationSet) -> list[PairScores]:
        """M_a: how much an item with the value of a row in the history counts for items with that of a column."""
        frequency = np.zeros(len(relation.labels))
        np.add.at(frequency, relation.codes, (relation.weights > 0) * relations.popularity[:, None])
        matrix = self.matrix().detach().cpu().numpy()
        return [PairScores("item", relation.column, relation.labels, matrix, frequency)]

    @torch.no_grad()
    def strongest_values(self, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The pair of attribute values that carries most of R_a(i, j) = max(0, phi_a(i)^T M_a) phi_a(j).

        Args:
            sources: int64 `[n]`, items i of histories.
            targets: int64 `[n]`, items j.

        Returns:
            The value of i and the value of j, two int64 `[n]`; without meaning where R_a(i, j) is 0.
        """
        of_source, of_target = self.codes[sources], self.codes[targets]
        learned = (of_source.unsqueeze(2) == of_target.unsqueeze(1)) * self.log_diagonal.exp()[of_source].unsqueeze(2)
        if self.left is not None and self.right is not None:
            learned = learned + self.left[of_source] @ self.right[of_target].transpose(1, 2)
        said = self.slot_weights[sources].unsqueeze(2) * learned
        # The negative part is cut off after all values of i have counted, so the value of j is chosen first.
        target = (said.sum(1).clamp_min(0.0) * self.slot_weights[targets]).argmax(1, keepdim=True)
        source = said.gather(2, target.unsqueeze(1).expand(-1, said.shape[1], -1)).squeeze(2).argmax(1, keepdim=True)
        return of_source.gather(1, source).squeeze(1), of_target.gather(1, target).squeeze(1)

    def attributions(
        self, relation: ItemAttributeRelation, question: Question, answers: AnswerBatch | None
    ) -> list[Attribution]:
        """The item of the history that counts most, with the value in common or the pair of values."""
        assert answers is not None
        sources = torch.from_numpy(np.maximum(question.strongest, 0)).to(answers.items.device)
        pairs = [codes.tolist() for codes in self.strongest_values(sources, answers.items)]
        labels, found = relation.value_labels, []
        targets = answers.items.tolist()
        for item, answer, own, other in zip(question.strongest.tolist(), targets, *pairs, strict=True):
            if own == other and item >= 0:
                own = other = relation.deepest_shared(item, answer, own)
            value = labels[own] if own == other else f"{labels[own]}{ARROW}{labels[other]}"
            found.append(Attribution(item, value, reason=relation.reason(own, other, question.title(item))))
        return found

    def onnx_lookup(self, batch: Batch) -> Tensor:
        """See `RelationModule.onnx_lookup`."""
        codes, weights = self.codes[batch.items], self.slot_weights[batch.items]
        if self.left is not None and self.right is not None:
            out = (self.left[codes] * weights.unsqueeze(3)).sum(2) @ self.right.t()
        else:
            out = torch.zeros(*batch.items.shape, self.values, device=batch.items.device)
        return out.scatter_add(2, codes, self.log_diagonal[codes].exp() * weights).clamp_min(0.0)

    def onnx_attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """See `RelationModule.onnx_attention_values`."""
        assert looked_up is not None
        codes, weights = self.codes[batch.items], self.slot_weights[batch.items]
        total = torch.zeros(*batch.items.shape, batch.items.shape[1], device=batch.items.device)
        for slot in range(codes.shape[2]):
            index = codes[:, :, slot].unsqueeze(1).expand(-1, batch.items.shape[1], -1)
            total = total + looked_up.gather(2, index) * weights[:, :, slot].unsqueeze(1)
        return torch.log1p(total * self.pair_scale)

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        assert looked_up is not None
        profile = torch.bmm(weights, looked_up).squeeze(1)
        if self.features is None:
            by_group = torch.cat([profile, torch.zeros_like(profile[:, :1])], 1)
        else:
            by_group = profile @ self.features
        return torch.log1p(by_group).index_select(1, self.of_item)


def _group(relation: ItemAttributeRelation) -> tuple[Tensor, Tensor | None]:
    """Group of each item and phi_a of each group; see `FeatureGroups`."""
    values = len(relation.labels)
    if relation.codes.shape[1] == 1:
        known = torch.from_numpy(relation.weights[:, 0] > 0)
        return torch.where(known, torch.from_numpy(relation.codes[:, 0]), values), None
    order = np.argsort(np.where(relation.weights > 0, relation.codes, values), axis=1)
    codes, weights = np.take_along_axis(relation.codes, order, 1), np.take_along_axis(relation.weights, order, 1)
    keys = np.where(weights > 0, codes, -1)
    if ((weights > 0) & (weights != weights.max(1, keepdims=True))).any():
        # Values that count differently: items of a group are to agree in that as well.
        keys = np.concatenate([keys, weights.view(np.int32)], axis=1)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    features = np.zeros((values, len(first)), dtype=np.float32)
    np.add.at(features, (codes[first], np.arange(len(first))[:, None]), weights[first])
    return torch.from_numpy(group.reshape(-1).astype(np.int64)), torch.from_numpy(features)


def _slots(features: Tensor | None, width: int) -> tuple[Tensor | None, Tensor | None]:
    """The values of each group in slots where they are few among many; see `FeatureGroups`."""
    if features is None or len(features) < MANY_VALUES * width:
        return None, None
    shares, slots = features.topk(width, 0)
    return slots, shares
