"""Attention layers that are told their scores, which other modules make from more than the hidden state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attrformer.models.baselines.layers.post_norm import (
    AddAndNormalise,
    FeedForward,
    merge_heads,
    seen_before,
    split_heads,
)
from attrformer.nn.batch import at_target_positions


def maybe_at(values: Tensor, places: Tensor | None) -> Tensor:
    """Values `[b, l, ...]` at the places `[b, t]`, `[b, t, ...]`; all of them where places are None."""
    return values if places is None else at_target_positions(values, places)


class ScoredLayer(nn.Module):
    """Mixes earlier positions by given scores, then the feed-forward part; each is added and normalised afterwards.

    Args:
        width: hidden width d.
        heads: attention heads.
        dropout: of what mixture and feed-forward add.
        expansion: inner width of the feed-forward part over `width`.
    """

    def __init__(self, width: int, heads: int, dropout: float, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)
        self.add = AddAndNormalise(width, dropout)
        self.feed = FeedForward(width, expansion, dropout)

    def forward(self, hidden: Tensor, scores: Tensor, places: Tensor | None = None) -> Tensor:
        """`[b, l, d]` to `[b, l, d]`, or to `[b, t, d]` at the places.

        Args:
            hidden: `[b, l, d]`.
            scores: of all positions, `[b, heads, l, l]`, or `[b, heads, t, l]` at the places; those of later positions
                are left out here.
            places: int64 `[b, t]`, the positions that look back; None for all.
        """
        later = ~seen_before(places, hidden.shape[1], hidden.device)
        weights = torch.softmax(scores.masked_fill(later, -torch.inf), 3)
        mixed = self.output(merge_heads(weights @ split_heads(self.value(hidden), self.heads)))
        out: Tensor = self.feed(self.add(maybe_at(hidden, places), mixed))
        return out
