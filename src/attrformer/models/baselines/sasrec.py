"""SASRec: self-attention over the user's own sequence.

W.-C. Kang and J. McAuley, "Self-attentive sequential recommendation", ICDM 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.attention import EncoderLayer
from attrformer.nn.batch import Batch, Example
from attrformer.nn.candidates import Candidates
from attrformer.nn.dropout import Dropout
from attrformer.nn.fetched import rows_of
from attrformer.nn.losses import Objective, Outputs, binary_cross_entropy, uniform_negatives
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class SASRecConfig(EncoderConfig):
    """Options of SASRec."""

    name: Literal["sasrec"] = "sasrec"
    loss: Literal["binary", "full"] = field(
        default="binary",
        metadata={"help": "binary: one drawn negative for each target, as published; full: over all items"},
    )

    @property
    def knows_candidates(self) -> bool:
        """See `ModelConfig.knows_candidates`."""
        return self.loss == "full"


class SelfAttentiveEncoder(nn.Module):
    """Causal self-attention over padded histories, the encoder that several networks share.

    Item embeddings are scaled by the root of d and learned positions added (equation 1 of SASRec); layers normalise
    first (section III.B).

    Args:
        config: shape.
        dropout: of embeddings and of what each layer adds.
    """

    def __init__(self, config: EncoderConfig, dropout: float) -> None:
        super().__init__()
        width = config.width
        self.position = nn.Parameter(torch.randn(config.max_length, width) * 0.02)
        self.layers = nn.ModuleList(
            EncoderLayer(width, config.heads, [], config.max_length, dropout, config.expansion)
            for _ in range(config.layers)
        )
        self.drop = Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, embedded: Tensor, places: Tensor) -> Tensor:
        """Hidden state at some places.

        Args:
            embedded: `[b, l, d]`, representations of the items, padded on the right.
            places: int64 `[b, t]`.

        Returns:
            `[b, t, d]`.
        """
        hidden = self.drop(embedded * math.sqrt(embedded.shape[2]) + self.position[: embedded.shape[1]])
        for layer in self.layers[:-1]:
            hidden = layer(hidden)
        normalised: Tensor = self.norm(self.layers[-1](hidden, None, places))
        return normalised


def padded_embedding(items: Tensor, table: Tensor) -> Tensor:
    """Rows of a table for item codes, zeros for padding.

    Args:
        items: int64 `[b, l]`, item codes; `len(table)` for padding.
        table: `[items, d]`.

    Returns:
        `[b, l, d]`.
    """
    return F.embedding(items, torch.cat([table, table.new_zeros(1, table.shape[1])]))


class SASRecNetwork(Network):
    """Item embeddings, self-attention, product with the same item embeddings (equations 1 to 6).

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    ITEM_PARAMETERS: ClassVar[tuple[str, ...]] = ("item",)

    def __init__(self, relations: RelationSet, config: SASRecConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.n_items
        self.item = nn.Parameter(torch.randn(relations.n_items, config.width) * 0.02)
        self.encoder = SelfAttentiveEncoder(config, dropout)

    def forward(self, batch: Batch, candidates: Candidates | None = None) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        if candidates is not None:
            table = rows_of(self.item, candidates.read)
            embedded = padded_embedding(candidates.rows(batch.items), table)
            hidden = self.encoder(embedded, batch.target_positions)
            return Outputs(hidden, table[: candidates.count], candidates=candidates)
        return Outputs(self.encoder(padded_embedding(batch.items, self.item), batch.target_positions), self.item)

    def item_rows(self, items: Tensor) -> Tensor:
        """See `Network.item_rows`."""
        return rows_of(self.item, items)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Binary cross-entropy with one negative (section III.E), or cross-entropy over the whole catalogue."""
        if self.config.loss == "full":
            return super().loss(example, objective)
        items = example.items[:, :, 0]
        return binary_cross_entropy(self(example.batch), items, uniform_negatives(items, self.items), example.mask)
