"""TiSASRec: self-attention that knows how much time lies between two interactions.

J. Li, Y. Wang and J. McAuley, "Time interval aware self-attention for sequential recommendation", WSDM 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from attrformer.errors import ConfigurationError, require
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig, only
from attrformer.models.network import Network
from attrformer.nn.attention import look_back
from attrformer.nn.batch import Batch, Example, at_target_positions
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Objective, Outputs, binary_cross_entropy, uniform_negatives
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class TiSASRecConfig(EncoderConfig):
    """Options of TiSASRec."""

    name: Literal["tisasrec"] = "tisasrec"
    heads: int = field(default=1, metadata={"help": "ordinary attention heads of each layer"})
    expansion: int = field(default=1, metadata={"help": "inner width of the feed-forward part, in widths"})
    intervals: int = field(
        default=256, metadata={"help": "k, longest time interval, in smallest intervals of the history"}
    )
    loss: Literal["full", "binary"] = field(
        default="full",
        metadata={"help": "full: over all items; binary: one drawn negative for each target, as published"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.intervals >= 1, "intervals", self.intervals, "1 or more")

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Times of behaviours."""
        return only(relations, behaviours=True)


def relative_intervals(times: Tensor, longest: int) -> Tensor:
    """Personalised time intervals r_ij = min(k, |t_i - t_j| / r_min), rounded down.

    Section "Personalized time intervals". The paper divides by the smallest interval above 0 of a whole history. For
    position i this is the smallest one up to position i: the same at the last position, and elsewhere what is later
    stays unknown. Before there is any, all intervals are 0.

    Args:
        times: int64 `[b, l]`, seconds.
        longest: k.

    Returns:
        int64 `[b, l, l]`, from 0 to k.
    """
    none = torch.iinfo(times.dtype).max
    steps = times.diff(dim=1).abs()
    steps = torch.cat([torch.zeros_like(times[:, :1]), steps], 1)
    smallest = steps.masked_fill(steps == 0, none).cummin(1).values
    gaps = (times.unsqueeze(2) - times.unsqueeze(1)).abs()
    return torch.div(gaps, smallest.unsqueeze(2), rounding_mode="floor").clamp_max(longest)


class IntervalAttention(nn.Module):
    """Causal attention whose keys and values also say where a position is and how long ago it was.

    e_ij = q_i . (k_j + p^K_j + r^K_ij) / sqrt c and z_i = sum over j of softmax(e)_ij (v_j + p^V_j + r^V_ij), c the
    width of a head (section "Time interval-aware self-attention"). What intervals add is never made for each pair of
    positions: q_i meets the k + 1 different r^K and each pair picks its product, and weights of equal interval are
    added up before they meet r^V.

    Args:
        width: d.
        heads: number of heads.
        dropout: of the attention weights.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.drop = Dropout(dropout)

    def forward(
        self,
        hidden: Tensor,
        positions: tuple[Tensor, Tensor],
        intervals: tuple[Tensor, Tensor],
        relation: Tensor,
        places: Tensor | None = None,
    ) -> Tensor:
        """Mixes positions.

        Args:
            hidden: `[b, l, d]`.
            positions: p^K and p^V, `[l, d]` each.
            intervals: r^K and r^V of every interval, `[k + 1, d]` each.
            relation: int64, the interval of each pair, `[b, l, l]`, or `[b, t, l]` at the places.
            places: int64 `[b, t]`, the positions that look back; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        own = hidden if places is None else at_target_positions(hidden, places)
        key, value = self.key_value(hidden).chunk(2, 2)
        query, key, value = (self._split(part) for part in (self.query(own), key + positions[0], value + positions[1]))
        by_key, by_value = (self._split(part.unsqueeze(0)).squeeze(1) for part in intervals)
        relation = relation.expand(self.heads, -1, -1, -1)
        heads, rows, asked, _ = query.shape
        to_intervals = (query.flatten(1, 2) @ by_key.transpose(1, 2)).view(heads, rows, asked, -1)
        logits = (query @ key.transpose(2, 3) + to_intervals.gather(3, relation)) / math.sqrt(query.shape[3])
        later = look_back(places, hidden.shape[1], hidden.device) < 0
        weights = self.drop(logits.masked_fill(later, -torch.inf).softmax(3))
        of_intervals = torch.zeros_like(to_intervals).scatter_add(3, relation, weights)
        mixed: Tensor = weights @ value + (of_intervals.flatten(1, 2) @ by_value).view(query.shape)
        return mixed.permute(1, 2, 0, 3).flatten(2)

    def _split(self, values: Tensor) -> Tensor:
        """`[b, l, d]` to `[heads, b, l, d / heads]`."""
        return values.reshape(*values.shape[:2], self.heads, -1).permute(2, 0, 1, 3)


class TiSASRecLayer(nn.Module):
    """Attention and a point-wise feed-forward part, each normalised first and added to its input.

    Args:
        config: shape.
        dropout: of attention weights and of what each part adds.
    """

    def __init__(self, config: TiSASRecConfig, dropout: float) -> None:
        super().__init__()
        width, inner = config.width, config.width * config.expansion
        self.attention_norm = nn.LayerNorm(width)
        self.attention = IntervalAttention(width, config.heads, dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), Dropout(dropout), nn.Linear(inner, width))
        self.drop = Dropout(dropout)

    def forward(
        self,
        hidden: Tensor,
        positions: tuple[Tensor, Tensor],
        intervals: tuple[Tensor, Tensor],
        relation: Tensor,
        places: Tensor | None = None,
    ) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`, or to `[b, t, d]` at the places; see `IntervalAttention`."""
        own = hidden if places is None else at_target_positions(hidden, places)
        mixed = self.attention(self.attention_norm(hidden), positions, intervals, relation, places)
        hidden = own + self.drop(mixed)
        out: Tensor = hidden + self.drop(self.feed(self.feed_norm(hidden)))
        return out


class TiSASRecNetwork(Network):
    """Item embeddings, layers of interval-aware attention, product with the same item embeddings.

    A history whose times nobody knows is read as if all of it had happened at once.

    Args:
        relations: of the dataset; catalogue size, and whether there are times.
        config: options.
        dropout: resolved dropout rate.

    Raises:
        ConfigurationError: there are no times.
    """

    def __init__(self, relations: RelationSet, config: TiSASRecConfig, dropout: float) -> None:
        super().__init__()
        if not relations.time_gaps:
            raise ConfigurationError(
                "model.name is tisasrec, which needs timestamps. Give interactions with a timestamp column and leave "
                "relations.behaviours on, or choose another model."
            )
        self.config, self.items, width = config, relations.n_items, config.width
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * 0.02)
        self.position_key, self.position_value = (
            nn.Parameter(torch.randn(config.max_length, width) * 0.02) for _ in range(2)
        )
        self.interval_key, self.interval_value = (
            nn.Parameter(torch.randn(config.intervals + 1, width) * 0.02) for _ in range(2)
        )
        self.layers = nn.ModuleList(TiSASRecLayer(config, dropout) for _ in range(config.layers))
        self.drop = Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        length = batch.items.shape[1]
        hidden = self.drop(padded_embedding(batch.items, self.item) * math.sqrt(self.config.width))
        # Dropout acts on the tables, since no embedding is made for each pair of positions.
        positions = self.drop(self.position_key[:length]), self.drop(self.position_value[:length])
        intervals = self.drop(self.interval_key), self.drop(self.interval_value)
        times = torch.zeros_like(batch.items) if batch.times is None else batch.times
        relation = relative_intervals(times, self.config.intervals)
        for layer in self.layers[:-1]:
            hidden = layer(hidden, positions, intervals, relation)
        asked = batch.at_target_positions(relation)
        return Outputs(
            self.norm(self.layers[-1](hidden, positions, intervals, asked, batch.target_positions)), self.item
        )

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy over the whole catalogue, or binary cross-entropy with one negative."""
        if self.config.loss == "full":
            return super().loss(example, objective)
        items = example.items[:, :, 0]
        return binary_cross_entropy(self(example.batch), items, uniform_negatives(items, self.items), example.mask)
