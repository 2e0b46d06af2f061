"""Attributes that change in time as modules: what an item had when it was taken, and what every item has now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.batch import Batch
from attrformer.nn.changing_values import ChangeTable, ChangingContribution, states_of
from attrformer.nn.contributions import Contribution
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import (
    RECENCY_DECAY,
    AnswerBatch,
    ContributingModule,
    Gate,
    ModuleOptions,
    PairScores,
)
from attrformer.nn.relations.item_attribute import ARROW
from attrformer.relations.changing_attribute import ChangingAttributeRelation
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.relation_set import RelationSet

if TYPE_CHECKING:
    from typing_extensions import Self


class ChangingAttributeModule(ContributingModule):
    """R(i at s, j at t) = max(0, phi(v_i(s))^T M) phi(v_j(t)) with M = diag(s) + P Q^T learned.

    s is the time at which i was taken and t that of the latest interaction of the context, so that no value is read
    that was not known then. Histories without times see the latest values.

    Args:
        relation: the values over time and the starting diagonal.
        rank: of P and Q; 0 for a diagonal M.
        gate: its gate.
        recency: its recency profile.
    """

    attends: ClassVar[bool] = True

    moments: Tensor
    starts: Tensor
    keys: Tensor
    codes: Tensor

    def __init__(self, relation: ChangingAttributeRelation, rank: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        items, values = len(relation.offsets) - 1, len(relation.labels)
        self.name, self.padding, self.values = relation.name, items, values
        moments, number = np.unique(relation.times, return_inverse=True)
        owner = np.repeat(np.arange(items), np.diff(relation.offsets))
        codes = np.where(relation.codes < 0, values, relation.codes)
        tables = {
            "moments": moments,
            "starts": relation.offsets,
            "keys": owner * (len(moments) + 1) + number.reshape(-1) + 1,
            "codes": np.append(codes, values),
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table.astype(np.int64)), persistent=False)
        self._states = states_of(relation.offsets, relation.times, codes, values)
        self.log_diagonal = nn.Parameter(torch.from_numpy(relation.diagonal).clamp_min(1e-4).log())
        self.left = nn.Parameter(torch.zeros(values, rank)) if rank else None
        self.right = nn.Parameter(torch.randn(values, rank) / math.sqrt(max(rank, 1)) * 0.3) if rank else None
        self.pair_scale = float(gate.inverse_epsilon().detach())

    @classmethod
    def make(cls, relation: ChangingAttributeRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        gate = Gate(options.width, options.epsilon)
        return cls(relation, options.low_rank, gate, options.recency(RECENCY_DECAY))

    @property
    def table(self) -> ChangeTable:
        """The values of items over time."""
        return ChangeTable(self.moments, self.starts, self.keys, self.codes, self.values, self._states)

    def ranks(self, batch: Batch) -> Tensor:
        """The time of every position as a rank of `ChangeTable`, int64 `[b, l]`; the latest where times are missing."""
        table = self.table
        ranks = torch.full_like(batch.items, table.latest) if batch.times is None else table.ranks(batch.times)
        # Who asks about an earlier time sees nothing that came after it.
        return ranks if batch.as_of is None else torch.minimum(ranks, table.ranks(batch.as_of).unsqueeze(1))

    def target_ranks(self, batch: Batch) -> Tensor:
        """The time at which the catalogue is read for each target position, as a rank, int64 `[b, t]`."""
        if batch.as_of is None:
            return batch.at_target_positions(self.ranks(batch))
        return self.table.ranks(batch.as_of).unsqueeze(1).expand_as(batch.target_positions)

    def history_values(self, batch: Batch) -> Tensor:
        """The value code of every position's item at its own time, int64 `[b, l]`, `values` where none is known."""
        found = self.table.at(batch.items.clamp_max(self.padding - 1), self.ranks(batch))
        return found.masked_fill(batch.items == self.padding, self.values)

    def matrix(self) -> Tensor:
        """M with its negative part cut off, `[values, values]`, for people to look at."""
        matrix = torch.diag(self.log_diagonal.exp())
        if self.left is not None and self.right is not None:
            matrix = matrix + self.left @ self.right.t()
        return matrix.clamp_min(0.0)

    def project(self, codes: Tensor) -> Tensor:
        """max(0, phi(v)^T M) for value codes `[...]`, `[..., values]`; 0 where no value is known."""
        known = codes < self.values
        codes = codes.clamp_max(self.values - 1)
        if self.left is not None and self.right is not None:
            out = F.embedding(codes, self.left) @ self.right.t()
        else:
            out = self.log_diagonal.new_zeros(*codes.shape, self.values)
        out = out.scatter_add(-1, codes.unsqueeze(-1), self.log_diagonal[codes].exp().unsqueeze(-1))
        # clamp passes the gradient at exactly 0, where the low-rank part starts.
        return out.clamp_min(0.0) * known.unsqueeze(-1)

    def lookup(self, batch: Batch) -> Tensor:
        """The value of every position, carried over by M, `[b, l, values]`."""
        return self.project(self.history_values(batch))

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The profile of the history over values, for the catalogue as it is at each target position."""
        assert looked_up is not None
        return ChangingContribution(self.table, self.target_ranks(batch)), torch.bmm(weights, looked_up)

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """log(1 + R(i_t, i_s) / eps), each item with the value that it had when it was taken, `[b, l, l]`."""
        return self._between_positions(self.history_values(batch), looked_up)

    def _between_positions(self, codes: Tensor, looked_up: Tensor | None) -> Tensor:
        assert looked_up is not None
        index = codes.unsqueeze(1).expand(-1, codes.shape[1], -1)
        return torch.log1p(_with_missing(looked_up).gather(2, index) * self.pair_scale)

    def onnx_lookup(self, batch: Batch) -> Tensor:
        """See `RelationModule.onnx_lookup`; the values of the positions are an input."""
        return self.project(batch.item_states[self.name][0])

    def onnx_attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """See `RelationModule.onnx_attention_values`."""
        return self._between_positions(batch.item_states[self.name][0], looked_up)

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`; the values of the catalogue are an input."""
        assert looked_up is not None
        by_value = _with_missing(torch.bmm(weights, looked_up).squeeze(1))
        return torch.log1p(by_value).gather(1, batch.item_states[self.name][1])

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`; items have the values of the target position."""
        codes = self.table.at(items, self.target_ranks(batch))
        projected = _with_missing(self.lookup(batch))
        return projected.gather(2, codes.unsqueeze(1).expand(-1, projected.shape[1], -1))

    def related(self, items: Tensor) -> Tensor:
        """See `ContributingModule.related`; by the latest values."""
        every = self.table.catalogue(torch.tensor([self.table.latest], device=items.device))[0]
        return _with_missing(self.project(every[items])).index_select(1, every)

    def pair_scores(self, relation: ChangingAttributeRelation, relations: RelationSet) -> list[PairScores]:
        """M: how much an item that had the value of a row when it was taken counts for items with that of a column."""
        values = relation.values_at()
        frequency = np.zeros(self.values)
        np.add.at(frequency, values[values >= 0], relations.popularity[values >= 0])
        matrix = self.matrix().detach().cpu().numpy()
        return [PairScores("item", relation.column, relation.labels, matrix, frequency)]

    @torch.no_grad()
    def attributions(
        self, relation: ChangingAttributeRelation, question: Question, answers: AnswerBatch | None
    ) -> list[Attribution]:
        """The item of the history that counts most, with the value that it had and the one that the answer has."""
        assert answers is not None
        batch, device = answers.batch, answers.items.device
        strongest = torch.from_numpy(question.strongest).to(device)
        history = self.history_values(batch)
        now = self.table.at(answers.items, self.target_ranks(batch)[answers.rows, 0])
        everywhere = torch.arange(history.shape[1], device=device)
        projected = _with_missing(self.project(history))
        between = projected[answers.rows.unsqueeze(1), everywhere, now.unsqueeze(1)]
        # An item that was taken twice may have had two values; the one that counts more for the answer is told.
        own_place = batch.items[answers.rows] == strongest.unsqueeze(1)
        place = between.masked_fill(~own_place, -1.0).argmax(1, keepdim=True)
        pairs = (history[answers.rows].gather(1, place).squeeze(1).tolist(), now.tolist())
        labels, found = relation.value_labels, []
        for item, own, other in zip(question.strongest.tolist(), *pairs, strict=True):
            if item < 0 or own >= self.values or other >= self.values:
                found.append(Attribution())
                continue
            value = labels[own] if own == other else f"{labels[own]}{ARROW}{labels[other]}"
            found.append(Attribution(item, value, reason=relation.reason(own, other, question.title(item))))
        return found


def _with_missing(projected: Tensor) -> Tensor:
    """Values `[..., values]` and 0 for a missing one, `[..., values + 1]`."""
    return F.pad(projected, (0, 1))
