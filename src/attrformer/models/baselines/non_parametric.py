"""Networks that count and learn nothing: they rank by evidence, and popularity breaks its ties."""

from __future__ import annotations

import torch
from torch import Tensor

from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.nn.contributions import ContributionInputs, RowContribution
from attrformer.nn.losses import Outputs
from attrformer.nn.tables import DenseRows
from attrformer.relations.relation_set import RelationSet

EPSILON = 1e-6
"""Evidence e counts as log(1 + e / EPSILON): the order stays, and nearly all evidence is worth more than popularity."""

TIE = 1e-3
"""What the most popular item gets beside its evidence."""


def steps_back(batch: Batch) -> Tensor:
    """Steps from each place back to each position, int64 `[b, t, l]`; negative for positions after the place."""
    return batch.target_positions.unsqueeze(2) - torch.arange(batch.items.shape[1], device=batch.items.device)


class NonParametricNetwork(Network):
    """Ranks by counted evidence, items of equal evidence by their popularity; has no parameters.

    Args:
        relations: of the dataset; only the popularity of items is read here.
        name: under which explanations give the evidence.
        repeats: whether items of the history keep their evidence.
    """

    popularity: Tensor

    def __init__(self, relations: RelationSet, name: str, repeats: bool) -> None:
        super().__init__()
        self.items, self.name, self.repeats = relations.n_items, name, repeats
        count = torch.from_numpy(relations.popularity).log1p()
        self.register_buffer("popularity", (TIE * count / count.max().clamp_min(1e-9)).unsqueeze(1), persistent=False)

    def evidence(self, batch: Batch) -> Tensor:
        """Evidence at the places of a batch, float32 `[b, t, items]`, at least 0; the caller may change it."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Outputs:
        """Popularity as the content part, the evidence as the only relation part."""
        evidence = self.evidence(batch)
        if not self.repeats:
            # Positions after the place stand for the item at the place, which is of the history as well.
            last = batch.at_target_positions(batch.items).unsqueeze(2)
            evidence.scatter_(2, torch.where(steps_back(batch) >= 0, batch.items.unsqueeze(1), last), 0.0)
        count, places = batch.target_positions.shape
        rows = torch.arange(count * places, device=evidence.device).view(count, places)
        own = torch.eye(places, device=evidence.device).expand(count, -1, -1) / EPSILON
        part = RowContribution(DenseRows(evidence.flatten(0, 1)), rows)
        ones = evidence.new_ones(count, places)
        return Outputs(ones.unsqueeze(2), self.popularity, [self.name], [(part, ContributionInputs(own, ones))])
