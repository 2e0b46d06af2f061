"""BSARec: self-attention beside a filter that sets low and high frequencies of a history against each other.

Y. Shin, J. Choi, H. Wi and N. Park, "An attentive inductive bias for sequential recommendation beyond the
self-attention", AAAI 2024.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.post_norm import (
    INITIAL_DEVIATION,
    AddAndNormalise,
    FeedForward,
    attend,
    initialise,
    merge_heads,
    seen_before,
    split_heads,
)
from attrformer.models.baselines.layers.spectrum import band_projection, frequencies
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, at_target_positions
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Outputs
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class BSARecConfig(EncoderConfig):
    """Options of BSARec."""

    ENDS_BEFORE_TARGET: ClassVar[bool] = True

    name: Literal["bsarec"] = "bsarec"
    max_length: int = field(default=50, metadata={"help": "latest interactions of a history that are read"})
    heads: int = field(default=1, metadata={"help": "ordinary attention heads of each layer"})
    expansion: int = field(default=4, metadata={"help": "inner width of the feed-forward part, in widths"})
    alpha: float = field(default=0.7, metadata={"help": "share of the frequency filter, the rest is self-attention"})
    components: int = field(
        default=5,
        metadata={"help": "c, lowest components of the spectrum that are low: the mean, then two for each frequency"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.alpha <= 1, "alpha", self.alpha, "a number from 0 to 1")
        odd = self.components >= 1 and self.components % 2 == 1
        require(odd, "components", self.components, "an odd number, 1 or more")


class FrequencyRescaler(nn.Module):
    """LPF[X] + beta HPF[X]: the c lowest frequencies as they are, the others times beta, learned for each channel.

    beta is a square, so that it stays positive.

    Args:
        width: d.
        length: N, positions of a history with its zeros.
        components: c.
    """

    low_pass: Tensor

    def __init__(self, width: int, length: int, components: int) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.randn(width))
        low = min(components // 2 + 1, frequencies(length))
        self.register_buffer("low_pass", band_projection(length, 0, low), persistent=False)

    def forward(self, hidden: Tensor, places: Tensor | None = None) -> Tensor:
        """Filters.

        Args:
            hidden: `[b, l, d]`, zeros where padded.
            places: int64 `[b, t]`, the positions that are asked for; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        length = hidden.shape[1]
        if places is None:
            low, own = self.low_pass[:length, :length] @ hidden, hidden
        else:
            low, own = self.low_pass[places, :length] @ hidden, at_target_positions(hidden, places)
        return low + self.root.square() * (own - low)


class BSARecLayer(nn.Module):
    """alpha A_IB X + (1 - alpha) A X, A_IB the filter and A self-attention, and the feed-forward part.

    Args:
        config: shape, alpha and c.
        dropout: of attention weights and of what each part adds.
    """

    def __init__(self, config: BSARecConfig, dropout: float) -> None:
        super().__init__()
        width = config.width
        self.alpha, self.heads, self.dropout = config.alpha, config.heads, dropout
        self.rescaler = FrequencyRescaler(width, config.max_length, config.components)
        self.add_filtered = AddAndNormalise(width, dropout)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.add_attended = AddAndNormalise(width, dropout)
        self.feed = FeedForward(width, config.expansion, dropout)

    def forward(self, hidden: Tensor, places: Tensor | None = None) -> Tensor:
        """`[b, l, d]`, zeros where padded, to `[b, l, d]`, or to `[b, t, d]` at the places `[b, t]`."""
        own = hidden if places is None else at_target_positions(hidden, places)
        filtered = self.add_filtered(own, self.rescaler(hidden, places))
        attended = self.add_attended(own, self._attended(hidden, own, places))
        fed: Tensor = self.feed(self.alpha * filtered + (1 - self.alpha) * attended)
        return fed

    def _attended(self, hidden: Tensor, own: Tensor, places: Tensor | None) -> Tensor:
        query = split_heads(self.query(own), self.heads)
        key, value = (split_heads(part, self.heads) for part in self.key_value(hidden).chunk(2, 2))
        # Padding comes last, so that what is causal does not see it.
        seen = seen_before(places, hidden.shape[1], hidden.device)
        mixed: Tensor = self.output(
            merge_heads(attend(query, key, value, seen, self.dropout if self.training else 0.0))
        )
        return mixed


class BSARecNetwork(Network):
    """Item embeddings plus positions, layers of filter and attention, product with the same item embeddings.

    The filter joins all positions of a history, later ones included, so that only its last position may be taught.
    Positions are counted from the end, since histories end at the last of N positions; the filter does not ask where
    among them a history lies, as it shifts with its input.

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: BSARecConfig, dropout: float) -> None:
        super().__init__()
        self.items, width = relations.n_items, config.width
        self.layers = nn.ModuleList(BSARecLayer(config, dropout) for _ in range(config.layers))
        self.apply(initialise)
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * INITIAL_DEVIATION)
        self.position = nn.Parameter(torch.randn(config.max_length, width) * INITIAL_DEVIATION)
        self.norm = nn.LayerNorm(width)
        self.drop = Dropout(dropout)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        real = (batch.items < self.items).unsqueeze(2)
        hidden = self.drop(self.norm(padded_embedding(batch.items, self.item) + self._positions(real)))
        for layer in self.layers[:-1]:
            hidden = layer(hidden * real)
        return Outputs(self.layers[-1](hidden * real, batch.target_positions), self.item)

    def _positions(self, real: Tensor) -> Tensor:
        """Embeddings of the positions counted from the end of each history, `[b, l, d]`."""
        steps = torch.arange(real.shape[1], device=real.device)
        from_end = (real.sum(1) - 1 - steps).clamp_min(0)
        return F.embedding(from_end, self.position)
