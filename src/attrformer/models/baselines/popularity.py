"""Popularity: every history gets the items with the most training interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.nn.losses import Outputs
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class PopularityConfig(ModelConfig):
    """Options of popularity."""

    name: Literal["popularity"] = "popularity"


class PopularityNetwork(Network):
    """The score of an item is its number of training interactions; nothing is learned.

    Args:
        relations: of the dataset; only the popularity of items is read.
        config: options.
        dropout: not used.
    """

    popularity: Tensor

    def __init__(self, relations: RelationSet, config: PopularityConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("popularity", torch.from_numpy(relations.popularity).unsqueeze(1), persistent=False)

    def forward(self, batch: Batch) -> Outputs:
        """The same counts for every place."""
        return Outputs(torch.ones(*batch.target_positions.shape, 1, device=batch.items.device), self.popularity)
