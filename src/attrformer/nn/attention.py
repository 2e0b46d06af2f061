"""Relation-augmented multi-head attention (docs/paper.md, part 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.batch import at_target_positions
from attrformer.nn.dropout import Dropout
from attrformer.nn.linear import applied, linear
from attrformer.nn.named import NamedParameters
from attrformer.nn.recency import distance_bins, look_up
from attrformer.nn.relation_mix import HeadValues, mixed, ordinary


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


@dataclass(frozen=True, slots=True, eq=False)
class StackedHeads:
    """What the relation heads of one layer learn of their relations, side by side; each keeps its own parameters.

    Args:
        temperature: `[r, 1, 1]`.
        bias: `[r, bins + 1]` by distance, -inf in the last bin, that of later positions.
    """

    temperature: Tensor
    bias: Tensor

    def logits(self, values: Tensor, bins: Tensor) -> Tensor:
        """Attention logits of the relation heads, -inf for later positions.

        Args:
            values: R_a(i_t, i_s) of each head's relation, `[b, r, t, l]`.
            bins: int64 `[t, l]` or `[b, t, l]`, as `LookBack` gives them.

        Returns:
            float32 `[b, r, t, l]`.
        """
        bias = look_up(self.bias, bins)
        return torch.addcmul(bias if bins.dim() == 2 else bias.transpose(0, 1), values, self.temperature)


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

    def __init__(self, width: int, heads: int, relations: list[str], length: int) -> None:
        super().__init__()
        self.heads, self.relations = heads, relations
        self.head_width = width // heads
        count = heads + len(relations)
        self.query_key = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, count * self.head_width)
        self.output = nn.Linear(count * self.head_width, width)
        bins = distance_bins(length)[1]
        self.temperature = NamedParameters({name: nn.Parameter(torch.ones(())) for name in relations})
        self.position_bias = NamedParameters({name: nn.Parameter(torch.zeros(bins)) for name in relations})

    def stacked(self) -> StackedHeads | None:
        """The parameters of all relation heads side by side; None where there is none."""
        if not self.relations:
            return None
        temperature = torch.stack([self.temperature[name] for name in self.relations])
        bias = torch.stack([self.position_bias[name] for name in self.relations])
        return StackedHeads(temperature.view(-1, 1, 1), F.pad(bias, (0, 1), value=-torch.inf))

    def forward(
        self, hidden: Tensor, logits: Tensor | HeadValues | None = None, places: Tensor | None = None
    ) -> Tensor:
        """Mixes positions.

        Args:
            hidden: `[b, l, d]`.
            logits: of the relation heads, `[b, r, l, l]`, or `[b, r, t, l]` at the places, or what makes them in
                compiled passes; None where there is none.
            places: int64 `[b, t]`, the positions whose mixture is asked for; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        if isinstance(logits, HeadValues):
            return self._compiled(hidden, logits, places)
        values = self._split(self.value(hidden))
        query, key = self._query_and_key(hidden, places)
        found = self._ordinary(query, key, values[:, : self.heads], places)
        if logits is not None:
            found = torch.cat([found, torch.softmax(logits, 3) @ values[:, self.heads :]], 1)
        merged: Tensor = self.output(found.transpose(1, 2).flatten(2))
        return merged

    def _ordinary(self, query: Tensor, key: Tensor, spoken: Tensor, places: Tensor | None) -> Tensor:
        """What the ordinary heads read, `[b, heads, t, width]`."""
        if places is None:
            return F.scaled_dot_product_attention(query, key, spoken, is_causal=True)
        earlier = look_back(places, key.shape[2], key.device).unsqueeze(1) >= 0
        return F.scaled_dot_product_attention(query, key, spoken, attn_mask=earlier)

    def _compiled(self, hidden: Tensor, held: HeadValues, places: Tensor | None) -> Tensor:
        """`forward` by compiled passes."""
        rows, length, width = hidden.shape
        weight, bias = self.query_key.weight, self.query_key.bias
        asked = torch.arange(length).expand(rows, -1) if places is None else places
        if places is None:
            query, key = linear(hidden, weight, bias).chunk(2, 2)
        else:
            query = linear(at_target_positions(hidden, places), weight[:width], bias[:width])
            key = linear(hidden, weight[width:], bias[width:])
        spoken = self._by_head(applied(self.value, hidden))
        temperature = torch.stack([self.temperature[name] for name in self.relations])
        by_distance = torch.stack([self.position_bias[name] for name in self.relations])
        said = spoken[:, :, : self.heads]
        read = ordinary(self._by_head(query), self._by_head(key), said, asked, held.lengths)
        related = mixed(held, temperature, by_distance, spoken[:, :, self.heads :], asked)
        return applied(self.output, torch.cat([read, related], 2).flatten(2))

    def _by_head(self, values: Tensor) -> Tensor:
        """`[b, l, heads * width]` to `[b, l, heads, width]`."""
        return values.view(*values.shape[:2], -1, self.head_width)

    def _split(self, values: Tensor) -> Tensor:
        """`[b, l, heads * width]` to `[b, heads, l, width]`."""
        return self._by_head(values).transpose(1, 2)

    def _query_and_key(self, hidden: Tensor, places: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries of the places and keys of all positions, `[b, heads, t, width]` and `[b, heads, l, width]`."""
        if places is None:
            query, key = self._split(self.query_key(hidden)).chunk(2, 1)
            return query, key
        width = hidden.shape[2]
        weight, bias = self.query_key.weight, self.query_key.bias
        query = F.linear(at_target_positions(hidden, places), weight[:width], bias[:width])
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
            nn.Linear(width, expansion * width), nn.GELU(), Dropout(dropout), nn.Linear(expansion * width, width)
        )
        self.drop = Dropout(dropout)

    def forward(
        self, hidden: Tensor, logits: Tensor | HeadValues | None = None, places: Tensor | None = None
    ) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`, or to `[b, t, d]` at the places; see `RelationAugmentedAttention`."""
        mixed = self.drop(self.attention(self.attention_norm(hidden), logits, places))
        hidden = (hidden if places is None else at_target_positions(hidden, places)) + mixed
        normal = self.feed_norm(hidden)
        out: Tensor = hidden + self.drop(self._fed(normal) if isinstance(logits, HeadValues) else self.feed(normal))
        return out

    def _fed(self, hidden: Tensor) -> Tensor:
        """`feed` where heads are computed by compiled passes."""
        first, activation, drop, last = self.feed
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        return applied(last, drop(activation(applied(first, hidden))))
