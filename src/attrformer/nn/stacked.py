"""Parameters of all relations side by side, so that one operation does for all what many small ones did for each.

Every relation keeps parameters of its own: stacking copies them, and each gets its gradient from its own slice alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.compiled import may_round
from attrformer.nn.attention import StackedHeads
from attrformer.nn.batch import Batch
from attrformer.nn.fixed import constant
from attrformer.nn.recency import StackedProfiles
from attrformer.nn.relations.base import ContributingModule, Gate

MANY_WEIGHTS: Final = 1 << 18
"""Fewer weights of positions are not worth importing numba for."""


@dataclass(frozen=True, slots=True, eq=False)
class StackedGates:
    """The gates of r relations.

    Args:
        weight: `[r, d]`.
        bias: `[r]`.
        signed: bool `[r]`.
        sign: `[r]`, -1 for relations that are taken off the scores; None where there is none.
    """

    weight: Tensor
    bias: Tensor
    signed: Tensor
    sign: Tensor | None = None

    @classmethod
    def of(cls, gates: list[Gate]) -> StackedGates:
        """Stacks at least one gate."""
        weight, bias = torch.stack([gate.weight for gate in gates]), torch.stack([gate.bias for gate in gates])
        signed = constant(tuple(gate.signed for gate in gates), bias.device)
        sign = tuple(-1 if gate.against else 1 for gate in gates)
        return cls(weight, bias, signed, constant(sign, bias.device) if -1 in sign else None)

    def __call__(self, hidden: Tensor) -> Tensor:
        """g_a(h_t) of every relation, `[b, t, d]` to `[b, t, r]`."""
        raw = F.linear(hidden, self.weight, self.bias)
        positive = F.softplus(raw)
        return torch.where(self.signed, raw, positive if self.sign is None else positive * self.sign)


@dataclass(frozen=True, slots=True, eq=False)
class StackedEvidence:
    """Gates, eps and recency profiles of r relations.

    Args:
        gates: of all.
        inverse_epsilons: 1 / eps_a of each, scalars.
        recency: beta_a / eps_a of those that read the history, in their order; None where none does.
        with_history: for each relation, whether it reads the history.
    """

    gates: StackedGates
    inverse_epsilons: list[Tensor]
    recency: StackedProfiles | None
    with_history: list[bool]

    @classmethod
    def of(cls, modules: list[ContributingModule]) -> StackedEvidence:
        """Stacks at least one relation."""
        reading = [(module.recency, module.gate.log_inverse_epsilon) for module in modules]
        profiles = [profile for profile, _ in reading if profile is not None]
        scales = [scale for profile, scale in reading if profile is not None]
        return cls(
            StackedGates.of([module.gate for module in modules]),
            [module.gate.inverse_epsilon() for module in modules],
            StackedProfiles.of(profiles, scales) if profiles else None,
            [module.recency is not None for module in modules],
        )

    def weights(self, batch: Batch, bins: Tensor, gaps: Tensor | None, padding: int) -> list[Tensor]:
        """What each relation is given as the weights of its positions.

        Args:
            batch: histories and places.
            bins: int64 `[b, t, l]`, as `LookBack` gives them.
            gaps: int64 `[b, t, l]` buckets of the time gap, or None.
            padding: item code of padding.

        Returns:
            beta_a / eps_a at the places, `[b, t, l]`, 0 for padding; 1 / eps_a alone where the history plays no part.
        """
        if self.recency is None:
            return self.inverse_epsilons
        there = batch.items != padding
        many = bins.numel() * sum(self.with_history) >= MANY_WEIGHTS
        if many and bins.device.type == "cpu" and may_round():
            each = iter(self.recency.compiled(batch, bins, gaps, there.float()))
        else:
            beta = self.recency.logarithms(batch, bins, gaps).exp()
            each = iter(beta.masked_fill(~there.unsqueeze(1), 0.0))
        return [next(each) if reads else e for e, reads in zip(self.inverse_epsilons, self.with_history, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class StackedParameters:
    """The parameters of all relations of a network.

    Args:
        heads: relation heads of each layer; None where there is none.
        evidence: of the relations that contribute to the catalogue; None where none does.
    """

    heads: list[StackedHeads | None]
    evidence: StackedEvidence | None
