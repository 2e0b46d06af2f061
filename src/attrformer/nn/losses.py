"""What networks say before they meet the catalogue, and the objectives that teach them over all of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.nn.batch import Example
from attrformer.nn.candidates import Candidates
from attrformer.nn.contributions import Contribution, ContributionInputs
from attrformer.nn.fixed import LowCopies
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
from attrformer.nn.restricted import restricted, restricted_target


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a network says at the places of a batch, before it meets the catalogue.

    Args:
        hidden: `[b, t, d]`.
        table: `[items, d]`; `[c, d]` where there are candidates, over which the parts are as well then.
        names: of the relation parts.
        parts: the relation parts and their inputs, in the order of `names`.
        candidates: the only items that are scored; None: the whole catalogue.
    """

    hidden: Tensor
    table: Tensor
    names: list[str] = field(default_factory=list)
    parts: list[tuple[Contribution, ContributionInputs]] = field(default_factory=list)
    candidates: Candidates | None = None

    def among(self, candidates: Candidates, table: Tensor) -> Outputs:
        """The same for some items alone.

        Args:
            candidates: the only items that are scored.
            table: `[c, d]`, their rows.
        """
        parts = [(restricted(part, candidates), inputs) for part, inputs in self.parts]
        return replace(self, table=table, parts=parts, candidates=candidates)


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """Losses over the whole catalogue, or the candidates of the outputs, with the options of one training.

    Args:
        popularity: float32 `[items]`, training interactions of each item as shares that sum to one.
        strength: alpha_0 of the Dirichlet prior.
        mixture: weights of relation evidence, popularity and uniform in the prior mean; they sum to one.
        block_elements: logits made at a time.
        precision: type of the large products.
        compiled: whether compiled passes may be used.
        copies: of relation tables in that type, made as they are asked for.
    """

    popularity: Tensor
    strength: float
    mixture: tuple[float, float, float]
    block_elements: int
    precision: torch.dtype
    compiled: bool = True
    copies: LowCopies = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "copies", LowCopies(self.precision))

    def posterior(self, outputs: Outputs, example: Example) -> Tensor:
        """Cross-entropy to the posterior target of one batch (docs/paper.md, part 3), a scalar."""
        target = PosteriorTarget(
            items=example.items,
            counts=example.counts,
            strength=self.strength,
            popularity=self.popularity,
            mixture=self.mixture,
            relation=0 if outputs.parts else None,
        )
        return self._fused(outputs, target, example.mask)

    def next_item(self, outputs: Outputs, items: Tensor, mask: Tensor) -> Tensor:
        """Plain cross-entropy over the whole catalogue, a scalar.

        Args:
            outputs: of the network.
            items: int64 `[b, t]`, the item to be predicted at each place.
            mask: float32 `[b, t]`, 0 for places that do not count.
        """
        target = PosteriorTarget(
            items=items.unsqueeze(2),
            counts=mask.new_ones(*items.shape, 1),
            strength=0.0,
            popularity=self.popularity,
            mixture=(0.0, 0.0, 1.0),
            relation=None,
        )
        return self._fused(outputs, target, mask)

    def _fused(self, outputs: Outputs, target: PosteriorTarget, mask: Tensor) -> Tensor:
        candidates = outputs.candidates
        if candidates is not None:
            target = restricted_target(target, candidates)
        return fused_cross_entropy(
            outputs.hidden,
            outputs.table,
            outputs.parts,
            target,
            mask,
            block_elements=self.block_elements,
            precision=self.precision,
            copies=self.copies,
            correction=None if candidates is None else candidates.correction,
            compiled=self.compiled,
        )


def uniform_negatives(items: Tensor, catalogue: int) -> Tensor:
    """One item for each of `items`, uniformly from all other items of the catalogue.

    Args:
        items: int64, any shape, codes below `catalogue`.
        catalogue: number of items.

    Raises:
        ConfigurationError: there are no other items.
    """
    if catalogue < 2:
        raise ConfigurationError(
            "The loss of this model tells each item from another one, and the catalogue has no other. Give data with "
            "two items or more, or choose another model."
        )
    drawn = torch.randint(0, catalogue - 1, items.shape, device=items.device)
    return drawn + (drawn >= items)


def binary_cross_entropy(outputs: Outputs, items: Tensor, negatives: Tensor, mask: Tensor) -> Tensor:
    """Each item to be predicted against one drawn negative: -log s(r) - log(1 - s(r')), s the logistic function.

    Args:
        outputs: of a network without relation parts.
        items: int64 `[b, t]`.
        negatives: int64 `[b, t]`.
        mask: float32 `[b, t]`, 0 for places that do not count.

    Returns:
        The mean over the places that count, a scalar.
    """
    right = (outputs.hidden * F.embedding(items, outputs.table)).sum(2)
    wrong = (outputs.hidden * F.embedding(negatives, outputs.table)).sum(2)
    loss = F.softplus(-right) + F.softplus(wrong)
    return (loss * mask).sum() / mask.sum().clamp_min(1.0)


def contrast(first: Tensor, second: Tensor, temperature: float, same: Tensor | None = None) -> Tensor:
    """Two views of each of n histories told apart from the views of all others (normalised temperature-scaled).

    Args:
        first: `[n, d]`.
        second: `[n, d]`, row k the other view of row k of `first`.
        temperature: divides the similarities.
        same: int64 `[n]`, histories with an equal number are no negatives of each other; None: all are.

    Returns:
        The mean of both directions, a scalar; 0 where there is a single history.
    """
    count = len(first)
    if count < 2:
        return first.sum() * 0.0
    views = torch.cat([first, second])
    logits = views @ views.t() / temperature
    hidden = torch.eye(2 * count, dtype=torch.bool, device=views.device)
    partner = torch.arange(2 * count, device=views.device).roll(count)
    if same is not None:
        twice = torch.cat([same, same])
        alike = twice.unsqueeze(0) == twice.unsqueeze(1)
        alike[torch.arange(2 * count, device=views.device), partner] = False
        hidden = hidden | alike
    return F.cross_entropy(logits.masked_fill(hidden, -torch.inf), partner)
