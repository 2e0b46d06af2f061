"""A log in parts of so many interactions, so that counting it never holds a copy of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.sequences import Sequences

PART = 1 << 22
"""Interactions of a part, and more where a single history is longer."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some users and what they did.

    Args:
        rows: of the users.
        positions: of their interactions.
        items: int32 `[n]`, item codes.
        lengths: int64 `[users of the part]`, interactions of each.
    """

    rows: slice
    positions: slice
    items: NDArray[np.int32]
    lengths: NDArray[np.int64]

    def each(self, of_users: NDArray[np.int64]) -> NDArray[np.int64]:
        """A value of each user for each interaction, int64 `[n]`.

        Args:
            of_users: int64, of all users.
        """
        return np.repeat(of_users[self.rows], self.lengths)


def parts_of(train: Sequences) -> Iterator[Part]:
    """The users of a log in their order, a part at a time.

    Args:
        train: sequences, whose arrays may lie in files.
    """
    first, offsets = 0, train.offsets
    while first < len(train):
        last = int(np.searchsorted(offsets, offsets[first] + PART, side="right")) - 1
        last = min(max(last, first + 1), len(train))
        positions = slice(int(offsets[first]), int(offsets[last]))
        lengths = np.diff(offsets[first : last + 1])
        yield Part(slice(first, last), positions, np.asarray(train.items[positions]), lengths)
        first = last


def counted(train: Sequences, items: int) -> NDArray[np.int64]:
    """Interactions of each item, int64 `[items]`.

    Args:
        train: sequences.
        items: size of the catalogue.
    """
    total = np.zeros(items, dtype=np.int64)
    for part in parts_of(train):
        total += np.bincount(part.items, minlength=items)
    return total


def grouped(keys: NDArray[np.int64], values: NDArray[np.int64], most: int) -> tuple[NDArray[np.int64], ...]:
    """Values by their key.

    Args:
        keys: int64 `[n]`, 0 or more.
        values: int64 `[n]`, from 0 to `most`.
        most: the largest value there can be.

    Returns:
        int64 `[n]` each: the keys, ascending; their values, ascending for each key; the place of each among those of
        its key.
    """
    bits = int(most).bit_length()
    # One number for both is sorted several times as fast as an order is found.
    both = (keys << bits) | values
    both.sort()
    keys = both >> bits
    both &= (1 << bits) - 1
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    lengths = np.diff(starts, append=len(keys))
    return keys, both, np.arange(len(keys)) - np.repeat(starts, lengths)


def higher_quantiles(values: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """What `np.quantile` gives by its method "higher", without a sorted copy of all values, int64.

    Args:
        values: int64 `[n]`, at least one; they may lie in a file.
        shares: float64, from 0 to 1.
    """
    places = np.ceil((len(values) - 1) * shares).astype(np.int64)
    strips = [values[start : start + PART] for start in range(0, len(values), PART)]
    low, high = min(int(strip.min()) for strip in strips), max(int(strip.max()) for strip in strips)
    width, bins = (high - low) // _BINS + 1, np.zeros(_BINS, dtype=np.int64)
    for strip in strips:
        bins += np.bincount((strip - low) // width, minlength=_BINS)
    ends = offsets_of(bins)
    wanted = np.unique(np.searchsorted(ends, places, side="right") - 1)
    inside = np.zeros(_BINS, dtype=bool)
    inside[wanted] = True
    found = np.sort(np.concatenate([strip[inside[(strip - low) // width]] for strip in strips]))
    # Where the values of each wanted bin begin among those of all wanted bins.
    begins = offsets_of(bins[wanted])
    bin_of = np.searchsorted(ends[wanted], places, side="right") - 1
    return np.asarray(found[begins[bin_of] + places - ends[wanted][bin_of]])


_BINS = 1 << 20
