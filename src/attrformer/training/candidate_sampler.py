"""Which items a training step tells apart, where the catalogue is too large for all of them."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Example
from attrformer.nn.candidates import Candidates, candidates_of, forget
from attrformer.ranks import ALONE, Ranks
from attrformer.training.config import TrainingConfig

FULL_SOFTMAX: Final = 40_000
"""Items up to which the loss is over the whole catalogue where the options leave it open: nothing is estimated then,
and time and memory of a step grow with the catalogue."""

NEGATIVES: Final = 2_048
"""Items that are drawn for each step where the options leave it open, and as many that relations name at most."""

MANY_ITEMS: Final = 200_000
"""Catalogues above this size get twice as many."""


def samples(training: TrainingConfig, model: ModelConfig, items: int) -> bool:
    """Whether the loss is over candidates.

    Args:
        training: what the options say.
        model: options of the model.
        items: size of the catalogue.

    Raises:
        ConfigurationError: the options ask for it, and the loss of the model is none over the catalogue.
    """
    if training.loss == "sampled" and not model.knows_candidates:
        raise ConfigurationError(
            f"training.loss is sampled, and model.name is '{model.name}', whose loss here is not a softmax over the "
            "catalogue that candidates can stand for. Set training.loss=full, or choose AttrFormer, or SASRec with "
            "model.loss=full."
        )
    return model.knows_candidates and (training.loss == "sampled" or (training.loss == "auto" and items > FULL_SOFTMAX))


class CandidateSampler:
    """Makes the candidates of each step: what is upcoming, the histories, what relations name, and drawn items.

    Args:
        popularity: float32 `[items]`, training interactions of each item.
        training: how many items are drawn, and which share of them by popularity.
        ranks: that train together; each has a part of the batch, and all get the candidates of the whole of it.
    """

    @classmethod
    def where_asked(
        cls, popularity: Tensor, training: TrainingConfig, model: ModelConfig, ranks: Ranks = ALONE
    ) -> CandidateSampler | None:
        """One where the options or the size of the catalogue ask for it, None for the full softmax; see `samples`."""
        return cls(popularity, training, ranks) if samples(training, model, len(popularity)) else None

    def __init__(self, popularity: Tensor, training: TrainingConfig, ranks: Ranks = ALONE) -> None:
        self._ranks = ranks
        items = len(popularity)
        by_size = NEGATIVES if items <= MANY_ITEMS else 2 * NEGATIVES
        self.count = min(by_size if training.negatives is None else training.negatives, items)
        # At least one is drawn evenly, so that an item without interactions can be a candidate.
        self.popular = min(round(self.count * training.popular_negatives), self.count - 1)
        # Items are drawn on the CPU: not every device has double precision.
        counts = popularity.cpu().double()
        shares = counts / counts.sum()
        self._cumulative = shares.cumsum(0)
        # Of an item, that none of the draws of either kind is it.
        missed = self.popular * torch.log1p(-shares.clamp_max(1 - 1e-12))
        missed += (self.count - self.popular) * torch.log1p(torch.tensor(-1.0 / max(items, 2), dtype=torch.float64))
        self._log_chance = torch.log(-torch.expm1(missed)).float().to(popularity.device)
        self._places = torch.full((items + 1,), items + 1, dtype=torch.int32, device=popularity.device)
        self._last: Candidates | None = None

    @property
    def text(self) -> str:
        """What the protocol line says of it."""
        return (
            f"loss sampled: {self.count:,} drawn items a step ({self.popular:,} by popularity), and at most as many "
            "that relations name; rows of items updated when read"
        )

    def __call__(self, network: Network, example: Example) -> Candidates:
        """The candidates of a step; those of the step before are of no use from then on.

        Args:
            network: says what relations name, and what else is read.
            example: the batch.
        """
        if self._last is not None:
            forget(self._last)
        batch, items = example.batch, len(self._log_chance)
        history = batch.items[batch.items < items]
        certain = self._ranks.union(torch.cat([history, example.items.flatten()]))
        certain = torch.unique(torch.cat([certain, self._named(network, example, certain)]))
        drawn = self._drawn(items)
        others = self._ranks.union(network.items_read(batch))
        self._last = candidates_of(certain, drawn, self._log_chance[drawn], others, self._places)
        return self._last

    def _drawn(self, items: int) -> Tensor:
        even = torch.randint(items, (self.count - self.popular,))
        at = torch.rand(self.popular, dtype=torch.float64) * self._cumulative[-1]
        popular = torch.searchsorted(self._cumulative, at, right=True).clamp_max_(items - 1)
        return torch.cat([even, popular]).to(self._places.device)

    @torch.no_grad()
    def _named(self, network: Network, example: Example, certain: Tensor) -> Tensor:
        """The items that relations name most strongly for the histories, beside those that are certain already."""
        total = torch.zeros(len(self._log_chance), device=self._places.device)
        network.add_named(example.batch, total)
        places = self._ranks.sum_at(total, total.nonzero()[:, 0]) if self._ranks.size > 1 else None
        total[certain] = 0.0
        some = total if places is None else total[places]
        strongest = some.topk(min(self.count, len(some)))
        found = strongest.indices[strongest.values > 0]
        return found if places is None else places[found]
