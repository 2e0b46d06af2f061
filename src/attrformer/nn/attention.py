"""Relation-augmented multi-head attention (SPEC part 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.batch import at_places
from attrformer.nn.recency import distance_bins


def look_back(places: Tensor | None, length: int, device: torch.device) -> Tensor:
    """How far each position lies before each place, negative after it.

    Args:
        places: int64 `[b, t]`; None for all positions, the same in every row.
        length: number of positions.
        device: of the result.

    Returns:
        int64 `[b, t, length]`, or `[length, length]`.
    """
    position = torch.arange(length, device=device)
    return (position if places is None else places).unsqueeze(-1) - position


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

    def relation_bias(self, name: str, values: Tensor, places: Tensor | None = None) -> Tensor:
        """Attention logits of one relation head, -inf for later positions.

        Args:
            name: of the relation.
            values: R_a(i_t, i_s), `[b, l, l]`, or `[b, t, l]` at the places.
            places: int64 `[b, t]`, the positions that look back; None for all.

        Returns:
            float32, of the shape of `values`.
        """
        distance = look_back(places, values.shape[2], values.device)
        bias = self.position_bias[name][self.bins[distance.clamp_min(0)]]
        logits: Tensor = values * self.temperature[name] + bias
        return logits.masked_fill(distance < 0, -torch.inf)

    def forward(self, hidden: Tensor, relation_values: dict[str, Tensor], places: Tensor | None = None) -> Tensor:
        """Mixes positions.

        Args:
            hidden: `[b, l, d]`.
            relation_values: R_a(i_t, i_s) of each relation head, `[b, l, l]`, or `[b, t, l]` at the places.
            places: int64 `[b, t]`, the positions whose mixture is asked for; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        values = self._split(self.value(hidden))
        query, key = self._query_and_key(hidden, places)
        spoken = values[:, : self.heads]
        if places is None:
            mixed = [F.scaled_dot_product_attention(query, key, spoken, is_causal=True)]
        else:
            earlier = look_back(places, hidden.shape[1], hidden.device).unsqueeze(1) >= 0
            mixed = [F.scaled_dot_product_attention(query, key, spoken, attn_mask=earlier)]
        if self.relations:
            bias = torch.stack([self.relation_bias(name, relation_values[name], places) for name in self.relations], 1)
            # A query of zeros leaves the additive bias as the only logit.
            nothing = torch.zeros_like(values[:, self.heads :, :, :1])
            asked = nothing.new_zeros(*bias.shape[:3], 1)
            mixed.append(F.scaled_dot_product_attention(asked, nothing, values[:, self.heads :], attn_mask=bias))
        merged: Tensor = self.output(torch.cat(mixed, 1).transpose(1, 2).flatten(2))
        return merged

    def _split(self, values: Tensor) -> Tensor:
        """`[b, l, heads * width]` to `[b, heads, l, width]`."""
        return values.view(*values.shape[:2], -1, self.head_width).transpose(1, 2)

    def _query_and_key(self, hidden: Tensor, places: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries of the places and keys of all positions, `[b, heads, t, width]` and `[b, heads, l, width]`."""
        if places is None:
            query, key = self._split(self.query_key(hidden)).chunk(2, 1)
            return query, key
        width = hidden.shape[2]
        weight, bias = self.query_key.weight, self.query_key.bias
        query = F.linear(at_places(hidden, places), weight[:width], bias[:width])
        return self._split(query), self._split(F.linear(hidden, weight[width:], bias[width:]))


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

    def forward(self, hidden: Tensor, relation_values: dict[str, Tensor], places: Tensor | None = None) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`, or to `[b, t, d]` at the places; see `RelationAugmentedAttention`."""
        mixed = self.drop(self.attention(self.attention_norm(hidden), relation_values, places))
        hidden = (hidden if places is None else at_places(hidden, places)) + mixed
        out: Tensor = hidden + self.drop(self.feed(self.feed_norm(hidden)))
        return out
