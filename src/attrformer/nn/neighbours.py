"""Position-to-position aggregation as a module: what similar users did at the aligned positions (SPEC part 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.evidence import Gate, RelationEvidence
from attrformer.nn.named import NamedParameters
from attrformer.nn.parts import EntryPart, Part
from attrformer.relations.naming import module_key, relation_name

NOTHING = -1e9


class NeighbourEvidence(RelationEvidence):
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
        self.project = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.project.weight)

    def neighbour_weights(self, batch: Batch, found: NeighbourBatch) -> Tensor:
        """Softmax weights of neighbours, 0 throughout where there are none.

        Args:
            batch: user attribute codes.
            found: neighbours at some positions, `[b, t, k]`.

        Returns:
            float32 `[b, t, k]`.
        """
        there = found.users >= 0
        logit = self.power * found.similarity.clamp_min(1e-6).log()
        for name in self.attributes:
            table = self.relation_of_users(name)
            # Rows first: a gradient that is added up for each pair of values would be added up one by one.
            codes = self._codes(name)[found.users.clamp_min(0)]
            logit = logit + table[batch.users[name]].gather(1, codes.flatten(1)).view_as(codes)
        weights = torch.softmax(logit.masked_fill(~there, NOTHING), -1)
        return weights * there

    def relation_of_users(self, name: str) -> Tensor:
        """Logarithm of R_a(u, v) by value codes of the user attribute `name`, `[values, values]`."""
        table: Tensor = self.user_relation[relation_name("user", name)]
        return table

    def _codes(self, name: str) -> Tensor:
        codes = getattr(self, _codes_key(name))
        assert isinstance(codes, Tensor)
        return codes

    def read(self, batch: Batch) -> Tensor:
        """Weights of the neighbours at the places, `[b, t, k]`."""
        assert batch.neighbours is not None
        return self.neighbour_weights(batch, batch.neighbours)

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """What neighbours did after the aligned position, weighted by neighbour and step."""
        assert batch.neighbours is not None and read is not None
        following = batch.neighbours.following
        steps = torch.softmax(self.step_weight, 0) * weights
        entries = read.unsqueeze(3) * steps * (following >= 0)
        return EntryPart(following.clamp_min(0).flatten(2), self.padding), entries.flatten(2)

    def refine(self, batch: Batch, read: Tensor, table: Tensor) -> Tensor:
        """What similar users did next at the aligned position, as an addition to the hidden state.

        Args:
            batch: with neighbours.
            read: weights of the neighbours, `[b, t, k]`, as `read` gives them.
            table: item representations `[items, d]`.

        Returns:
            `[b, t, d]`, 0 where there are no neighbours.
        """
        assert batch.neighbours is not None
        following = batch.neighbours.following[..., 0]
        weights = read * (following >= 0)
        flat = following.clamp_min(0).flatten(0, 1)
        total = F.embedding_bag(flat, table, per_sample_weights=weights.flatten(0, 1), mode="sum")
        mean = total.view(*following.shape[:2], table.shape[1])
        refined: Tensor = self.project(self.norm(mean)) * (weights.sum(2, keepdim=True) > 0)
        return refined


def _codes_key(name: str) -> str:
    """The buffer of the codes of a user attribute."""
    return f"codes_{module_key(relation_name('user', name))}"
