"""FEARec: self-attention over a slice of the spectrum in each layer, mixed with attention to periods of a history.

X. Du, H. Yuan, P. Zhao, J. Qu, F. Zhuang, G. Liu and V. S. Sheng, "Frequency enhanced hybrid attention network for
sequential recommendation", SIGIR 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.layers.grouping import groups_by_length
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
from attrformer.models.baselines.layers.spectrum import at_lags, band_projection, frequencies, lag_correlation
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, Example, at_target_positions
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Objective, Outputs, contrast
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class FEARecConfig(EncoderConfig):
    """Options of FEARec."""

    ENDS_BEFORE_TARGET: ClassVar[bool] = True
    CONTRASTS_SAME_TARGET: ClassVar[bool] = True

    name: Literal["fearec"] = "fearec"
    max_length: int = field(default=50, metadata={"help": "latest interactions of a history that are read"})
    expansion: int = field(default=4, metadata={"help": "inner width of the feed-forward part, in widths"})
    ratio: float = field(
        default=0.6,
        metadata={"help": "alpha, share of the spectrum that each layer reads; at least one over the layers is taken"},
    )
    time_share: float = field(
        default=0.1, metadata={"help": "gamma, share of self-attention, the rest is attention to periods"}
    )
    lag_factor: float = field(default=1.0, metadata={"help": "m, so many times log N lags are attended to"})
    contrast_weight: float = field(default=0.1, metadata={"help": "weight of the contrastive loss; 0: off"})
    temperature: float = field(default=1.0, metadata={"help": "of the contrastive loss"})
    spectrum_weight: float = field(
        default=0.1, metadata={"help": "weight of the distance between the spectra of two views; 0: off"}
    )

    @property
    def allows_filled_batches(self) -> bool:
        """No: the loss reads every history of a batch."""
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.ratio <= 1, "ratio", self.ratio, "a number above 0, at most 1")
        require(0 <= self.time_share <= 1, "time_share", self.time_share, "a number from 0 to 1")
        for name in ("lag_factor", "temperature"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a number above 0")
        for name in ("contrast_weight", "spectrum_weight"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")

    @property
    def lags(self) -> int:
        """Lags that are attended to."""
        return min(max(1, int(self.lag_factor * math.log(self.max_length))), self.max_length)


def ramp(count: int, layers: int, ratio: float) -> list[tuple[int, int]]:
    """The frequencies that each layer reads, as half-open ranges (section "Frequency ramp structure").

    All slices are equally wide and slide in equal steps from the highest frequencies in the first layer to the lowest
    in the last, so that together they cover the spectrum.

    Args:
        count: frequencies that there are.
        layers: number of layers.
        ratio: alpha, share of them that each layer reads; one over the layers where that is more.
    """
    width = min(count, math.ceil(count * max(ratio, 1 / layers)))
    # A sole layer reads everything.
    steps = max(layers - 1, 1)
    starts = [round((count - width) * (1 - layer / steps)) for layer in range(layers)]
    return [(start, start + width) for start in starts]


class HybridAttention(nn.Module):
    """gamma times self-attention plus 1 - gamma times attention to periods, both in one slice of the spectrum.

    Self-attention sees queries, keys and values of which all other frequencies have been taken out. Attention to
    periods looks for the lags at which queries fit keys best, R(tau) = F^-1(F(Q) conj(F(K))) over the slice, averaged
    over heads and channels, and adds up the values shifted by the k best, weighed by the softmax of their R.

    Args:
        config: shape, gamma and k.
        band: the slice, as a half-open range of frequencies.
        dropout: of the weights of self-attention.
    """

    band: Tensor

    def __init__(self, config: FEARecConfig, band: tuple[int, int], dropout: float) -> None:
        super().__init__()
        width = config.width
        self.heads, self.share, self.lags, self.dropout = config.heads, config.time_share, config.lags, dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.register_buffer("band", band_projection(config.max_length, *band), persistent=False)

    def forward(self, hidden: Tensor, real: Tensor, places: Tensor | None = None) -> Tensor:
        """Mixes positions.

        Args:
            hidden: `[b, l, d]`.
            real: bool `[b, l, 1]`, false where padded.
            places: int64 `[b, t]`, the positions that are asked for; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        projected = self.query_key_value(hidden) * real
        query, key, value = projected.chunk(3, 2)
        periods = self._lag_weights(query, key, places) @ value
        mixed = self.share * self._attended(projected, places) + (1 - self.share) * periods
        merged: Tensor = self.output(mixed)
        return merged

    def _attended(self, projected: Tensor, places: Tensor | None) -> Tensor:
        length, width = projected.shape[1], projected.shape[2] // 3
        corner = self.band[:length, :length]
        if places is None:
            query, key, value = (corner @ projected).chunk(3, 2)
        else:
            query = self.band[places, :length] @ projected[:, :, :width]
            key, value = (corner @ projected[:, :, width:]).chunk(2, 2)
        query, key, value = (split_heads(part, self.heads) for part in (query, key, value))
        # Padding comes last, so that what is causal does not see it.
        seen = seen_before(places, length, projected.device)
        return merge_heads(attend(query, key, value, seen, self.dropout if self.training else 0.0))

    def _lag_weights(self, query: Tensor, key: Tensor, places: Tensor | None) -> Tensor:
        """What each place reads of each position, `[b, t, l]`."""
        length = len(self.band)
        # The filter is the same for any lag, so that it may come after the sum over positions and channels.
        correlation = lag_correlation(query, key, length) @ self.band / query.shape[2]
        best, lags = correlation.topk(self.lags, 1)
        weights = torch.zeros_like(correlation).scatter(1, lags, best.softmax(1))
        if places is None:
            places = torch.arange(query.shape[1], device=query.device).unsqueeze(0)
        return at_lags(weights, places, query.shape[1])


class FEARecLayer(nn.Module):
    """Hybrid attention and the feed-forward part, each added to its input and normalised then.

    Args:
        config: shape and options.
        band: the slice of the spectrum, as a half-open range of frequencies.
        dropout: of attention weights and of what each part adds.
    """

    def __init__(self, config: FEARecConfig, band: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.attention = HybridAttention(config, band, dropout)
        self.add = AddAndNormalise(config.width, dropout)
        self.feed = FeedForward(config.width, config.expansion, dropout)

    def forward(self, hidden: Tensor, real: Tensor, places: Tensor | None = None) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`, or to `[b, t, d]` at the places; see `HybridAttention`."""
        own = hidden if places is None else at_target_positions(hidden, places)
        fed: Tensor = self.feed(self.add(own, self.attention(hidden, real, places)))
        return fed


def spectral_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute difference of the spectra of two views over their channels, a scalar.

    Args:
        first: `[n, d]`.
        second: `[n, d]`.
    """
    spectrum: Tensor = torch.fft.rfft(first - second, dim=1, norm="ortho")
    return spectrum.abs().mean()


class FEARecNetwork(Network):
    """Item embeddings plus positions, layers of hybrid attention, product with the same item embeddings.

    Spectra join all positions of a history, later ones included, so that only its last position may be taught.

    Args:
        relations: of the dataset; only the catalogue size is read.
        config: options.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: FEARecConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items, width = config, relations.n_items, config.width
        bands = ramp(frequencies(config.max_length), config.layers, config.ratio)
        self.layers = nn.ModuleList(FEARecLayer(config, band, dropout) for band in bands)
        self.apply(initialise)
        self.item = nn.Parameter(torch.randn(relations.n_items, width) * INITIAL_DEVIATION)
        self.position = nn.Parameter(torch.randn(config.max_length, width) * INITIAL_DEVIATION)
        self.norm = nn.LayerNorm(width)
        self.drop = Dropout(dropout)

    def encode(self, items: Tensor, places: Tensor) -> Tensor:
        """Hidden state of histories `[b, l]` at places `[b, t]`, `[b, t, d]`."""
        real = (items < self.items).unsqueeze(2)
        embedded = padded_embedding(items, self.item) + self.position[: items.shape[1]]
        hidden = self.drop(self.norm(embedded))
        for layer in self.layers[:-1]:
            hidden = layer(hidden, real)
        asked: Tensor = self.layers[-1](hidden, real, places)
        return asked

    def ends(self, items: Tensor) -> Tensor:
        """Hidden state at the end of histories `[b, l]`, `[b, d]`; they may have any length, as partners do."""
        lengths = (items < self.items).sum(1)
        groups = groups_by_length(lengths)
        read = [self.encode(items[rows, : int(lengths[rows].max())], lengths[rows].unsqueeze(1) - 1) for rows in groups]
        return torch.cat(read).squeeze(1)[torch.cat(groups).argsort()]

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        return Outputs(self.encode(batch.items, batch.target_positions), self.item)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy over the whole catalogue, contrast of two views and the distance between their spectra.

        One view is the history under dropout, the other one another history before the same item (section "Multi-task
        learning"). Histories before the same item are no negatives of each other. What is taught the next item is a
        reading under dropout already and serves as the first view: each part has the same distribution as with a
        reading of its own, for two thirds of the cost.
        """
        config, outputs = self.config, self(example.batch)
        loss = objective.next_item(outputs, example.items[:, :, 0], example.mask)
        if config.contrast_weight == 0 and config.spectrum_weight == 0:
            return loss
        assert example.partners is not None
        view, partner = outputs.hidden[:, 0], self.ends(example.partners.items)
        loss = loss + config.contrast_weight * contrast(view, partner, config.temperature, example.final)
        return loss + config.spectrum_weight * spectral_distance(view, partner)
