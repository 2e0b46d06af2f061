"""Dropout that is quick on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Final

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
    asking = _ASKING.get()
    mask = keep_mask(values.shape, rate) if asking is None else asking[0].next(asking[1], values.shape, rate)
    return values * mask.to(values.dtype).mul_(1 / (1 - rate))


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


class Masks:
    """What the whole of a batch keeps, for parts of it that threads compute at a time.

    The parts ask for the same masks in the same order. Whichever asks first draws for all of them, so that what is
    drawn depends neither on the number of parts nor on which one is ahead.

    Args:
        rows: of the whole batch.
        parts: each has every row whose number, divided by their count, leaves its own.
    """

    def __init__(self, rows: int, parts: int) -> None:
        self._rows, self._parts, self._lock = rows, parts, Lock()
        self._asked, self._drawn = [0] * parts, list[Tensor]()

    @contextmanager
    def of_part(self, number: int) -> Iterator[None]:
        """Lets dropout in this thread keep what falls to a part, until the end of the block.

        Args:
            number: of the part, from 0.
        """
        token = _ASKING.set((self, number))
        try:
            yield
        finally:
            _ASKING.reset(token)

    def next(self, number: int, shape: torch.Size, rate: float) -> Tensor:
        """The next mask of a part, bool of its shape.

        Args:
            number: of the part.
            shape: of its values, a row for each of its rows.
            rate: share of elements that are dropped.
        """
        with self._lock:
            place = self._asked[number]
            self._asked[number] += 1
            if place == len(self._drawn):
                self._drawn.append(keep_mask(torch.Size((self._rows, *shape[1:])), rate))
            return self._drawn[place][number :: self._parts]


_ASKING: Final[ContextVar[tuple[Masks, int] | None]] = ContextVar("asking", default=None)
