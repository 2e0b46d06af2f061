"""What tells numbers by first appearance in users' histories from other numbers.

The items that one user brought have consecutive numbers, in the order of this user's history. So, whatever the order
of users: a history whose largest number so far is r goes on with r + 1, and hardly ever the other way round. Neighbours
in an order of listing (a series, an album) are taken in both directions, or also where larger numbers came before, or
by many users. Where the order of users is known, walking them gives the numbers one after another.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.id_map import IdMap, order_of
from attrformer.data.sequences import Sequences

LEAST_SHARE: Final = 0.04
"""Least share of neighbouring numbers that histories go over."""

LEAST_RATIO: Final = 3.0
"""How much oftener than expected of other numbers."""

LEAST_DEVIATIONS: Final = 6.0
"""And by how many standard deviations."""

BLOCK: Final = 16
"""Numbers are turned round in blocks of this size, which keeps neighbours and all that lies farther apart."""

ONE_WAY: Final = 0.9
"""Share of ascending steps from which histories are listed by id, so that a direction says nothing."""

MOST_OTHERS: Final = 0.5
"""Largest evidence against one user for each number, as a share of the evidence for it."""

COMMON: Final = 0.3
"""Share of neighbouring numbers gone over by several users from which all follow one order."""

LEAST_GAIN: Final = 0.25
"""By how much a walk has to go on with the next number oftener than with shuffled numbers."""

LEAST_ASCENDING: Final = 0.6
"""Least share of first appearances, in the order of a walk, that form one ascending row."""

SHUFFLED: Final = 64
"""Numbers are shuffled in blocks of this size, for what a walk gives by chance."""

LONGEST: Final = 50_000
"""First appearances that are looked at for an ascending row, an even sample of more."""

MANY: Final = 4_000_000
"""Interactions of about as many users are looked at; of more, a sample of users."""

SAMPLED: Final = 0.2
"""Least share of users in it: what the others brought is not seen."""

_SHUFFLES: Final = 3


class Brought(NamedTuple):
    """Whether users brought neighbouring numbers one after another.

    Args:
        found: whether they did.
        share: of neighbouring numbers r, r + 1 that a history with r as its largest goes over.
        expected: the share that other numbers would give.
        shared: whether many users go over the same numbers, as where all follow one order.
    """

    found: bool
    share: float
    expected: float
    shared: bool


class Walk(NamedTuple):
    """Whether a walk over users meets items by number.

    Args:
        found: whether it does.
        share: of first appearances that go on with the next number, the order of each user's own left open.
        expected: the share that shuffled numbers would give.
    """

    found: bool
    share: float
    expected: float


class _Steps(NamedTuple):
    """How often histories with r as their largest number go on with r + 1, int64 `[n - 1]`."""

    within: NDArray[np.int64]
    across: NDArray[np.int64]


def brought_one_after_another(ranks: NDArray[np.int64], items: int, sequences: Sequences) -> Brought:
    """Looks at what histories go on with, for which the order of users does not count.

    Steps inside one time and across times are told apart: a log may list by id what has one time.

    Args:
        ranks: int64 `[m]`, the number of each interaction's item.
        items: how many numbers there are.
        sequences: the interactions.
    """
    if len(ranks) > MANY:
        numbered = Sequences(sequences.offsets, ranks.astype(np.int32), sequences.times)
        users = np.random.default_rng(0).permutation(len(sequences))
        sequences = numbered.rows(np.sort(users[: math.ceil(max(SAMPLED, MANY / len(ranks)) * len(users))]))
        ranks = sequences.items.astype(np.int64)
    rows = sequences.row_of_position()
    same_row = rows[1:] == rows[:-1]
    same_time = same_row if sequences.times is None else same_row & (np.diff(sequences.times) == 0)
    forward = _steps(ranks, items, rows, same_time)
    backward = _steps(_turned(items)[ranks], items, rows, same_time)
    best = Brought(False, 0.0, 0.0, False)
    for ahead, back, mask in zip(forward, backward, (same_time, same_row & ~same_time), strict=True):
        upwards = _ascending(ranks, mask)
        share, expected = float((ahead > 0).mean()), float((back > 0).mean())
        expected *= max(upwards / (1 - upwards), 1.0)
        found = upwards <= ONE_WAY and _exceeds(share, expected, items - 1)
        if (found, share) > best[:2]:
            best = Brought(found, share, min(expected, 1.0), False)
    ahead, back = forward.within + forward.across, backward.within + backward.across
    once = float((ahead > 0).mean() - (back > 0).mean())
    again = float((ahead > 1).mean() - (back > 1).mean())
    shared = again > max(MOST_OTHERS * once, COMMON)
    elsewhere = _elsewhere(ranks, items, rows, same_row)
    alone = max(again, elsewhere) <= MOST_OTHERS * once
    return best._replace(found=best.found and alone, shared=shared)


def _steps(ranks: NDArray[np.int64], items: int, rows: NDArray[np.int64], same_time: NDArray[np.bool_]) -> _Steps:
    """Steps by one from the largest number so far.

    Inside one time they are between two interactions that follow each other, across times from all that was before a
    time to anything in it. Without times a history has one time.
    """
    offset = rows * np.int64(items)
    keys = ranks + offset
    largest = np.maximum.accumulate(keys)
    begins = np.concatenate([[True], ~same_time])
    start = np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0))
    # Whatever comes before the first time of a row is smaller than all numbers of the row but for the last of the row
    # before it, which the count below cuts off.
    before = np.concatenate([[-2], largest[:-1]])
    follows = keys == before + 1
    follows[1:] &= same_time
    across = keys == before[start] + 1
    number = (keys - offset - 1) % items
    found = [np.bincount(number[step], minlength=items)[: items - 1] for step in (follows, across)]
    return _Steps(*found)


def _turned(items: int) -> NDArray[np.int64]:
    """Numbers turned round in blocks."""
    number = np.arange(items)
    start = number - number % BLOCK
    turned: NDArray[np.int64] = start + np.minimum(BLOCK, items - start) - 1 - number % BLOCK
    return turned


def _ascending(ranks: NDArray[np.int64], chosen: NDArray[np.bool_]) -> float:
    """The share of steps to a larger number among the chosen ones to a far number."""
    step = np.diff(ranks)
    step = step[chosen & (np.abs(step) > BLOCK)]
    return float((step > 0).sum() + 1) / (len(step) + 2)


def _elsewhere(ranks: NDArray[np.int64], items: int, rows: NDArray[np.int64], same_row: NDArray[np.bool_]) -> float:
    """The share of neighbouring numbers that histories go over below their largest number, more than backward."""
    offset = rows * np.int64(items)
    record = np.diff(np.maximum.accumulate(ranks + offset)) > 0
    step = np.diff(ranks)
    upwards = np.zeros(items, dtype=bool)
    downwards = np.zeros(items, dtype=bool)
    upwards[ranks[:-1][same_row & (step == 1) & ~record]] = True
    downwards[ranks[1:][same_row & (step == -1)]] = True
    return float(upwards.mean() - downwards.mean())


def _exceeds(share: float, expected: float, count: int) -> bool:
    """Whether a share of `count` is too large to be as expected."""
    deviation = math.sqrt((max(share, expected) + 1 / count) / count)
    return share >= max(LEAST_SHARE, LEAST_RATIO * expected) and share - expected > LEAST_DEVIATIONS * deviation


def walked(ranks: NDArray[np.int64], items: int, sequences: Sequences, user_ids: IdMap | None) -> Walk:
    """Walks users as they stand and by their ids, and looks whether first appearances have one number after another.

    Args:
        ranks: int64 `[m]`, the number of each interaction's item.
        items: how many numbers there are.
        sequences: the interactions.
        user_ids: ids of the rows; None tries the order of the rows alone.
    """
    found = [_walk(ranks, items, sequences, place) for place in _orders(len(sequences), user_ids)]
    return max(found, key=lambda one: (one.found, one.share))


def _walk(ranks: NDArray[np.int64], items: int, sequences: Sequences, place: NDArray[np.int64]) -> Walk:
    first = np.full(items, len(sequences), dtype=np.int64)
    np.minimum.at(first, ranks, place.repeat(sequences.lengths))
    rng = np.random.default_rng(0)
    share = _going_on(first)
    expected = float(np.mean([_going_on(first[_shuffled(items, rng)]) for _ in range(_SHUFFLES)]))
    deviation = math.sqrt(max(expected * (1 - expected), 1 / items) / items)
    found = share - expected > max(LEAST_GAIN, LEAST_DEVIATIONS * deviation) and _longest_row(first) >= LEAST_ASCENDING
    return Walk(found, share, expected)


def _orders(users: int, user_ids: IdMap | None) -> Iterator[NDArray[np.int64]]:
    """The place of each user in orders in which they may have been walked."""
    yield np.arange(users)
    if user_ids is None:
        return
    numeric = order_of(user_ids.values)
    lexical = user_ids.values.cast(pl.String).rank("ordinal").to_numpy().astype(np.int64) - 1
    for place in (numeric, lexical):
        if not np.array_equal(place, np.arange(users)):
            yield place


def _going_on(first: NDArray[np.int64]) -> float:
    """The share of numbers that the next number follows in a walk; the numbers that a user brought stand by size."""
    return float((np.diff(np.argsort(first, kind="stable")) == 1).mean())


def _longest_row(first: NDArray[np.int64]) -> float:
    """The share of numbers in the longest row that the walk meets in ascending order."""
    chosen = first[:: -(-len(first) // LONGEST)].tolist()
    ends: list[int] = []
    for place in chosen:
        # Places may repeat in a row: the order of what one user brought is left open.
        at = bisect_left(ends, place + 1)
        ends[at : at + 1] = [place]
    return len(ends) / len(chosen)


def _shuffled(items: int, rng: np.random.Generator) -> NDArray[np.int64]:
    block = (np.arange(items) + int(rng.integers(SHUFFLED))) // SHUFFLED
    return np.lexsort((rng.random(items), block))
