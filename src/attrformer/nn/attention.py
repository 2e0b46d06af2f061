"""Relation-augmented multi-head attention (SPEC part 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.recency import distance_bins


class RelationAugmentedAttention(nn.Module):
    """Ordinary causal heads, and one head for each relation, concatenated before one output projection.

    A relation head's weights are a softmax over earlier positions of its relation's values with a temperature and a
    relative-position bias of its own, never of the hidden state; its values are a projection of its own.

    Args:
        width: hidden width d.
        heads: ordinary heads; each is `width / heads` wide, and so are the relation heads.
        relations: names of the relation heads.
        length: longest sequence.
    """

    bins: Tensor

    def __init__(self, width: int, heads: int, relations: list[str], length: int) -> None:
        super().__init__()
        self.heads, self.relations = heads, relations
        self.head_width = width // heads
        count = heads + len(relations)
        self.query_key = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, count * self.head_width)
        self.output = nn.Linear(count * self.head_width, width)
        bins, bin_count = distance_bins(length)
        self.register_buffer("bins", bins, persistent=False)
        self.temperature = nn.ParameterDict({name: nn.Parameter(torch.ones(())) for name in relations})
        self.position_bias = nn.ParameterDict({name: nn.Parameter(torch.zeros(bin_count)) for name in relations})

    def relation_bias(self, name: str, values: Tensor) -> Tensor:
        """Attention logits of one relation head, -inf for later positions.

        Args:
            name: of the relation.
            values: R_a(i_t, i_s), `[b, l, l]`.

        Returns:
            float32 `[b, l, l]`.
        """
        length = values.shape[1]
        position = torch.arange(length, device=values.device)
        distance = position.unsqueeze(1) - position
        bias = self.position_bias[name][self.bins[distance.clamp_min(0)]]
        logits: Tensor = values * self.temperature[name] + bias
        return logits.masked_fill(distance < 0, -torch.inf)

    def forward(self, hidden: Tensor, relation_values: dict[str, Tensor]) -> Tensor:
        """Mixes positions.

        Args:
            hidden: `[b, l, d]`.
            relation_values: R_a(i_t, i_s) of each relation head, `[b, l, l]`.

        Returns:
            `[b, l, d]`.
        """
        values = self.value(hidden).unflatten(2, (-1, self.head_width)).transpose(1, 2)
        query, key = self.query_key(hidden).unflatten(2, (2 * self.heads, self.head_width)).transpose(1, 2).chunk(2, 1)
        mixed = [F.scaled_dot_product_attention(query, key, values[:, : self.heads], is_causal=True)]
        if self.relations:
            bias = torch.stack([self.relation_bias(name, relation_values[name]) for name in self.relations], 1)
            # A query of zeros leaves the additive bias as the only logit.
            nothing = torch.zeros_like(values[:, self.heads :, :, :1])
            mixed.append(F.scaled_dot_product_attention(nothing, nothing, values[:, self.heads :], attn_mask=bias))
        merged: Tensor = self.output(torch.cat(mixed, 1).transpose(1, 2).flatten(2))
        return merged


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each normalised first and added to its input.

    Args:
        width: hidden width d.
        heads: ordinary heads.
        relations: names of the relation heads.
        length: longest sequence.
        dropout: of what attention and feed-forward add.
        expansion: inner width of the feed-forward part over `width`.
    """

    def __init__(
        self, width: int, heads: int, relations: list[str], length: int, dropout: float, expansion: int
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = RelationAugmentedAttention(width, heads, relations, length)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(expansion * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, relation_values: dict[str, Tensor]) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`; see `RelationAugmentedAttention`."""
        hidden = hidden + self.drop(self.attention(self.attention_norm(hidden), relation_values))
        out: Tensor = hidden + self.drop(self.feed(self.feed_norm(hidden)))
        return out
