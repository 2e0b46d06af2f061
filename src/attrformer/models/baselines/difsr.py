"""DIF-SR: side information fused in the attention scores and kept out of the item representation.

Y. Xie, P. Zhou and S. Kim, "Decoupled side information fusion for sequential recommendation", SIGIR 2022.

Decided here:
- The published fusions `concat` and `gate` mix the scores of different positions, which is not causal and asks for
  histories of one length; here they act on the scores of one pair of positions.
- An item's embedding of an attribute is the mean of the embeddings of its values.
- The losses of the attribute predictors are means over values, as the published weights lambda presume.
- There is no dropout of attention weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.attributes import AttributeEmbedding, AttributePredictor
from attrformer.models.baselines.layers.post_norm import split_heads
from attrformer.models.baselines.layers.scores import ScoredLayer, maybe_at
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig, only
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Objective, Outputs
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class DIFSRConfig(EncoderConfig):
    """Options of DIF-SR."""

    name: Literal["difsr"] = "difsr"
    fusion: Literal["sum", "concat", "gate"] = field(
        default="sum",
        metadata={
            "help": "the scores of item, attributes and position are added; added with learned weights; or added with "
            "weights that are a softmax of a linear map of them"
        },
    )
    attribute_width: int | None = field(default=None, metadata={"help": "width of attribute embeddings; null: width"})
    predictors: float = field(
        default=10.0, metadata={"help": "lambda, weight of the losses that predict the next item's attributes; 0: none"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.attribute_width is None or (self.attribute_width >= 1 and self.attribute_width % self.heads == 0),
            "attribute_width",
            self.attribute_width,
            f"a multiple of heads ({self.heads}), or null",
        )
        require(self.predictors >= 0, "predictors", self.predictors, "0 or more")

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Item attributes."""
        return only(relations, items=True)


class FusedScores(nn.Module):
    """Attention scores of several sources, each with queries and keys of its own, fused to one.

    With x_i the source i, its score of a pair is (x_i W_Q)(x_i W_K)^T; what is fused is divided by the root of d.

    Args:
        widths: of the sources, multiples of heads; the scores are divided by the root of the first one's head width.
        heads: attention heads.
        fusion: see `DIFSRConfig.fusion`.
    """

    def __init__(self, widths: list[int], heads: int, fusion: str) -> None:
        super().__init__()
        self.heads, self.fusion = heads, fusion
        self.scale = (widths[0] // heads) ** -0.5
        self.query = nn.ModuleList(nn.Linear(width, width) for width in widths)
        self.key = nn.ModuleList(nn.Linear(width, width) for width in widths)
        if fusion == "concat":
            self.weights = nn.Parameter(torch.ones(len(widths)))
        elif fusion == "gate":
            self.gate = nn.Linear(len(widths), len(widths))
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)

    def forward(self, sources: list[Tensor], places: Tensor | None = None) -> Tensor:
        """Fused scores `[b, heads, l, l]`, or `[b, heads, t, l]` at the places.

        Args:
            sources: `[b, l, width]` each.
            places: int64 `[b, t]`, the positions that look back; None for all.
        """
        query = [
            split_heads(made(maybe_at(source, places)), self.heads) * self.scale
            for made, source in zip(self.query, sources, strict=True)
        ]
        key = [split_heads(made(source), self.heads) for made, source in zip(self.key, sources, strict=True)]
        if self.fusion == "gate":
            # With the sources before the pairs this takes about half the time that it takes with them behind.
            scores = torch.stack([(q @ k.transpose(2, 3)).flatten(2) for q, k in zip(query, key, strict=True)], 2)
            weights = torch.softmax(self.gate.weight @ scores + self.gate.bias.unsqueeze(1), 2)
            return (weights * scores).sum(2).view(*query[0].shape[:3], -1)
        if self.fusion == "concat":
            query = [q * weight for q, weight in zip(query, self.weights, strict=True)]
        # A sum of products is the product of what is put side by side.
        return torch.cat(query, 3) @ torch.cat(key, 3).transpose(2, 3)


class DIFSRNetwork(Network):
    """Layers whose weights come from item, attributes and position, and whose values come from items alone.

    Args:
        relations: of the dataset; item attributes are read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: DIFSRConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        width, narrow = config.width, config.attribute_width or config.width
        features = list(relations.features.values())
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * 0.02)
        self.position = nn.Parameter(torch.randn(config.max_length, width) * 0.02)
        self.attributes = nn.ModuleList(AttributeEmbedding(feature, narrow) for feature in features)
        widths = [width, *(narrow for _ in features), width]
        self.scores = nn.ModuleList(FusedScores(widths, config.heads, config.fusion) for _ in range(config.layers))
        self.layers = nn.ModuleList(
            ScoredLayer(width, config.heads, dropout, config.expansion) for _ in range(config.layers)
        )
        self.norm, self.drop = nn.LayerNorm(width), Dropout(dropout)
        self.predictor = None
        if features and config.predictors > 0:
            self.predictor = AttributePredictor(features, width, relations.popularity)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        hidden = self.drop(self.norm(padded_embedding(batch.items, self.item)))
        position = self.position[: batch.items.shape[1]].expand_as(hidden)
        aside = [*(attribute(batch.items) for attribute in self.attributes), position]
        last = len(self.layers) - 1
        for number, (scores, layer) in enumerate(zip(self.scores, self.layers, strict=True)):
            places = batch.target_positions if number == last else None
            hidden = layer(hidden, scores([hidden, *aside], places), places)
        return Outputs(hidden, self.item)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy of the next item and, lambda times, that of its attribute values."""
        outputs = self(example.batch)
        items = example.items[:, :, 0]
        loss = objective.next_item(outputs, items, example.mask)
        if self.predictor is None:
            return loss
        told = self.predictor.loss(outputs.hidden, items, example.mask, objective.block_elements, objective.precision)
        return loss + self.config.predictors * told
