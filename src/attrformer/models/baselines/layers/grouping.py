"""Histories of similar length taken together, so that one long one does not pad all others."""

from __future__ import annotations

import torch
from torch import Tensor

SHORT = 4
"""Histories up to this length share a group: reading them apart costs more than their padding."""


def groups_by_length(lengths: Tensor) -> list[Tensor]:
    """Rows whose lengths lie between the same powers of two, int64 each; every row is in one group.

    Args:
        lengths: int64 `[b]`, at least 1.
    """
    doublings = torch.log2(lengths.clamp_min(SHORT).double()).ceil().long()
    return [rows for count in range(int(doublings.max()) + 1) if len(rows := (doublings == count).nonzero().squeeze(1))]
