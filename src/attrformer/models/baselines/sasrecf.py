"""SASRec with item attributes at the input (SASRecF).

The variant of SASRec that papers on side information compare with, as in RecBole (W. X. Zhao et al., "RecBole: towards
a unified, comprehensive and efficient framework for recommendation algorithms", CIKM 2021) and in Y. Xie, P. Zhou and
S. Kim, "Decoupled side information fusion for sequential recommendation", SIGIR 2022: item and attribute embeddings are
fused before the first layer, and items are ranked by their item embeddings alone. The encoder is that of SASRec here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from attrformer.models.baselines.layers.attributes import AttributeEmbedding
from attrformer.models.baselines.sasrec import SelfAttentiveEncoder, padded_embedding
from attrformer.models.config import EncoderConfig, only
from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.nn.losses import Outputs
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class SASRecFConfig(EncoderConfig):
    """Options of SASRecF."""

    name: Literal["sasrecf"] = "sasrecf"
    fusion: Literal["concat", "sum", "gate"] = field(
        default="concat",
        metadata={
            "help": "item and attribute embeddings side by side and projected to width, as published; added; or added "
            "with weights made from them"
        },
    )

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Item attributes."""
        return only(relations, items=True)


class InputFusion(nn.Module):
    """One vector from the item embedding and the embedding of each attribute.

    Args:
        width: d, of all of them.
        count: of vectors, the item's among them, at least 2.
        fusion: see `SASRecFConfig.fusion`.
    """

    def __init__(self, width: int, count: int, fusion: str) -> None:
        super().__init__()
        self.fusion = fusion
        if fusion == "concat":
            self.project = nn.Linear(count * width, width)
            # Keeps the size of embeddings, which the encoder adds positions to.
            nn.init.xavier_uniform_(self.project.weight)
            nn.init.zeros_(self.project.bias)
        elif fusion == "gate":
            self.inner, self.score = nn.Linear(width, width), nn.Linear(width, 1, bias=False)

    def forward(self, vectors: Tensor, known: Tensor) -> Tensor:
        """One vector for each position, `[b, l, d]`.

        Args:
            vectors: `[b, l, count, d]`, the item's first.
            known: bool `[b, l, count]`, false where an attribute is missing; only a gate asks.
        """
        if self.fusion == "concat":
            projected: Tensor = self.project(vectors.flatten(2))
            return projected
        if self.fusion == "sum":
            return vectors.sum(2)
        scores = self.score(torch.relu(self.inner(vectors))).squeeze(3)
        weights = torch.softmax(scores.masked_fill(~known, -torch.inf), 2)
        return (weights.unsqueeze(3) * vectors).sum(2)


class SASRecFNetwork(Network):
    """Fused embeddings, self-attention, product with the item embeddings; without attributes it is SASRec.

    Args:
        relations: of the dataset; item attributes are read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: SASRecFConfig, dropout: float) -> None:
        super().__init__()
        self.item = nn.Parameter(torch.randn(relations.n_items, config.width) * 0.02)
        self.encoder = SelfAttentiveEncoder(config, dropout)
        self.attributes = nn.ModuleList(AttributeEmbedding(r, config.width) for r in relations.features.values())
        self.fusion = InputFusion(config.width, 1 + len(self.attributes), config.fusion) if self.attributes else None

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        embedded = padded_embedding(batch.items, self.item)
        if self.fusion is not None:
            vectors = torch.stack([embedded, *(attribute(batch.items) for attribute in self.attributes)], 2)
            known = [torch.ones_like(batch.items, dtype=torch.bool)]
            for attribute in self.attributes:
                assert isinstance(attribute, AttributeEmbedding)
                known.append(attribute.known(batch.items))
            embedded = self.fusion(vectors, torch.stack(known, 2))
        return Outputs(self.encoder(embedded, batch.target_positions), self.item)
