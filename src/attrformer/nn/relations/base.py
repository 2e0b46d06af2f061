"""Relations as modules: what each says about earlier positions, and about the whole catalogue.

Every module owns its parameters and reads nothing of another one's, so that what is learned for one attribute gets
gradients from that attribute alone (docs/paper.md, part 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attrformer.errors import ConfigurationError
from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution
from attrformer.nn.recency import RecencyProfile
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.relation_set import RelationSet

if TYPE_CHECKING:
    from typing_extensions import Self

RECENCY_DECAY = 0.8
"""Where recency profiles start, where a relation does not say otherwise."""


class Gate(nn.Module):
    """g_a(h_t) and 1 / eps_a of one relation.

    Args:
        width: of the hidden state.
        epsilon: eps_a at the start.
        signed: whether the gate may be negative (the relation `repeat`); otherwise it is a softplus.
        start: g_a at the start, where it is not signed.
        against: whether the relation is taken off the scores: the gate is the softplus, negated.
    """

    def __init__(
        self, width: int, epsilon: float, signed: bool = False, start: float = 1.0, *, against: bool = False
    ) -> None:
        super().__init__()
        self.signed, self.against = signed, against
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.tensor(0.0 if signed else math.log(math.expm1(start))))
        self.log_inverse_epsilon = nn.Parameter(torch.tensor(-math.log(epsilon)))

    @torch.no_grad()
    def start_at(self, value: float) -> None:
        """Lets g_a start at a value, where it is not signed.

        Args:
            value: above 0.
        """
        # The inverse of the softplus, written so that nothing overflows.
        self.bias.fill_(value + math.log(-math.expm1(-value)))

    def forward(self, hidden: Tensor) -> Tensor:
        """`[b, t, d]` to `[b, t]`."""
        raw = hidden @ self.weight + self.bias
        if self.signed:
            return raw
        return -F.softplus(raw) if self.against else F.softplus(raw)

    def inverse_epsilon(self) -> Tensor:
        """1 / eps_a, a positive scalar."""
        return self.log_inverse_epsilon.exp()


@dataclass(frozen=True, slots=True, eq=False)
class ModuleOptions:
    """What modules are made with.

    Args:
        width: of the hidden state.
        epsilon: eps_a at the start.
        low_rank: rank of the learned off-diagonal part of M_a.
        recency: makes a recency profile that starts with a decay for each step.
        relations: all of the model; for relations that weigh users by their attributes.
    """

    width: int
    epsilon: float
    low_rank: int
    recency: Callable[[float], RecencyProfile]
    relations: RelationSet


@dataclass(frozen=True, slots=True, eq=False)
class AnswerBatch:
    """The answers that are explained, as the network has them.

    Args:
        batch: the histories, one place each.
        rows: int64 `[n]`, whose answer each is.
        items: int64 `[n]`, item codes.
    """

    batch: Batch
    rows: Tensor
    items: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """How much values of an attribute go with each other, learned.

    Args:
        owner: "item" or "user", whose attribute it is.
        column: the attribute.
        labels: values, `[n]`.
        matrix: float32 `[n, n]`.
        frequency: float64 `[n]`, training interactions or users of each value.
    """

    owner: str
    column: str
    labels: tuple[str, ...]
    matrix: NDArray[np.float32]
    frequency: NDArray[np.float64]


class RelationModule(nn.Module):
    """What is learned of one relation.

    `looked_up` is what `lookup` finds of a batch, once for attention and catalogue.
    """

    contributes: ClassVar[bool] = False
    """Whether it adds to the scores of the catalogue; then it is a `ContributingModule`."""

    attends: ClassVar[bool] = False
    """Whether a head of attention reads it."""

    refines: ClassVar[bool] = False
    """Whether it adds to the hidden state."""

    @classmethod
    def make(cls, relation: Any, options: ModuleOptions) -> Self:
        """The module of a relation.

        Args:
            relation: its table.
            options: what modules are made with.
        """
        raise NotImplementedError

    def lookup(self, batch: Batch) -> Tensor | None:
        """What the other methods look up of a batch; None where they need nothing."""
        return None

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps) for all pairs of positions, `[b, l, l]`, where a head reads the relation.

        Args:
            batch: histories.
            looked_up: as `lookup` gives it.
            gaps: int64 `[b, l, l]` buckets of the time between positions, or None.
        """
        raise NotImplementedError

    def onnx_lookup(self, batch: Batch) -> Tensor | None:
        """`lookup` in operations that ONNX has; by default the same."""
        return self.lookup(batch)

    def onnx_attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """`attention_values` in operations that ONNX has; by default the same."""
        return self.attention_values(batch, looked_up, gaps)


class ContributingModule(RelationModule):
    """A relation that adds to the scores of the catalogue: a gate and a recency profile.

    Args:
        gate: how strongly the relation counts.
        recency: beta_a, or None where the history plays no part.
    """

    contributes: ClassVar[bool] = True

    padding: int

    def __init__(self, gate: Gate, recency: RecencyProfile | None) -> None:
        super().__init__()
        self.gate, self.recency = gate, recency

    def weights(self, batch: Batch, gaps: Tensor | None) -> Tensor:
        """beta_a at the places of a batch, padding included with its neighbours' value; `[b, t, l]`."""
        assert self.recency is not None
        profile: Tensor = self.recency(batch, gaps)
        return profile.exp().masked_fill((batch.items == self.padding).unsqueeze(1), 0.0)

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The path to the catalogue and its differentiable weights.

        Args:
            batch: histories and places.
            looked_up: as `lookup` gives it.
            weights: beta_a / eps_a at the places, `[b, t, l]`; 1 / eps_a alone where the history plays no part.
        """
        raise NotImplementedError

    def refinement(self, batch: Batch, looked_up: Tensor | None, table: Tensor) -> Tensor:
        """What is added to the hidden state, `[b, t, d]`, where the relation refines it.

        Args:
            batch: histories and places.
            looked_up: as `lookup` gives it.
            table: item representations `[items, d]`.
        """
        raise NotImplementedError

    def named(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """Items that the relation names for the histories of a batch, and how strongly; see `Network.named`.

        Args:
            batch: histories and places.

        Returns:
            Item codes (int32 or int64) and float32 strengths, both `[n]`; None where it names none, as by default.
        """
        return None

    def add_named(self, batch: Batch, total: Tensor) -> None:
        """Adds the strengths of `named` up by item.

        Args:
            batch: histories and places.
            total: float32 `[items]`, added to.
        """
        found = self.named(batch)
        if found is not None:
            total.index_add_(0, *found)

    def values_between(self, batch: Batch, items: Tensor) -> Tensor | None:
        """R_a(i_s, j) for positions s and items j `[b, n]`, `[b, l, n]`; None where the history plays no part."""
        return None

    def related(self, items: Tensor) -> Tensor | None:
        """R_a(i, j) of items `[n]` and every item j as learned, `[n, items]`; None where nothing is learned of it."""
        return None

    def pair_scores(self, relation: Any, relations: RelationSet) -> list[PairScores]:
        """The learned strength of pairs of values, for people to look at.

        Args:
            relation: its table.
            relations: all of the model.
        """
        return []

    def attributions(self, relation: Any, question: Question, answers: AnswerBatch | None) -> list[Attribution]:
        """What stands behind what the relation adds to some answers.

        Args:
            relation: its table.
            question: the answers.
            answers: the same as the network has them; None for people without a history.
        """
        found: list[Attribution] = relation.attributions(question)
        return found

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """log(1 + e_a / eps_a) of every item, `[b, items]`, in operations that ONNX has.

        Args:
            batch: histories, one place each.
            looked_up: as `onnx_lookup` gives it.
            weights: as for `contribution`.
        """
        raise ConfigurationError(
            f"{type(self).__name__} cannot be exported to ONNX. Write its method onnx_contribution, or leave the "
            "relation out."
        )

    def onnx_refinement(self, batch: Batch, looked_up: Tensor | None, table: Tensor) -> Tensor:
        """`refinement` in operations that ONNX has; by default the same."""
        return self.refinement(batch, looked_up, table)


def scattered(items: Tensor, weights: Tensor, count: int) -> Tensor:
    """Entries `[b, e]` added up over the catalogue, `[b, count]`.

    Args:
        items: int32 or int64 `[b, e]`.
        weights: `[b, e]`.
        count: size of the catalogue.
    """
    return torch.zeros(items.shape[0], count, device=weights.device).scatter_add(1, items.long(), weights)
