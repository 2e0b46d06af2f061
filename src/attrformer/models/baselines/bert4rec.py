"""BERT4Rec: a Transformer that looks both ways and learns to fill gaps in histories.

F. Sun, J. Liu, J. Wu, C. Pei, X. Lin, W. Ou and P. Jiang, "BERT4Rec: Sequential recommendation with bidirectional
encoder representations from Transformer", CIKM 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.bidirectional import BidirectionalLayer
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Objective, Outputs
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class BERT4RecConfig(EncoderConfig):
    """Options of BERT4Rec."""

    name: Literal["bert4rec"] = "bert4rec"
    expansion: int = field(default=4, metadata={"help": "inner width of the feed-forward part, in widths"})
    mask_probability: float = field(
        default=0.2,
        metadata={"help": "share of a sequence that is masked; published: 0.6 for Beauty, 0.2 for MovieLens"},
    )
    last_only: float = field(
        default=0.1, metadata={"help": "share of training sequences of which the last item alone is masked"}
    )

    @property
    def allows_filled_batches(self) -> bool:
        """No: the loss reads every history of a batch."""
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.mask_probability <= 1, "mask_probability", self.mask_probability, "above 0, at most 1")
        require(0 <= self.last_only <= 1, "last_only", self.last_only, "0 to 1")


def masked_places(lengths: Tensor, probability: float, last_only: float) -> tuple[Tensor, Tensor]:
    """The positions of each sequence that are masked and asked for, drawn anew with each call.

    A sequence of n items has `round(n * probability)` of them masked and at least one; some sequences only their last,
    which is what recommendation asks for (section 3.6).

    Args:
        lengths: int64 `[b]`, at least 1.
        probability: share of each sequence.
        last_only: share of the sequences that only have their last item masked.

    Returns:
        int64 places `[b, t]`, each once in its row, and float32 `[b, t]`, 0 for places that only pad.
    """
    last = lengths.unsqueeze(1) - 1
    position = torch.arange(int(lengths.max()), device=lengths.device)
    alone = torch.rand(len(lengths), device=lengths.device) < last_only
    counts = (lengths * probability).round().long().clamp_min(1).masked_fill(alone, 1)
    keys = torch.rand(len(lengths), len(position), device=lengths.device).masked_fill(position > last, 2.0)
    keys = keys.masked_fill((position == last) & alone.unsqueeze(1), -1.0)
    most = int(counts.max())
    drawn = position[:most] < counts.unsqueeze(1)
    return torch.where(drawn, keys.argsort(1)[:, :most], last), drawn.float()


class BERT4RecNetwork(Network):
    """Items and positions, attention both ways, and a projection before the tied item embeddings.

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: BERT4RecConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.n_items
        width = config.width
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * 0.02)
        self.gap = nn.Parameter(torch.randn(1, width) * 0.02)
        # A whole history and the gap after it have a position each.
        self.position = nn.Parameter(torch.randn(config.max_length + 1, width) * 0.02)
        self.layers = nn.ModuleList(
            BidirectionalLayer(width, config.heads, dropout, config.expansion) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.drop = Dropout(dropout)
        self.project = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(relations.n_items))

    def fill(self, items: Tensor, places: Tensor) -> Outputs:
        """What is said about the gaps of some sequences (equations 4 to 7).

        Args:
            items: int64 `[b, l]`, `items` for padding and `items + 1` for a gap.
            places: int64 `[b, t]`, the gaps.
        """
        table = torch.cat([self.item, self.item.new_zeros(1, self.config.width), self.gap])
        # What is small at the start is normalised first, as the published code does where the paper is silent.
        hidden = self.drop(self.norm(F.embedding(items, table) + self.position[: items.shape[1]]))
        there = items != self.items
        for layer in self.layers[:-1]:
            hidden = layer(hidden, there)
        hidden = F.gelu(self.project(self.layers[-1](hidden, there, places)))
        # The bias of an item is one more column of the table.
        one = hidden.new_ones(*hidden.shape[:2], 1)
        return Outputs(torch.cat([hidden, one], 2), torch.cat([self.item, self.bias.unsqueeze(1)], 1))

    def forward(self, batch: Batch) -> Outputs:
        """Each history up to a place is followed by a gap, and that is filled (section 3.6)."""
        items = F.pad(batch.items, (0, 1), value=self.items).unsqueeze(1)
        gaps = batch.target_positions.unsqueeze(2) + 1
        position = torch.arange(items.shape[2], device=items.device)
        asked = torch.where(position < gaps, items, torch.where(position == gaps, self.items + 1, self.items))
        outputs = self.fill(asked.flatten(0, 1), gaps.flatten(0, 1))
        return Outputs(outputs.hidden.view(*batch.target_positions.shape, -1), outputs.table)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy of the masked items of each training sequence (equation 8)."""
        lengths = (example.batch.items != self.items).sum(1)
        items = F.pad(example.batch.items, (0, 1), value=self.items)
        items = items.scatter(1, lengths.unsqueeze(1), example.final.unsqueeze(1))
        places, mask = masked_places(lengths + 1, self.config.mask_probability, self.config.last_only)
        # Places that only pad name a position that may be masked or not, so masks are summed.
        masked = torch.zeros(items.shape, device=items.device).scatter_add_(1, places, mask) > 0
        outputs = self.fill(items.masked_fill(masked, self.items + 1), places)
        return objective.next_item(outputs, items.gather(1, places), mask)
