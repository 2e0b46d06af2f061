"""The mechanics of the embedded sample: who buys what next, in steps over all users at once.

Only uniform numbers are taken from the generator, everything else is computed from them, so that a seed gives the same
shop on every platform and NumPy version.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sample_catalogue import ACCESSORY_OF, AGE_BANDS, CATEGORIES
from attrformer.errors import ConfigurationError

SHORTEST_HISTORY: Final = 5
TRANSITION_WEIGHTS: Final = (0.65, 0.35)
PREFERRED_CATEGORIES: Final = 4

_POPULARITY_SHIFT = 5
_SESSION_LENGTH = 3.0
_FIRST_DAY = 1_609_459_200
_DAY = 86_400
_TRANSITION_STEPS = (1, 7)
_REDRAWS_IN_GROUP = 3
_REDRAWS_ANYWHERE = 3
_SEEN_WORDS = 128

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleStrengths:
    """How often each planted relation decides what a user buys next; popularity decides the rest.

    Args:
        accessory: chance that a main product is followed at once by its accessory.
        loyalty: chance, where no accessory follows, of another item of the brand just bought.
        transition: chance, likewise, of an item of one of the two categories that follow the last one's category.
        age: chance, likewise, of an item of a category that the user's age band prefers.

    Raises:
        ConfigurationError: a strength is no probability, or loyalty, transition and age exceed 1 together.
    """

    accessory: float = 0.5
    loyalty: float = 0.2
    transition: float = 0.3
    age: float = 0.2

    def __post_init__(self) -> None:
        values = (self.accessory, self.loyalty, self.transition, self.age)
        if not all(0 <= value <= 1 for value in values) or self.loyalty + self.transition + self.age > 1 + 1e-9:
            raise ConfigurationError(
                f"The strengths of the sample are {self}. Give probabilities, loyalty + transition + age at most 1."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """The codes behind the tables, and what is planted.

    Groups number the sets of items that a draw can be limited to: the brands, then the categories, last everything.

    Args:
        brand: of each item `[items]`.
        category: of each item `[items]`.
        accessory: item code of each item's accessory `[items]`, -1 where it has none.
        targets: the categories that follow each category `[categories, 2]`.
        preferred: the categories that each age band prefers `[age bands, 4]`.
        brand_count: number of brands.
        drawn_items: item codes, group after group `[3 * items]`.
        cumulative: running sum of their popularity `[3 * items]`.
        first: where each group begins in them `[groups + 1]`.
    """

    brand: Codes
    category: Codes
    accessory: Codes
    targets: Codes
    preferred: Codes
    brand_count: int
    drawn_items: Codes
    cumulative: Numbers
    first: Codes

    @property
    def everything(self) -> int:
        """The group of all items."""
        return self.brand_count + len(CATEGORIES)

    def draw(self, groups: Codes, uniform: Numbers) -> Codes:
        """One item of each group `[n]`, by popularity within the group."""
        low = np.where(self.first[groups] > 0, self.cumulative[self.first[groups] - 1], 0.0)
        high = self.cumulative[self.first[groups + 1] - 1]
        place = np.searchsorted(self.cumulative, low + uniform * (high - low), side="right")
        return self.drawn_items[np.clip(place, self.first[groups], self.first[groups + 1] - 1)]


def make_shop(generator: np.random.Generator, items: int, brands: int) -> Shop:
    """Deal the items out to categories and brands, and plant the relations."""
    category = _shuffled(generator, items) % len(CATEGORIES)
    brand_share = np.cumsum(1 / np.sqrt(np.arange(1, brands + 1)))
    brand = np.searchsorted(brand_share, generator.random(items) * brand_share[-1], side="right")
    popularity = 1 / (_POPULARITY_SHIFT + _shuffled(generator, items) + 1)
    groups = np.concatenate([brand, brands + category, np.full(items, brands + len(CATEGORIES))])
    order = np.argsort(groups, kind="stable")
    first = np.searchsorted(groups[order], np.arange(brands + len(CATEGORIES) + 2))
    cycle = _shuffled(generator, len(CATEGORIES))
    targets = np.empty((len(CATEGORIES), len(_TRANSITION_STEPS)), dtype=np.int64)
    # Steps along one shuffled cycle: every category has as many predecessors as successors, no pair comes in reverse.
    targets[cycle] = np.stack([np.roll(cycle, -step) for step in _TRANSITION_STEPS], axis=1)
    preferred = _shuffled(generator, len(CATEGORIES))[: len(AGE_BANDS) * PREFERRED_CATEGORIES]
    return Shop(
        brand=brand,
        category=category,
        accessory=_accessories(generator, category),
        targets=targets,
        preferred=preferred.reshape(len(AGE_BANDS), PREFERRED_CATEGORIES),
        brand_count=brands,
        drawn_items=order % items,
        cumulative=np.cumsum(np.tile(popularity, 3)[order]),
        first=first,
    )


def _accessories(generator: np.random.Generator, category: Codes) -> Codes:
    """The accessory of each item, -1 where it has none: any item of the accessory category, popular or not."""
    codes = {entry.name: code for code, entry in enumerate(CATEGORIES)}
    accessory = np.full(len(category), -1, dtype=np.int64)
    for main, target in ACCESSORY_OF.items():
        mains, choices = np.flatnonzero(category == codes[main]), np.flatnonzero(category == codes[target])
        accessory[mains] = choices[(generator.random(len(mains)) * len(choices)).astype(np.int64)]
    return accessory


def history_lengths(generator: np.random.Generator, users: int, mean: float) -> Codes:
    """Five and a geometric number more, `[users]`; many short histories and few long ones."""
    extra = mean - SHORTEST_HISTORY
    if extra == 0:
        return np.full(users, SHORTEST_HISTORY, dtype=np.int64)
    scale = 1 / math.log1p(1 / extra)
    return SHORTEST_HISTORY + np.floor(-np.log1p(-generator.random(users)) * scale).astype(np.int64)


def histories(
    generator: np.random.Generator, shop: Shop, age: Codes, lengths: Codes, strengths: SampleStrengths
) -> NDArray[np.int32]:
    """Item codes of all histories, user after user: one step for all users at once, the longest histories first."""
    order = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[order]
    remaining = np.searchsorted(np.sort(-lengths), -np.arange(lengths.max()), side="left")
    words = min(-(-len(shop.category) // 64), _SEEN_WORDS)
    seen = np.zeros((len(lengths), words), dtype=np.uint64)
    bought = np.empty(int(lengths.sum()), dtype=np.int32)
    last: Codes | None = None
    for step, active in enumerate(remaining.tolist()):
        last = None if last is None else last[:active]
        known, groups = _intentions(generator, shop, age[order[:active]], last, strengths)
        last = _purchases(generator, shop, known, groups, seen[:active])
        bought[starts[:active] + step] = last
    return bought


def _intentions(
    generator: np.random.Generator, shop: Shop, age: Codes, last: Codes | None, strengths: SampleStrengths
) -> tuple[Codes, Codes]:
    """What each user looks for: a known item (or -1), and the group of items to draw from where it is not known."""
    cause, which, accessory_chance = generator.random((3, len(age)))
    preferred = shop.preferred[age, (which * PREFERRED_CATEGORIES).astype(np.int64)]
    by_age = cause >= 1 - strengths.age
    groups = np.where(by_age, shop.brand_count + preferred, shop.everything)
    if last is None:
        return np.full(len(age), -1, dtype=np.int64), groups
    following = shop.targets[shop.category[last], (which >= TRANSITION_WEIGHTS[0]).astype(np.int64)]
    groups = np.where(cause < strengths.loyalty + strengths.transition, shop.brand_count + following, groups)
    groups = np.where(cause < strengths.loyalty, shop.brand[last], groups)
    return np.where(accessory_chance < strengths.accessory, shop.accessory[last], -1), groups


def _purchases(
    generator: np.random.Generator, shop: Shop, known: Codes, groups: Codes, seen: NDArray[np.uint64]
) -> Codes:
    """One item for each user `[n]`, drawn again while the user has it already; adds it to `seen` `[n, words]`.

    Large catalogues share bits of `seen`: a user is then rarely kept from an item that is new, which does no harm.
    """
    chosen = np.where(known >= 0, known, shop.draw(groups, generator.random(len(groups))))
    for turn in range(_REDRAWS_IN_GROUP + _REDRAWS_ANYWHERE):
        word, bit = _place(chosen, seen.shape[1])
        again = np.flatnonzero(seen[np.arange(len(chosen)), word] & bit)
        if len(again) == 0:
            break
        wanted = groups[again] if turn < _REDRAWS_IN_GROUP else np.full(len(again), shop.everything)
        chosen[again] = shop.draw(wanted, generator.random(len(again)))
    word, bit = _place(chosen, seen.shape[1])
    seen[np.arange(len(chosen)), word] |= bit
    return chosen


def _place(items: Codes, words: int) -> tuple[Codes, NDArray[np.uint64]]:
    slot = items % (words * 64)
    return slot // 64, np.left_shift(np.uint64(1), (slot % 64).astype(np.uint64))


def times(generator: np.random.Generator, lengths: Codes) -> Codes:
    """Seconds since 1970 of each interaction: minutes within a session, days between sessions, from a first day on."""
    count, first = int(lengths.sum()), np.cumsum(lengths) - lengths
    spread = -np.log1p(-generator.random(count))
    opens_session = generator.random(count) < 1 / _SESSION_LENGTH
    # Frequent customers come back sooner, so that the longest history still fits into a few years.
    pace = np.repeat(np.minimum(12.0, 1800 / lengths), lengths)
    gaps = np.where(opens_session, _DAY * (0.5 + spread * pace), 20 + spread * 240).astype(np.int64)
    gaps[first] = 0
    elapsed = np.cumsum(gaps)
    start = _FIRST_DAY + (generator.random(len(lengths)) * 180 * _DAY).astype(np.int64)
    seconds: Codes = elapsed + np.repeat(start - elapsed[first], lengths)
    return seconds


def _shuffled(generator: np.random.Generator, count: int) -> Codes:
    return np.argsort(generator.random(count), kind="stable")
