"""Position-to-position aggregation as a module: what similar users did at the aligned positions.

See docs/paper.md, part 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from attrformer.compiled import may_round
from attrformer.nn.bags import weighted_sums
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.contributions import Contribution, EntryContribution
from attrformer.nn.named import NamedParameters
from attrformer.nn.neighbour_weights import entries_of, weighed
from attrformer.nn.relations.base import (
    AnswerBatch,
    ContributingModule,
    Gate,
    ModuleOptions,
    PairScores,
    scattered,
)
from attrformer.relations import wording
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.naming import module_key, relation_name
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.similar_users import SimilarUsersRelation

if TYPE_CHECKING:
    from typing_extensions import Self

NOTHING = -1e9

MANY = 1 << 14
"""Fewer similar users or entries are not worth importing numba for."""


class SimilarUsersModule(ContributingModule):
    """Weighs similar users and reads their aligned positions, into the hidden state and as catalogue evidence.

    The weight of neighbour v is a softmax over neighbours of a learned power of the similarity times the user-attribute
    relation R_a(u, v), one learned table for each attribute.

    Args:
        items: catalogue size.
        width: hidden width d.
        horizon: aligned positions that are read.
        user_codes: by attribute name, the value code of every training user, int64 `[users]`.
        user_values: number of codes of each attribute.
        gate: its gate.
    """

    refines: ClassVar[bool] = True

    def __init__(
        self,
        items: int,
        width: int,
        horizon: int,
        user_codes: dict[str, Tensor],
        user_values: dict[str, int],
        gate: Gate,
    ) -> None:
        super().__init__(gate, None)
        self.padding = items
        self.power = nn.Parameter(torch.ones(()))
        self.step_weight = nn.Parameter(-torch.arange(horizon).float())
        self.attributes = list(user_values)
        tables = {relation_name("user", n): nn.Parameter(torch.zeros(c, c)) for n, c in user_values.items()}
        self.user_relation = NamedParameters(tables)
        for name, codes in user_codes.items():
            self.register_buffer(_codes_key(name), codes, persistent=False)
        starts = np.cumsum([0, *user_values.values()]).tolist()
        placed = [user_codes[name].int() + start for name, start in zip(user_values, starts, strict=False)]
        of_users = torch.stack(placed, 1) if placed else torch.empty(0, 0, dtype=torch.int32)
        self.register_buffer("_codes_in_rows", of_users, persistent=False)
        self.project = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.project.weight)

    @classmethod
    def make(cls, relation: SimilarUsersRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        users = options.relations.users
        codes = {name: torch.from_numpy(user.codes) for name, user in users.items()}
        counts = {name: len(user.labels) for name, user in users.items()}
        gate = Gate(options.width, options.epsilon)
        return cls(options.relations.n_items, options.width, relation.index.horizon, codes, counts, gate)

    def neighbour_weights(self, batch: Batch, found: NeighbourBatch) -> Tensor:
        """Softmax weights of neighbours, 0 throughout where there are none.

        Args:
            batch: user attribute codes.
            found: neighbours at some positions, `[b, t, k]`.

        Returns:
            float32 `[b, t, k]`.
        """
        if found.users.numel() >= MANY and found.users.device.type == "cpu" and may_round():
            return weighed(found, *self._pairs(batch), self.power)
        there = found.users >= 0
        logit = self.power * found.similarity.clamp_min(1e-6).log()
        for name in self.attributes:
            table = self.relation_of_users(name)
            # Rows first: a gradient that is added up for each pair of values would be added up one by one.
            codes = self._codes(name)[found.users.clamp_min(0)]
            logit = logit + table[batch.user_features[name]].gather(1, codes.flatten(1)).view_as(codes)
        weights = torch.softmax(logit.masked_fill(~there, NOTHING), -1)
        return weights * there

    def _pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Where the values of every training user stand, int32 `[users, a]`, in rows of the user relation `[b, v]`."""
        rows = [self.relation_of_users(name)[batch.user_features[name]] for name in self.attributes]
        places = self._codes_in_rows
        assert isinstance(places, Tensor)
        return places, torch.cat(rows, 1) if rows else torch.empty(len(batch.items), 0)

    def relation_of_users(self, name: str) -> Tensor:
        """Logarithm of R_a(u, v) by value codes of the user attribute `name`, `[values, values]`."""
        table: Tensor = self.user_relation[relation_name("user", name)]
        return table

    def _codes(self, name: str) -> Tensor:
        codes = getattr(self, _codes_key(name))
        assert isinstance(codes, Tensor)
        return codes

    def lookup(self, batch: Batch) -> Tensor:
        """Weights of the neighbours at the places, `[b, t, k]`."""
        assert batch.similar_users is not None
        return self.neighbour_weights(batch, batch.similar_users)

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """What neighbours did after the aligned position, weighted by neighbour and step."""
        assert batch.similar_users is not None and looked_up is not None
        following = batch.similar_users.following
        if following.numel() >= MANY and following.device.type == "cpu" and may_round():
            items, entries = entries_of(following, looked_up, torch.softmax(self.step_weight, 0) * weights.flatten())
        else:
            items, entries = (values.flatten(2) for values in self._entries(batch, looked_up, weights))
        return EntryContribution(items, self.padding), entries

    def named(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """What similar users did next, the most similar ones first."""
        assert batch.similar_users is not None
        following, similarity = batch.similar_users.following[..., 0], batch.similar_users.similarity
        strength = similarity / similarity.amax(2, keepdim=True).clamp_min(1e-12) * (following >= 0)
        return following.clamp_min(0).flatten(), strength.flatten()

    def _entries(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What neighbours did next, and the weight of each, both `[b, t, k, horizon]`."""
        assert batch.similar_users is not None and looked_up is not None
        following = batch.similar_users.following
        steps = torch.softmax(self.step_weight, 0) * weights
        return following.clamp_min(0), looked_up.unsqueeze(3) * steps * (following >= 0)

    def refinement(self, batch: Batch, looked_up: Tensor | None, table: Tensor) -> Tensor:
        """What similar users did next at the aligned position, as an addition to the hidden state.

        Args:
            batch: with neighbours.
            looked_up: weights of the neighbours, `[b, t, k]`, as `lookup` gives them.
            table: item representations `[items, d]`.

        Returns:
            `[b, t, d]`, 0 where there are no neighbours.
        """
        following, weights = self._next(batch, looked_up)
        flat = following.clamp_min(0).flatten(0, 1)
        total = weighted_sums(flat, table, weights.flatten(0, 1))
        return self._refined(total.view(*following.shape[:2], table.shape[1]), weights)

    def _next(self, batch: Batch, looked_up: Tensor | None) -> tuple[Tensor, Tensor]:
        """What each neighbour did right after the aligned position, and its weight, both `[b, t, k]`."""
        assert batch.similar_users is not None and looked_up is not None
        following = batch.similar_users.following[..., 0]
        return following, looked_up * (following >= 0)

    def _refined(self, mean: Tensor, weights: Tensor) -> Tensor:
        refined: Tensor = self.project(self.norm(mean)) * (weights.sum(2, keepdim=True) > 0)
        return refined

    def pair_scores(self, relation: SimilarUsersRelation, relations: RelationSet) -> list[PairScores]:
        """How much a similar user with the value of a column counts for a user with that of a row, by attribute."""
        found = []
        for name in self.attributes:
            user, table = relations.users[name], self.relation_of_users(name).detach()
            # The last code stands for a missing value, which is nobody's pair.
            known = len(user.labels) - 1
            frequency = np.bincount(user.codes, minlength=known + 1)[:known].astype(np.float64)
            matrix = table.exp().cpu().numpy()[:known, :known]
            found.append(PairScores("user", name, user.labels[:known], matrix, frequency))
        return found

    def attributions(
        self, relation: SimilarUsersRelation, question: Question, answers: AnswerBatch | None
    ) -> list[Attribution]:
        """How many of the users with a similar history had the item soon after."""
        assert answers is not None and answers.batch.similar_users is not None
        neighbours = answers.batch.similar_users
        following = neighbours.following[answers.rows, 0]
        took = (following == answers.items[:, None, None]).any(2).sum(1).tolist()
        similar = (neighbours.users[answers.rows, 0] >= 0).sum(1).tolist()
        return [
            Attribution(count=users, reason=wording.followed(users, among))
            for users, among in zip(took, similar, strict=True)
        ]

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        following, entries = self._entries(batch, looked_up, weights)
        return torch.log1p(scattered(following.flatten(1), entries.flatten(1), self.padding))

    def onnx_refinement(self, batch: Batch, looked_up: Tensor | None, table: Tensor) -> Tensor:
        """See `ContributingModule.onnx_refinement`."""
        following, weights = self._next(batch, looked_up)
        mean = (table[following.clamp_min(0)] * weights.unsqueeze(3)).sum(2)
        return self._refined(mean, weights)


def _codes_key(name: str) -> str:
    """The buffer of the codes of a user attribute."""
    return f"codes_{module_key(relation_name('user', name))}"
