"""How a catalogue's ids were numbered, as far as the interactions tell.

Some files number items in the order in which they first appear in users' histories, the last interactions included.
Then the number of an item says which user brought it, and whoever reads the order of ids reads whose test item it is.
Others number items by the time of their first interaction; then a number says when that was.

Both are told from ids that merely grow with the time of listing. Where numbers follow first appearances, the items
that one user brought are consecutive numbers in the order of this user's history. So a history whose largest number
so far is r often goes on with r + 1, and hardly ever the other way round. Neighbours in an order of listing are found
in both directions, or by many users.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.dataset.ids import Ids, order_of
from attrformer.dataset.sequences import Sequences

Kind = Literal["first appearance", "first interaction", "none"]
FIRST_APPEARANCE: Final = "first appearance"
FIRST_INTERACTION: Final = "first interaction"
NO_KIND: Final = "none"

LEAST_ITEMS: Final = 12
"""Fewer items say nothing about how they were numbered."""

LEAST_SHARE: Final = 0.04
"""Least share of neighbouring numbers that one user brought one after another."""

LEAST_WALK: Final = 0.4
"""Least share of first appearances that go on with the next number, where users are walked in a known order."""

LEAST_EARLIEST: Final = 0.1
"""Least share of items that no item with a larger number came before."""

LEAST_RATIO: Final = 3.0
"""How much oftener than expected otherwise."""

LEAST_DEVIATIONS: Final = 6.0
"""And by how many standard deviations."""

BLOCK: Final = 16
"""Numbers are turned round in blocks of this size, which keeps neighbours and all that lies farther apart."""

SHUFFLED_BLOCK: Final = 8
"""Numbers are shuffled in blocks of this size, which keeps what grows with the time of listing."""

ONE_WAY: Final = 0.9
"""Share of ascending steps from which histories are listed by id, so that a direction says nothing."""

_SEED: Final = 0
_SHUFFLES: Final = 4


@dataclass(frozen=True, slots=True)
class IdNumbering:
    """How the ids of a catalogue were numbered.

    Args:
        kind: "first appearance" (the order in which items appear in users' histories, user after user), "first
            interaction" (the time of an item's first interaction), or "none" of these.
        evidence: the shares that decided, by name, each between 0 and 1; with `..., expected` beside them.
        sentence: what was found, for people.
    """

    kind: Kind
    evidence: dict[str, float] = field(default_factory=dict)
    sentence: str = ""

    @property
    def tells_users(self) -> bool:
        """Whether the number of an item says whose it is."""
        return self.kind == FIRST_APPEARANCE


class _Links(NamedTuple):
    """Neighbouring numbers r, r + 1 that histories go over, by the number of times; bool or int `[n - 1]`."""

    within: NDArray[np.int64]
    across: NDArray[np.int64]


def id_numbering(item_ids: Ids, sequences: Sequences, user_ids: Ids | None = None) -> IdNumbering:
    """Finds out whether ids number items by first appearance in users' histories, or by first interaction.

    Args:
        item_ids: of the catalogue.
        sequences: everything that users did, what is held out included: it may have been numbered as well.
        user_ids: ids of the rows of `sequences`, whose order is tried as the one that was walked.
    """
    ranks, items = _ranks(item_ids, sequences)
    if items < LEAST_ITEMS or len(sequences.items) < 2:
        return IdNumbering(NO_KIND, {}, "Too few items to tell how their ids were numbered.")
    brought = _brought(ranks, items, sequences, user_ids)
    earliest = _earliest(ranks, items, sequences)
    evidence = {**brought.evidence, **earliest.evidence}
    if earliest.found and not (brought.found and brought.share > earliest.share):
        sentence = (
            f"Item ids are numbered by the time of an item's first interaction: {100 * earliest.share:.0f} % of the "
            "items come before every item with a larger number. The number of an item says when somebody first took it."
        )
        return IdNumbering(FIRST_INTERACTION, evidence, sentence)
    if brought.found:
        sentence = (
            "Item ids are numbered in the order in which items first appear in users' histories: "
            f"{100 * brought.share:.0f} % of neighbouring numbers follow each other in the history of the user who "
            "brought them, the last interactions included. The number of an item says whose it is."
        )
        return IdNumbering(FIRST_APPEARANCE, evidence, sentence)
    return IdNumbering(NO_KIND, evidence, "Item ids are numbered by neither first appearance nor first interaction.")


class _Found(NamedTuple):
    found: bool
    share: float
    evidence: dict[str, float]


def _ranks(item_ids: Ids, sequences: Sequences) -> tuple[NDArray[np.int64], int]:
    """The number of the item of each interaction among the items with interactions, and how many these are."""
    places = order_of(item_ids.values)
    there = np.zeros(len(item_ids), dtype=bool)
    there[places[sequences.items]] = True
    number = np.cumsum(there) - 1
    return number[places][sequences.items], int(there.sum())


def _brought(ranks: NDArray[np.int64], items: int, sequences: Sequences, user_ids: Ids | None) -> _Found:
    """Whether neighbouring numbers are brought by one user, one after another."""
    rows = sequences.row_of_position()
    same_row = rows[1:] == rows[:-1]
    same_time = same_row if sequences.times is None else same_row & (np.diff(sequences.times) == 0)
    forward = _links(ranks, items, rows, same_time)
    backward = _links(_turned(items)[ranks], items, rows, same_time)
    ascending = _ascending(ranks, same_row, same_time)
    found, share, expected = False, 0.0, 0.0
    for ahead, back, upwards in zip(forward, backward, ascending, strict=True):
        here, chance = float((ahead > 0).mean()), float((back > 0).mean())
        chance *= max(upwards / max(1 - upwards, 1e-9), 1.0)
        if upwards <= ONE_WAY and _exceeds(here, chance, items - 1, LEAST_SHARE) and here > share:
            found, share, expected = True, here, chance
    if found and not _by_one(forward, backward):
        found = False
    evidence = {"brought by one user": share, "brought by one user, expected": expected}
    walk = max(_walks(ranks, items, sequences, user_ids, ascending), key=lambda one: one.share)
    evidence |= walk.evidence
    if walk.found and _by_one(forward, backward):
        found, share = True, max(share, walk.share)
    return _Found(found, share, evidence)


def _links(ranks: NDArray[np.int64], items: int, rows: NDArray[np.int64], same_time: NDArray[np.bool_]) -> _Links:
    """How often histories whose largest number is r go on with r + 1, inside one time and across times.

    Without times a history has one time, its rows in order. Across times the order inside one says nothing.
    """
    offset = rows * np.int64(items)
    within = _records(ranks + offset, offset, items, same_time)
    if len(same_time) and bool((same_time | (rows[1:] != rows[:-1])).all()):
        return _Links(within, np.zeros_like(within))
    group = np.concatenate([[0], np.cumsum(~same_time)])
    ordered = np.sort(group * np.int64(items) + ranks) - group * np.int64(items)
    later = np.concatenate([[False], ~same_time])
    return _Links(within, _records(ordered + offset, offset, items, None, later=later))


def _records(
    keys: NDArray[np.int64],
    offset: NDArray[np.int64],
    items: int,
    consecutive: NDArray[np.bool_] | None,
    later: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """How often the largest number so far grows by one, by number, int64 `[items - 1]`.

    Args:
        keys: numbers, made larger from row to row.
        offset: what they were made larger by.
        items: how many numbers there are.
        consecutive: which steps count; None for all.
        later: positions that begin a time; then a step counts where the record before it is of another time.
    """
    largest = np.maximum.accumulate(keys)
    step = (np.diff(largest) == 1) & (np.diff(offset) == 0)
    if consecutive is not None:
        step &= consecutive
    if later is not None:
        # The record before a step of one is where the largest number was first reached.
        time = np.cumsum(later)
        reached = np.concatenate([[True], np.diff(largest) > 0])
        since = np.maximum.accumulate(np.where(reached, np.arange(len(keys)), 0))
        step &= time[since[:-1]] != time[1:]
    found: NDArray[np.int64] = np.bincount((largest - offset)[:-1][step], minlength=items - 1)[: items - 1]
    return found


def _turned(items: int) -> NDArray[np.int64]:
    """Numbers turned round in blocks."""
    number = np.arange(items)
    start = number - number % BLOCK
    turned: NDArray[np.int64] = start + np.minimum(BLOCK, items - start) - 1 - number % BLOCK
    return turned


def _ascending(
    ranks: NDArray[np.int64], same_row: NDArray[np.bool_], same_time: NDArray[np.bool_]
) -> tuple[float, float]:
    """The share of steps to a larger number among those to a far one, inside one time and across times."""
    step = np.diff(ranks)
    far = np.abs(step) > BLOCK
    shares = []
    for chosen in (same_time & far, same_row & ~same_time & far):
        count = int(chosen.sum())
        shares.append(float((step[chosen] > 0).sum() + 1) / (count + 2))
    return shares[0], shares[1]


def _by_one(forward: _Links, backward: _Links) -> bool:
    """Whether what goes forward is done by one user for each number, and not by many who follow one order."""
    ahead, back = forward.within + forward.across, backward.within + backward.across
    once = float((ahead > 0).mean() - (back > 0).mean())
    again = float((ahead > 1).mean() - (back > 1).mean())
    return again <= 0.5 * once


def _walks(
    ranks: NDArray[np.int64],
    items: int,
    sequences: Sequences,
    user_ids: Ids | None,
    ascending: tuple[float, float],
) -> Iterator[_Found]:
    """How often first appearances go on with the next number, where users are walked in one order or another."""
    rng = np.random.default_rng(_SEED)
    lengths, within = sequences.lengths, np.arange(len(ranks)) - sequences.offsets[:-1].repeat(sequences.lengths)
    for order in _orders(len(sequences), user_ids):
        starts = np.empty(len(sequences), dtype=np.int64)
        starts[order] = np.cumsum(lengths[order]) - lengths[order]
        position = starts.repeat(lengths) + within
        first = np.full(items, len(ranks), dtype=np.int64)
        np.minimum.at(first, ranks, position)
        share = _going_on(np.argsort(first))
        shuffled = [_going_on(np.argsort(first[_shuffled(items, rng)])) for _ in range(_SHUFFLES)]
        expected = max(float(np.mean(shuffled)), 0.0)
        # Where every history is listed by id, the first one makes a walk by itself.
        found = max(ascending) <= 1 - 1e-3 or share > 1 - 1e-9
        found = found and _exceeds(share, expected, items - 1, LEAST_WALK)
        yield _Found(found, share, {"walk": share, "walk, expected": expected})


def _orders(users: int, user_ids: Ids | None) -> Iterator[NDArray[np.int64]]:
    """Orders in which users may have been walked: as they stand, and by their ids read otherwise."""
    yield np.arange(users)
    if user_ids is None:
        return
    yield np.argsort(order_of(user_ids.values), kind="stable")
    yield user_ids.values.cast(pl.String).arg_sort().to_numpy().astype(np.int64)


def _going_on(order: NDArray[np.int64]) -> float:
    """The share of numbers that the next number follows."""
    return float((np.diff(order) == 1).mean())


def _shuffled(items: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers shuffled in blocks."""
    block = (np.arange(items) + int(rng.integers(SHUFFLED_BLOCK))) // SHUFFLED_BLOCK
    return np.lexsort((rng.random(items), block))


def _earliest(ranks: NDArray[np.int64], items: int, sequences: Sequences) -> _Found:
    """Whether items come before all items with larger numbers."""
    if sequences.times is None:
        return _Found(False, 0.0, {})
    rng = np.random.default_rng(_SEED)
    first = np.full(items, np.iinfo(np.int64).max)
    np.minimum.at(first, ranks, sequences.times)
    share = _before_all(first)
    shuffled = float(np.mean([_before_all(first[_shuffled(items, rng)]) for _ in range(_SHUFFLES)]))
    deviation = math.sqrt(max(shuffled * (1 - shuffled), 1e-9) / items)
    found = share >= LEAST_EARLIEST and share - shuffled > LEAST_DEVIATIONS * deviation
    return _Found(found, share, {"before all later numbers": share, "before all later numbers, expected": shuffled})


def _before_all(first: NDArray[np.int64]) -> float:
    return float((first <= np.minimum.accumulate(first[::-1])[::-1]).mean())


def _exceeds(share: float, expected: float, count: int, least: float) -> bool:
    """Whether a share of `count` is too large to be as expected."""
    deviation = math.sqrt((max(share, expected) + 1 / count) / count)
    return share >= least and share >= LEAST_RATIO * expected and share - expected > LEAST_DEVIATIONS * deviation
