"""Who did what, counted in the stored histories: how many users had an item, or two items one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of, positions_in_rows
from attrformer.data.sequences import Sequences

Codes = NDArray[np.int64]

_ENTRIES = 1 << 22
"""Interactions looked at together, which bounds the memory of counting."""


class Occurrences:
    """Histories by item.

    Args:
        histories: one row for each user.
        items: catalogue size.
    """

    def __init__(self, histories: Sequences, items: int) -> None:
        self.histories = histories
        self._positions = np.argsort(histories.items, kind="stable")
        self._starts = offsets_of(np.bincount(histories.items, minlength=items))

    def holders(self, items: Codes, users: Codes, values: tuple[Codes, Codes] | None = None) -> Codes:
        """How many other users have each item in their history, int64 `[n]`.

        Args:
            items: int64 `[n]`.
            users: int64 `[n]`, the user who is left out of each count, -1 for none.
            values: attribute codes of all users and the code `[n]` that those who count must have; None counts all.
        """
        counts = np.zeros(len(items), dtype=np.int64)
        for rows in self._blocks(items):
            row, _, owner = self._entries(items[rows])
            counted = owner != users[rows][row]
            if values is not None:
                counted &= values[0][owner] == values[1][rows][row]
            counts[rows] = self._distinct(row[counted], owner[counted], len(items[rows]))
        return counts

    def pairs(self, first: Codes, second: Codes, users: Codes, window: int) -> tuple[Codes, Codes]:
        """How many other users had one item after the other, and before it.

        Args:
            first: int64 `[n]`.
            second: int64 `[n]`.
            users: int64 `[n]`, the user who is left out of each count, -1 for none.
            window: most steps between the two.

        Returns:
            Users with `second` up to `window` steps after `first`, int64 `[n]`, and users with `second` so many before.
        """
        after, before = np.zeros(len(first), dtype=np.int64), np.zeros(len(first), dtype=np.int64)
        frequency = np.diff(self._starts)
        # Looking around the rarer of two items takes fewer looks.
        turned = frequency[second] < frequency[first]
        anchor, other = np.where(turned, second, first), np.where(turned, first, second)
        for rows in self._blocks(anchor):
            row, position, owner = self._entries(anchor[rows])
            own = owner == users[rows][row]
            row, position, owner = row[~own], position[~own], owner[~own]
            wanted, count = other[rows][row], len(anchor[rows])
            ahead, behind = (self._near(position, owner, wanted, window, sign) for sign in (1, -1))
            found = [self._distinct(row[hit], owner[hit], count) for hit in (ahead, behind)]
            after[rows] = np.where(turned[rows], found[1], found[0])
            before[rows] = np.where(turned[rows], found[0], found[1])
        return after, before

    def _blocks(self, items: Codes) -> Iterator[slice]:
        """Runs of items that together occur about so often that they can be looked at together."""
        total = np.cumsum(np.diff(self._starts)[items])
        start = 0
        while start < len(items):
            before = total[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(total, before + _ENTRIES, side="right")))
            yield slice(start, stop)
            start = stop

    def _entries(self, items: Codes) -> tuple[Codes, Codes, Codes]:
        """Every interaction with each item: the row in `items`, the absolute position, and whose it is."""
        lengths = self._starts[items + 1] - self._starts[items]
        row = np.repeat(np.arange(len(items)), lengths)
        within = positions_in_rows(lengths)
        position = self._positions[self._starts[items][row] + within]
        owner = np.searchsorted(self.histories.offsets, position, side="right") - 1
        return row, position, owner

    def _near(self, position: Codes, owner: Codes, wanted: Codes, window: int, sign: int) -> NDArray[np.bool_]:
        """Whether the wanted item stands within the window after (sign 1) or before (sign -1) each position."""
        hit = np.zeros(len(position), dtype=bool)
        first, last = self.histories.offsets[owner], self.histories.offsets[owner + 1]
        for step in range(1, window + 1):
            near = position + sign * step
            inside = (near >= first) & (near < last)
            if not inside.any():
                break
            hit[inside] |= self.histories.items[near[inside]] == wanted[inside]
        return hit

    def _distinct(self, row: Codes, owner: Codes, count: int) -> Codes:
        """Different users of each row."""
        pairs = np.unique(row * np.int64(len(self.histories)) + owner)
        return np.bincount(pairs // max(len(self.histories), 1), minlength=count).astype(np.int64)
