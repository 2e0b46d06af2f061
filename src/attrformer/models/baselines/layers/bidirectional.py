"""Attention that looks both ways, for networks that fill gaps in a history."""

from __future__ import annotations

from torch import Tensor, nn

from attrformer.models.baselines.layers.post_norm import AddAndNormalise, FeedForward, attend, merge_heads, split_heads
from attrformer.nn.batch import at_target_positions


class BidirectionalAttention(nn.Module):
    """Multi-head attention of every position to every position that is there (equations 1 and 2 of BERT4Rec).

    Args:
        width: hidden width d, a multiple of `heads`.
        heads: number of heads, each `width / heads` wide.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, asking: Tensor, hidden: Tensor, there: Tensor) -> Tensor:
        """Mixes positions.

        Args:
            asking: `[b, t, d]`, hidden state of the positions whose mixture is asked for.
            hidden: `[b, l, d]`, hidden state of all positions.
            there: bool `[b, l]`, false for padding; each row has a position that is there.

        Returns:
            `[b, t, d]`.
        """
        parts = (self.query(asking), *self.key_value(hidden).chunk(2, 2))
        query, key, value = (split_heads(part, self.heads) for part in parts)
        merged: Tensor = self.output(merge_heads(attend(query, key, value, there[:, None, None, :], 0.0)))
        return merged


class BidirectionalLayer(nn.Module):
    """Attention and feed-forward, each added to its input and normalised then (equations 3 to 6 of BERT4Rec).

    Args:
        width: hidden width d.
        heads: attention heads.
        dropout: of what attention and feed-forward add.
        expansion: inner width of the feed-forward part over `width`.
    """

    def __init__(self, width: int, heads: int, dropout: float, expansion: int) -> None:
        super().__init__()
        self.attention = BidirectionalAttention(width, heads)
        self.add = AddAndNormalise(width, dropout)
        self.feed = FeedForward(width, expansion, dropout)

    def forward(self, hidden: Tensor, there: Tensor, places: Tensor | None = None) -> Tensor:
        """Hidden state after this layer.

        Args:
            hidden: `[b, l, d]`.
            there: bool `[b, l]`, false for padding.
            places: int64 `[b, t]`, the positions that are asked for; None for all.

        Returns:
            `[b, l, d]`, or `[b, t, d]` at the places.
        """
        asking = hidden if places is None else at_target_positions(hidden, places)
        fed: Tensor = self.feed(self.add(asking, self.attention(asking, hidden, there)))
        return fed
