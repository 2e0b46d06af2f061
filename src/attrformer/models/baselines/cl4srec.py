"""CL4SRec: SASRec that also learns to recognise two altered views of one history.

X. Xie, F. Sun, Z. Liu, S. Wu, J. Gao, J. Zhang, B. Ding and B. Cui, "Contrastive learning for sequential
recommendation", ICDE 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers import augmentation
from attrformer.models.baselines.sasrec import SelfAttentiveEncoder, padded_embedding
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.losses import Objective, Outputs, contrast
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class CL4SRecConfig(EncoderConfig):
    """Options of CL4SRec."""

    name: Literal["cl4srec"] = "cl4srec"
    crop: float = field(default=0.6, metadata={"help": "share of a history that a crop keeps; 0: no crops"})
    mask: float = field(default=0.3, metadata={"help": "share of a history that is masked; 0: no masks"})
    reorder: float = field(default=0.6, metadata={"help": "share of a history that is shuffled; 0: no reordering"})
    contrast_weight: float = field(default=0.1, metadata={"help": "lambda, weight of the contrastive loss"})
    temperature: float = field(default=1.0, metadata={"help": "divides the similarities of the contrastive loss"})

    @property
    def allows_filled_batches(self) -> bool:
        """No: the loss reads every history of a batch."""
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("crop", "mask", "reorder"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        together = self.crop + self.mask + self.reorder
        require(together > 0, "crop, mask and reorder", "0 each", "one of them above 0")
        require(self.contrast_weight >= 0, "contrast_weight", self.contrast_weight, "0 or more")
        require(self.temperature > 0, "temperature", self.temperature, "a number above 0")


class CL4SRecNetwork(Network):
    """The encoder of SASRec, taught by the next item and by pairs of views.

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: CL4SRecConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.n_items
        self.item = nn.Parameter(torch.randn(relations.n_items, config.width) * 0.02)
        self.gap = nn.Parameter(torch.randn(1, config.width) * 0.02)
        self.encoder = SelfAttentiveEncoder(config, dropout)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        return Outputs(self.encoder(padded_embedding(batch.items, self.item), batch.target_positions), self.item)

    def view(self, items: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """One view of each history, by an operator that is drawn for each.

        Args:
            items: int64 `[b, l]`, padded on the right.
            lengths: int64 `[b]`.

        Returns:
            Items `[b, l]`, `items + 1` where masked, and lengths `[b]`.
        """
        config, views = self.config, []
        if config.crop > 0:
            views.append(augmentation.crop(items, lengths, config.crop, self.items))
        if config.mask > 0:
            views.append(augmentation.mask(items, lengths, config.mask, self.items + 1))
        if config.reorder > 0:
            views.append(augmentation.reorder(items, lengths, config.reorder))
        rows = torch.arange(len(items), device=items.device)
        drawn = torch.randint(len(views), (len(items),), device=items.device)
        return torch.stack([view for view, _ in views])[drawn, rows], torch.stack([n for _, n in views])[drawn, rows]

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy of the next item plus lambda times the contrast of two views of each history."""
        predicted = super().loss(example, objective)
        if self.config.contrast_weight == 0:
            return predicted
        items = example.batch.items
        lengths = (items != self.items).sum(1)
        views, ends = zip(self.view(items, lengths), self.view(items, lengths), strict=True)
        table = torch.cat([self.item, self.item.new_zeros(1, self.config.width), self.gap])
        hidden = self.encoder(F.embedding(torch.cat(views), table), torch.cat(ends).unsqueeze(1) - 1)
        first, second = hidden.squeeze(1).chunk(2)
        return predicted + self.config.contrast_weight * contrast(first, second, self.config.temperature)
