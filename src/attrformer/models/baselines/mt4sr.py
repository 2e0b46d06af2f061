"""MT4SR: attention with a term for each auxiliary relation between items.

Z. Fan, Z. Liu, C. Wang, P. Huang, H. Peng and P. S. Yu, "Sequential recommendation with auxiliary item relationships
via multi-relational Transformer", IEEE BigData 2022.

Only the paper's abstract and the authors' published program were at hand. From them: self-attention has a weighted term
for each item relationship; the relationships known within a sequence supervise it; related items from outside the
sequence are modelled by a third loss.

Decided here:
- Each item attribute is a relation (`nn.related.SharedValues`). Edge tables such as also-bought, which may know of
  later purchases, are read only where `relations.edges` names them.
- Relation r has a learned map V_r, shared by all layers and losses, and compares x with y by x V_r V_r^T y^T, which is
  symmetric. In attention every pair is compared; what is known about a pair teaches V_r and is not a mask.
- Within a sequence a place and an item up to it learn whether that item is related to the next one. The target is the
  degree of the relation, the loss a mean over the pairs that are causal and over relations.
- Outside, each batch brings the same number of drawn pairs for each relation, and the related item is to be found in
  the whole catalogue.
- The next item is learned by cross-entropy over the whole catalogue; there is no dropout of attention weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.post_norm import split_heads
from attrformer.models.baselines.layers.related import ItemRelation, KnownPairs, SharedValues
from attrformer.models.baselines.layers.scores import ScoredLayer, maybe_at
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig, only
from attrformer.models.network import Network
from attrformer.nn.attention import look_back
from attrformer.nn.batch import Batch, Example
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Objective, Outputs
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class MT4SRConfig(EncoderConfig):
    """Options of MT4SR."""

    name: Literal["mt4sr"] = "mt4sr"
    within: float = field(
        default=0.1, metadata={"help": "weight of the loss that tells which earlier items are related to the next one"}
    )
    across: float = field(
        default=0.05, metadata={"help": "weight of the loss that finds related items in the whole catalogue"}
    )
    across_pairs: int = field(default=128, metadata={"help": "related pairs drawn for each relation in each batch"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.within >= 0, "within", self.within, "0 or more")
        require(self.across >= 0, "across", self.across, "0 or more")
        require(self.across_pairs >= 1, "across_pairs", self.across_pairs, "1 or more")

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Item attributes, and edge tables where the options name them."""
        return replace(only(relations, items=True), edges=relations.edges or ())


class RelationalScores(nn.Module):
    """(q_t . k_s + sum over r of omega_r (x_t V_r) . (x_s V_r)) / sqrt(d) of each head; omega is a softmax.

    Args:
        width: hidden width d.
        heads: attention heads; each reads its share of every product.
        relations: number of relations, may be 0.
    """

    def __init__(self, width: int, heads: int, relations: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.omega = nn.Parameter(torch.zeros(relations)) if relations else None

    def forward(self, hidden: Tensor, maps: Tensor | None, places: Tensor | None = None) -> Tensor:
        """Scores `[b, heads, l, l]`, or `[b, heads, t, l]` at the places.

        Args:
            hidden: `[b, l, d]`.
            maps: V, `[relations, d, d]`; None where there are no relations.
            places: int64 `[b, t]`, the positions that look back; None for all.
        """
        queries, keys = [self.query(maybe_at(hidden, places))], [self.key(hidden)]
        if maps is not None and self.omega is not None:
            for weight, mapped in zip(torch.softmax(self.omega, 0), hidden @ maps.unsqueeze(1), strict=True):
                queries.append(maybe_at(mapped, places) * weight)
                keys.append(mapped)
        query = torch.cat([split_heads(part, self.heads) for part in queries], 3)
        key = torch.cat([split_heads(part, self.heads) for part in keys], 3)
        scores: Tensor = (query * self.scale) @ key.transpose(2, 3)
        return scores


class MT4SRNetwork(Network):
    """Self-attention with relation terms; without relations it is self-attention.

    Args:
        relations: of the dataset; item attributes and edge tables are read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: MT4SRConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * 0.02)
        self.position = nn.Parameter(torch.randn(config.max_length, width) * 0.02)
        shared = [SharedValues(feature) for feature in relations.features.values()]
        known = [KnownPairs(rows) for rows in relations.rows.values()]
        self.related = nn.ModuleList([*shared, *(pairs for pairs in known if len(pairs.keys))])
        count = len(self.related)
        self.maps = nn.Parameter(torch.randn(count, width, width) * 0.02) if count else None
        self.scores = nn.ModuleList(RelationalScores(width, config.heads, count) for _ in range(config.layers))
        self.layers = nn.ModuleList(
            ScoredLayer(width, config.heads, dropout, config.expansion) for _ in range(config.layers)
        )
        self.norm, self.drop = nn.LayerNorm(width), Dropout(dropout)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        return Outputs(self._encode(self._embed(batch), batch.target_positions), self.item)

    def _embed(self, batch: Batch) -> Tensor:
        embedded = padded_embedding(batch.items, self.item) + self.position[: batch.items.shape[1]]
        dropped: Tensor = self.drop(self.norm(embedded))
        return dropped

    def _encode(self, hidden: Tensor, places: Tensor) -> Tensor:
        last = len(self.layers) - 1
        for number, (scores, layer) in enumerate(zip(self.scores, self.layers, strict=True)):
            here = places if number == last else None
            hidden = layer(hidden, scores(hidden, self.maps, here), here)
        return hidden

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy of the next item and both losses of the relations, weighted."""
        embedded = self._embed(example.batch)
        hidden = self._encode(embedded, example.batch.target_positions)
        loss = objective.next_item(Outputs(hidden, self.item), example.items[:, :, 0], example.mask)
        if self.maps is None:
            return loss
        if self.config.within > 0:
            loss = loss + self.config.within * self.within_loss(embedded, hidden, example)
        if self.config.across > 0:
            loss = loss + self.config.across * self.across_loss(objective)
        return loss

    def within_loss(self, embedded: Tensor, hidden: Tensor, example: Example) -> Tensor:
        """Binary cross-entropy between sigma((x_s V_r) . (h_t V_r) / sqrt(d)) and R_r(i_s, i_(t+1)), s up to t.

        Args:
            embedded: x, `[b, l, d]`.
            hidden: h at the places, `[b, t, d]`.
            example: histories and what came next.

        Returns:
            The mean over pairs and relations, a scalar.
        """
        assert self.maps is not None
        batch, following = example.batch, example.items[:, :, 0]
        earlier = look_back(batch.target_positions, batch.items.shape[1], hidden.device) >= 0
        counts = earlier * example.mask.unsqueeze(2)
        total = hidden.new_zeros(())
        for relation, mapping in zip(self.related, self.maps, strict=True):
            assert isinstance(relation, ItemRelation)
            logits = (hidden @ mapping) @ (embedded @ mapping).transpose(1, 2) * hidden.shape[2] ** -0.5
            target = relation.between(batch.items, following)
            total = total + (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * counts).sum()
        return total / (counts.sum() * len(self.related)).clamp_min(1.0)

    def across_loss(self, objective: Objective) -> Tensor:
        """Cross-entropy over the catalogue of e_i V_r V_r^T e_j^T, for drawn related items i and j of each relation."""
        assert self.maps is not None
        asked, wanted = [], []
        for relation, mapping in zip(self.related, self.maps, strict=True):
            assert isinstance(relation, ItemRelation)
            items, related = relation.draw(self.config.across_pairs)
            asked.append(F.embedding(items, self.item) @ mapping @ mapping.t())
            wanted.append(related)
        target = torch.cat(wanted).unsqueeze(1)
        return objective.next_item(
            Outputs(torch.cat(asked).unsqueeze(1), self.item), target, torch.ones_like(target, dtype=torch.float32)
        )
