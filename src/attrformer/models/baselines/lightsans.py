"""LightSANs: attention from items to a few latent interests, and positions that attend on their own.

X. Fan, Z. Liu, J. Lian, W. X. Zhao, X. Xie and J.-R. Wen, "Lighter and better: low-rank decomposed self-attention
networks for next-item recommendation", SIGIR 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.post_norm import (
    INITIAL_DEVIATION,
    AddAndNormalise,
    FeedForward,
    attend,
    initialise,
    merge_heads,
    split_heads,
)
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, at_target_positions
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Outputs
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class LightSANsConfig(EncoderConfig):
    """Options of LightSANs."""

    ENDS_BEFORE_TARGET: ClassVar[bool] = True

    name: Literal["lightsans"] = "lightsans"
    max_length: int = field(default=50, metadata={"help": "latest interactions of a history that are read"})
    expansion: int = field(default=4, metadata={"help": "inner width of the feed-forward part, in widths"})
    interests: int = field(default=5, metadata={"help": "k, latent interests that a history is gathered in"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.interests >= 1, "interests", self.interests, "1 or more")


class Interests(nn.Module):
    """Item-to-interest aggregation: D = softmax over positions of H Theta^T, and the interests are D^T H.

    Args:
        width: d.
        count: k.
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.randn(count, width))

    def forward(self, values: Tensor, real: Tensor) -> Tensor:
        """Gathers a history.

        Args:
            values: `[b, l, d]`.
            real: bool `[b, l, 1]`, false where padded.

        Returns:
            `[b, k, d]`.
        """
        relevance = (values @ self.theta.t()).masked_fill(~real, -torch.inf).softmax(1)
        return relevance.transpose(1, 2) @ values


class LightAttention(nn.Module):
    """Items attend to interests, positions to positions, and both answers are added before one output projection.

    softmax(Q f(K)^T / sqrt c) f(V) + softmax((P U_Q)(P U_K)^T / sqrt c) V, f the aggregation to interests, P the
    positions and c the width of a head (sections "Low-rank decomposed self-attention" and "Decoupled position
    encoding").

    Args:
        config: shape and number of interests.
        dropout: of the weights of interests.
    """

    def __init__(self, config: LightSANsConfig, dropout: float) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout = config.heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.keys, self.values = (Interests(width, config.interests) for _ in range(2))
        self.position_norm = nn.LayerNorm(width)
        self.position_query_key = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, hidden: Tensor, position: Tensor, real: Tensor, places: Tensor | None = None) -> Tensor:
        """Mixes positions.

        Args:
            hidden: `[b, l, d]`.
            position: `[l, d]`, embeddings of the positions.
            real: bool `[b, l, 1]`, false where padded.
            places: int64 `[b, t]`, the positions that are asked for; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        own = hidden if places is None else at_target_positions(hidden, places)
        key, value = self.key_value(hidden).chunk(2, 2)
        query, keys, values = (
            split_heads(part, self.heads) for part in (self.query(own), self.keys(key, real), self.values(value, real))
        )
        by_interest = attend(query, keys, values, None, self.dropout if self.training else 0.0)
        by_position = self._position_weights(position, real, places) @ split_heads(value, self.heads)
        merged: Tensor = self.output(merge_heads(by_interest + by_position))
        return merged

    def _position_weights(self, position: Tensor, real: Tensor, places: Tensor | None) -> Tensor:
        """How positions attend to each other, `[b, heads, t, l]`; the logits are the same for every history."""
        both = split_heads(self.position_query_key(self.position_norm(position)).unsqueeze(0), 2 * self.heads)
        query, key = both.chunk(2, 1)
        logits = query @ key.transpose(2, 3) / math.sqrt(key.shape[3])
        if places is not None:
            logits = logits[0, :, places].transpose(0, 1)
        return logits.masked_fill(~real.transpose(1, 2).unsqueeze(1), -torch.inf).softmax(3)


class LightLayer(nn.Module):
    """Attention and the feed-forward part, each added to its input and normalised then.

    Args:
        config: shape and number of interests.
        dropout: of attention weights and of what each part adds.
    """

    def __init__(self, config: LightSANsConfig, dropout: float) -> None:
        super().__init__()
        self.attention = LightAttention(config, dropout)
        self.add = AddAndNormalise(config.width, dropout)
        self.feed = FeedForward(config.width, config.expansion, dropout)

    def forward(self, hidden: Tensor, position: Tensor, real: Tensor, places: Tensor | None = None) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`, or to `[b, t, d]` at the places; see `LightAttention`."""
        own = hidden if places is None else at_target_positions(hidden, places)
        fed: Tensor = self.feed(self.add(own, self.attention(hidden, position, real, places)))
        return fed


class LightSANsNetwork(Network):
    """Item embeddings, layers of low-rank attention, product with the same item embeddings.

    Interests gather whole histories, so that only the last position may be taught. Positions are never added to items.

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: LightSANsConfig, dropout: float) -> None:
        super().__init__()
        self.items, width = relations.n_items, config.width
        self.layers = nn.ModuleList(LightLayer(config, dropout) for _ in range(config.layers))
        self.apply(initialise)
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * INITIAL_DEVIATION)
        self.position = nn.Parameter(torch.randn(config.max_length, width) * INITIAL_DEVIATION)
        self.norm = nn.LayerNorm(width)
        self.drop = Dropout(dropout)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        real = (batch.items < self.items).unsqueeze(2)
        position = self.position[: batch.items.shape[1]]
        hidden = self.drop(self.norm(padded_embedding(batch.items, self.item)))
        for layer in self.layers[:-1]:
            hidden = layer(hidden, position, real)
        return Outputs(self.layers[-1](hidden, position, real, batch.target_positions), self.item)
