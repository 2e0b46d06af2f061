"""Behaviour attributes as attention heads: time gap and rating relate positions of one sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attrformer.nn.batch import Batch
from attrformer.nn.recency import look_up


class PositionRelation(nn.Module):
    """R(t, s) of a behaviour attribute, one learned value for each bucket of the earlier position.

    Args:
        name: "time_gap", or the behaviour attribute whose level counts.
        buckets: number of buckets.
    """

    def __init__(self, name: str | None, buckets: int) -> None:
        super().__init__()
        self.name = name
        self.value = nn.Parameter(torch.zeros(buckets))

    def forward(self, batch: Batch, gaps: Tensor | None) -> Tensor:
        """Values for all pairs of positions, `[b, l, l]`.

        Args:
            batch: histories.
            gaps: int64 `[b, l, l]` buckets of the time between positions.
        """
        length = batch.items.shape[1]
        if self.name is None:
            if gaps is None:
                return self.value.new_zeros(len(batch.items), length, length)
            return look_up(self.value, gaps)
        if self.name not in batch.levels:
            return self.value.new_zeros(len(batch.items), length, length)
        return look_up(self.value, batch.levels[self.name]).unsqueeze(1).expand(-1, length, -1)
