"""Parts of encoders that add first and normalise then, in the manner of BERT, which several networks share."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.attention import look_back
from attrformer.nn.batch import at_target_positions
from attrformer.nn.dropout import Dropout, dropped

INITIAL_DEVIATION = 0.02


def initialise(module: nn.Module) -> None:
    """Weights of linear maps from a normal distribution of deviation 0.02, their biases zero; for `Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def split_heads(values: Tensor, heads: int) -> Tensor:
    """`[b, l, d]` to `[b, heads, l, d / heads]`."""
    return values.reshape(*values.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(values: Tensor) -> Tensor:
    """The inverse of `split_heads`."""
    return values.transpose(1, 2).flatten(2)


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, dropout: float) -> Tensor:
    """Scaled dot-product attention.

    Args:
        query: `[b, heads, t, c]`.
        key: `[b, heads, l, c]`.
        value: `[b, heads, l, c]`.
        seen: bool, broadcast to `[b, heads, t, l]`, what each query sees; None for all.
        dropout: of the attention weights; 0 outside of training.

    Returns:
        `[b, heads, t, c]`.
    """
    if dropout == 0 or query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=dropout)
    # With dropout torch has no fused attention for a CPU either, and its dropout is slow there.
    scores = query / math.sqrt(query.shape[3]) @ key.transpose(2, 3)
    weights = torch.softmax(scores if seen is None else scores.masked_fill(~seen, -torch.inf), 3)
    return dropped(weights, dropout) @ value


def seen_before(places: Tensor | None, length: int, device: torch.device) -> Tensor:
    """What a causal query sees: bool `[b, 1, t, l]` for places `[b, t]`, `[l, l]` for all positions (None)."""
    earlier = look_back(places, length, device) >= 0
    return earlier if places is None else earlier.unsqueeze(1)


class AddAndNormalise(nn.Module):
    """LayerNorm(x + Dropout(y)).

    Args:
        width: d.
        dropout: of what is added.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.drop = Dropout(dropout)

    def forward(self, hidden: Tensor, added: Tensor) -> Tensor:
        """Both `[..., d]`."""
        normalised: Tensor = self.norm(hidden + self.drop(added))
        return normalised


class FeedForward(nn.Module):
    """LayerNorm(x + Dropout(GELU(x W_1 + b_1) W_2 + b_2)), position by position.

    Args:
        width: d.
        expansion: inner width over d.
        dropout: of what is added.
    """

    def __init__(self, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(width, expansion * width)
        self.outer = nn.Linear(expansion * width, width)
        self.add = AddAndNormalise(width, dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """`[..., d]` to `[..., d]`."""
        added: Tensor = self.add(hidden, self.outer(F.gelu(self.inner(hidden))))
        return added


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
