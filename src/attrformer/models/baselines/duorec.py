"""DuoRec: SASRec whose histories are to be told apart, save from those that lead to the same item.

R. Qiu, Z. Huang, H. Yin and Z. Wang, "Contrastive learning for representation degeneration problem in sequential
recommendation", WSDM 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.grouping import groups_by_length
from attrformer.models.baselines.sasrec import SelfAttentiveEncoder, padded_embedding
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.losses import Objective, Outputs, contrast
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class DuoRecConfig(EncoderConfig):
    """Options of DuoRec."""

    CONTRASTS_SAME_TARGET: ClassVar[bool] = True

    name: Literal["duorec"] = "duorec"
    lambda_unsup: float = field(
        default=0.1, metadata={"help": "weight of the contrast of a history with itself under another dropout"}
    )
    lambda_sup: float = field(
        default=0.1, metadata={"help": "weight of the contrast of a history with another one before the same item"}
    )
    temperature: float = field(default=1.0, metadata={"help": "divides the similarities of the contrastive losses"})

    @property
    def allows_filled_batches(self) -> bool:
        """No: the loss reads every history of a batch."""
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lambda_unsup", "lambda_sup"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(self.temperature > 0, "temperature", self.temperature, "a number above 0")


class DuoRecNetwork(Network):
    """The encoder of SASRec, taught by the next item and by two contrasts of histories.

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: DuoRecConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.n_items
        self.item = nn.Parameter(torch.randn(relations.n_items, config.width) * 0.02)
        self.encoder = SelfAttentiveEncoder(config, dropout)

    def encode(self, items: Tensor, places: Tensor) -> Tensor:
        """Hidden state of histories `[b, l]` at places `[b, t]`, `[b, t, d]`."""
        hidden: Tensor = self.encoder(padded_embedding(items, self.item), places)
        return hidden

    def ends(self, items: Tensor) -> Tensor:
        """Hidden state at the end of histories `[b, l]`, `[b, d]`.

        Partners have any length, so that reading them in one piece would mostly read padding.
        """
        lengths = (items != self.items).sum(1)
        embedded = padded_embedding(items, self.item)
        groups = groups_by_length(lengths)
        read = [
            self.encoder(embedded[rows, : int(lengths[rows].max())], lengths[rows].unsqueeze(1) - 1) for rows in groups
        ]
        return torch.cat(read).squeeze(1)[torch.cat(groups).argsort()]

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        return Outputs(self.encode(batch.items, batch.target_positions), self.item)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy of the next item plus the weighted contrasts, which look at the end of each history.

        With h and h' the same history under two dropouts and h_s another history before the same item, h is contrasted
        with h' and h' with h_s. Histories before the same item are no negatives of each other.
        """
        batch, config = example.batch, self.config
        end = (batch.items != self.items).sum(1, keepdim=True) - 1
        # Of long histories only some places are asked about, and the end need not be one of them.
        hidden = self.encode(batch.items, torch.cat([batch.target_positions, end], 1))
        loss = objective.next_item(Outputs(hidden[:, :-1], self.item), example.items[:, :, 0], example.mask)
        assert example.partners is not None
        again, partner = self.ends(_under_each_other(batch.items, example.partners.items, self.items)).chunk(2)
        loss = loss + config.lambda_unsup * contrast(hidden[:, -1], again, config.temperature, example.final)
        return loss + config.lambda_sup * contrast(again, partner, config.temperature, example.final)


def _under_each_other(first: Tensor, second: Tensor, padding: int) -> Tensor:
    """Rows of both, padded to the wider."""
    width = max(first.shape[1], second.shape[1])
    return torch.cat([F.pad(items, (0, width - items.shape[1]), value=padding) for items in (first, second)])
