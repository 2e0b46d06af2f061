"""For contrastive learning: views of padded histories, and histories of similar length taken together.

The operators item crop, item mask and item reorder of CL4SRec (X. Xie et al., ICDE 2022) are drawn for all rows of a
batch at once. One long history does not pad all others.
"""

from __future__ import annotations

import torch
from torch import Tensor


def share_of(lengths: Tensor, share: float) -> Tensor:
    """`floor(share * n)` for each length n, int64 of the same shape."""
    # A product such as 0.29 * 100 falls just short of the whole number that is meant.
    return (lengths.double() * share + 1e-9).floor().long()


def drawn_start(room: Tensor) -> Tensor:
    """A whole number from 0 to `room`, evenly drawn for each of int64 `[b]`."""
    return (torch.rand(room.shape, dtype=torch.float64, device=room.device) * (room + 1)).long()


def crop(items: Tensor, lengths: Tensor, share: float, padding: int) -> tuple[Tensor, Tensor]:
    """A piece of each history without gaps, the given share of it and at least one item.

    Args:
        items: int64 `[b, l]`, padded on the right.
        lengths: int64 `[b]`, at least 1.
        share: of a history that is kept.
        padding: code of padding.

    Returns:
        Items `[b, l]` and lengths `[b]` of the pieces.
    """
    kept = share_of(lengths, share).clamp_min(1)
    start = drawn_start(lengths - kept)
    position = torch.arange(items.shape[1], device=items.device)
    moved = items.gather(1, (position + start.unsqueeze(1)).clamp_max(items.shape[1] - 1))
    return moved.masked_fill(position >= kept.unsqueeze(1), padding), kept


def mask(items: Tensor, lengths: Tensor, share: float, gap: int) -> tuple[Tensor, Tensor]:
    """Each history with the given share of its items, anywhere in it, replaced by a gap.

    Args:
        items: int64 `[b, l]`, padded on the right.
        lengths: int64 `[b]`, at least 1.
        share: of a history that is masked.
        gap: code that stands for a masked item.

    Returns:
        Items `[b, l]` and the lengths as they were.
    """
    beyond = torch.arange(items.shape[1], device=items.device) >= lengths.unsqueeze(1)
    keys = torch.rand(items.shape, device=items.device).masked_fill(beyond, 2.0)
    rank = keys.argsort(1).argsort(1)
    return items.masked_fill(rank < share_of(lengths, share).unsqueeze(1), gap), lengths


def reorder(items: Tensor, lengths: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Each history with a piece of it, the given share, in another order.

    Args:
        items: int64 `[b, l]`, padded on the right.
        lengths: int64 `[b]`, at least 1.
        share: of a history that is shuffled.

    Returns:
        Items `[b, l]` and the lengths as they were.
    """
    count = share_of(lengths, share)
    start = drawn_start(lengths - count).unsqueeze(1)
    count = count.unsqueeze(1)
    position = torch.arange(items.shape[1], device=items.device).expand_as(items)
    inside = (position >= start) & (position < start + count)
    # Keys of the piece stay between those of its neighbours, so that sorting shuffles the piece alone.
    keys = torch.where(inside, start + count * torch.rand(items.shape, device=items.device), position.float())
    return items.gather(1, keys.argsort(dim=1, stable=True)), lengths


SHORT = 4
"""Histories up to this length share a group: reading them apart costs more than their padding."""


def groups_by_length(lengths: Tensor) -> list[Tensor]:
    """Rows whose lengths lie between the same powers of two, int64 each; every row is in one group.

    Args:
        lengths: int64 `[b]`, at least 1.
    """
    doublings = torch.log2(lengths.clamp_min(SHORT).double()).ceil().long()
    return [rows for count in range(int(doublings.max()) + 1) if len(rows := (doublings == count).nonzero().squeeze(1))]
