"""How a catalogue's ids were numbered, as far as the interactions tell.

Some files number items in the order in which they first appear in users' histories, the last interactions included.
Then the number of an item says which user brought it, and whoever reads the order of ids reads whose test item it is.
Others number items by the time of their first interaction; then a number says when that was. Both are told from ids
that merely grow with the time of listing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrformer.data.first_appearance import brought_one_after_another, walked
from attrformer.data.id_map import IdMap, order_of
from attrformer.data.sequences import Sequences

Kind = Literal["first appearance", "first interaction", "none"]
FIRST_APPEARANCE: Final = "first appearance"
FIRST_INTERACTION: Final = "first interaction"
NO_KIND: Final = "none"

LEAST_ITEMS: Final = 12
"""Fewer items say nothing about how they were numbered."""

LEAST_EARLIEST: Final = 0.1
"""Least share of items that come before all items with larger numbers."""

LEAST_DEVIATIONS: Final = 6.0
"""By how many standard deviations this has to be more than with numbers that are shuffled nearby."""

BLOCK: Final = 8
"""Numbers are shuffled in blocks of this size, which keeps what grows with the time of listing."""

_SHUFFLES: Final = 4


@dataclass(frozen=True, slots=True)
class IdNumbering:
    """How the ids of a catalogue were numbered.

    Args:
        kind: "first appearance" (the order in which items appear in users' histories, user after user), "first
            interaction" (the time of an item's first interaction), or "none" of these.
        evidence: the shares that decided, by name, each from 0 to 1; "..., expected" is what other ids would give.
        sentence: what was found, for people.
    """

    kind: Kind
    evidence: dict[str, float] = field(default_factory=dict)
    sentence: str = ""


class _Earliest(NamedTuple):
    found: bool
    share: float
    expected: float


def id_numbering(item_ids: IdMap, sequences: Sequences, user_ids: IdMap | None = None) -> IdNumbering:
    """Finds out whether ids number items by first appearance in users' histories, or by first interaction.

    Args:
        item_ids: of the catalogue.
        sequences: everything that users did, what is held out included, since it may have been numbered as well.
        user_ids: ids of the rows of `sequences`; their order is tried as the one in which users were walked.
    """
    ranks, items = _ranks(item_ids, sequences)
    if items < LEAST_ITEMS or len(sequences) < 2:
        return IdNumbering(NO_KIND, {}, "There are too few items or users to tell how item ids were numbered.")
    brought = brought_one_after_another(ranks, items, sequences)
    walk = walked(ranks, items, sequences, user_ids)
    earliest = _earliest(ranks, items, sequences)
    evidence = {
        "brought by one user": brought.share,
        "brought by one user, expected": brought.expected,
        "walk": walk.share,
        "walk, expected": walk.expected,
    }
    if sequences.times is not None:
        evidence |= {
            "before all later numbers": earliest.share,
            "before all later numbers, expected": earliest.expected,
        }
    appearance = brought.found or (walk.found and not brought.shared)
    share = max(brought.share * brought.found, walk.share * walk.found)
    if earliest.found and not (appearance and share > earliest.share):
        return IdNumbering(FIRST_INTERACTION, evidence, _sentence_of_times(earliest.share))
    if appearance:
        return IdNumbering(FIRST_APPEARANCE, evidence, _sentence_of_users(share))
    return IdNumbering(NO_KIND, evidence, "Item ids are numbered by neither first appearance nor first interaction.")


def _sentence_of_users(share: float) -> str:
    return (
        "Item ids are numbered in the order in which items first appear in users' histories, the last interactions "
        f"included: {100 * share:.0f} % of neighbouring numbers follow each other where users first took the items. "
        "So the number of a test item says whose it is."
    )


def _sentence_of_times(share: float) -> str:
    return (
        "Item ids are numbered by the time of an item's first interaction: "
        f"{100 * share:.0f} % of the items were first taken before all items with larger numbers. "
        "So the number of a test item says when it was first taken."
    )


def _ranks(item_ids: IdMap, sequences: Sequences) -> tuple[NDArray[np.int64], int]:
    """The number of each interaction's item among the items with interactions, and how many these are."""
    places = order_of(item_ids.values)
    there = np.zeros(len(item_ids), dtype=bool)
    there[places[sequences.items]] = True
    number = np.cumsum(there) - 1
    return number[places][sequences.items], int(there.sum())


def _earliest(ranks: NDArray[np.int64], items: int, sequences: Sequences) -> _Earliest:
    """Whether items are first taken before all items with larger numbers, of which filters leave many."""
    if sequences.times is None:
        return _Earliest(False, 0.0, 0.0)
    rng = np.random.default_rng(0)
    first = np.full(items, np.iinfo(np.int64).max)
    np.minimum.at(first, ranks, sequences.times)
    share = _before_all(first)
    expected = float(np.mean([_before_all(first[_shuffled(items, rng)]) for _ in range(_SHUFFLES)]))
    deviation = math.sqrt(max(expected * (1 - expected), 1 / items) / items)
    found = share >= LEAST_EARLIEST and share - expected > LEAST_DEVIATIONS * deviation
    return _Earliest(found, share, expected)


def _before_all(first: NDArray[np.int64]) -> float:
    return float((first <= np.minimum.accumulate(first[::-1])[::-1]).mean())


def _shuffled(items: int, rng: np.random.Generator) -> NDArray[np.int64]:
    block = (np.arange(items) + int(rng.integers(BLOCK))) // BLOCK
    return np.lexsort((rng.random(items), block))
