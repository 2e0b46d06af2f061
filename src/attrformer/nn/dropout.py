"""Dropout that is quick on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LANES, LEVELS = 4, 1 << 16
"""Elements that one random number of 64 bits decides about, and how many values each finds in its 16 bits."""


class Dropout(nn.Module):
    """Sets elements to zero at random while training and scales the others up, as `torch.nn.Dropout` does.

    On a CPU that one draws a random number for each element, one after the other; here four elements share one.

    Args:
        rate: share of elements that are dropped, at least 0 and below 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, values: Tensor) -> Tensor:
        """Any shape."""
        if not self.training or self.rate == 0:
            return values
        return dropped(values, self.rate)


def dropped(values: Tensor, rate: float) -> Tensor:
    """Values, some set to zero at random and the others scaled up.

    Args:
        values: any shape.
        rate: share that is set to zero, at least 0 and below 1; on a CPU it is met up to 2^-16.
    """
    if values.device.type != "cpu":
        return F.dropout(values, rate)
    return values * keep_mask(values.shape, rate).to(values.dtype).mul_(1 / (1 - rate))


def keep_mask(shape: torch.Size, rate: float) -> Tensor:
    """Which elements dropout keeps, drawn from torch's generator of the CPU.

    Args:
        shape: of the result.
        rate: share of elements that are dropped, at least 0 and below 1; it is rounded to a multiple of 2^-16.

    Returns:
        bool of that shape, each element true with probability 1 - rate.
    """
    count = shape.numel()
    drawn = torch.empty(-(-count // LANES), dtype=torch.long).random_(torch.iinfo(torch.long).min, None)
    # As signed numbers the values of a lane begin at -2^15. A rate next to 1 may be rounded to it; one value is kept.
    first = min(round(rate * LEVELS), LEVELS - 1) - LEVELS // 2
    return drawn.view(torch.int16)[:count].view(shape) >= first
