"""One list under rules: at most so many of a kind, unlike items, room for new ones, pinned ones in their places."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import positions_in_rows

Codes = NDArray[np.int64]
Values = NDArray[np.floating[Any]]
Likeness = Callable[[int, Codes], Values]
"""How alike an item is to some others, float64 `[n]` from 0 to 1."""

_POOL: Final = 100
_OF_EACH: Final = 5
_CHUNK: Final = 256
"""Items looked at one by one before limits are applied to all the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """At most so many items with the same value.

    Args:
        column: whose values are counted.
        most: items with one value in a list.
        offsets: int64 `[n_items + 1]`, item i has the values `codes[offsets[i]:offsets[i + 1]]`.
        codes: value codes; an item without a value is not limited.
    """

    column: str
    most: int
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]

    def values(self, item: int) -> list[int]:
        """The values of an item."""
        found: list[int] = self.codes[self.offsets[item] : self.offsets[item + 1]].tolist()
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """How a list is made of ranked items.

    Args:
        k: items of the list.
        limits: all of which hold.
        diversity: from 0 to 1.
        new: bool `[n_items]`, which items are new; None where none is given room.
        share: of the list that is kept for new items.
        likeness: of items; None where diversity is 0.
        last: whether new items stand behind all others.
    """

    k: int
    limits: tuple[Limit, ...] = ()
    diversity: float = 0.0
    new: NDArray[np.bool_] | None = None
    share: float = 0.0
    likeness: Likeness | None = None
    last: bool = False

    @property
    def pool(self) -> int:
        """How many of the best items have to be ranked for it."""
        return pool_size(self.k)

    @property
    def room(self) -> int:
        """Places for new items."""
        return 0 if self.new is None else min(self.k, math.ceil(self.share * self.k - 1e-9))


def pool_size(k: int) -> int:
    """Items that diversity chooses a list of k from: five for each, 100 at least."""
    return max(_POOL, _OF_EACH * k)


def select(
    items: Codes,
    scores: Values,
    ranked: int | None,
    pinned: Sequence[tuple[int, int]],
    how: Selection,
    *,
    all_new: bool = True,
) -> list[int] | None:
    """The items of one list in their order.

    Args:
        items: int64 `[n]`, items to choose from, best first, pinned ones not among them.
        scores: `[n]`, their scores.
        ranked: the first so many are the best of all that may be chosen; those behind them are further new items, best
            first. None where all that may be chosen is there.
        pinned: positions from 1 on and items, by position.
        how: the rules.
        all_new: whether every new item that may be chosen is among them.

    Returns:
        Item codes, at most k; None where further items would be needed to tell.
    """
    wanted, listed = how.k - len(pinned), [item for _, item in pinned]
    counts = _Counts(how.limits, listed)
    best = items if ranked is None else items[:ranked]
    if how.diversity > 0 and how.likeness is not None:
        chosen = _diverse(best, scores[: len(best)], listed, wanted, counts, how)
    else:
        chosen = []
    _fill(chosen, best, wanted, counts)
    if len(chosen) < wanted and ranked is not None:
        return None
    if how.new is not None and not _make_room(chosen, items, listed, counts, how) and not all_new:
        return None
    if how.new is not None and how.last:
        chosen.sort(key=how.new.__getitem__)
    return _with_pinned(chosen, pinned, how.k)


class _Counts:
    """How often each value is in a list so far.

    Args:
        limits: all of which hold.
        listed: items that are there whatever the limits say.
    """

    def __init__(self, limits: tuple[Limit, ...], listed: Sequence[int]) -> None:
        self._limits, self._counts = limits, [Counter[int]() for _ in limits]
        for item in listed:
            self._change(item, 1)

    def add(self, item: int) -> bool:
        """Adds an item if the limits allow it; whether they do."""
        for limit, counter in zip(self._limits, self._counts, strict=True):
            if any(counter[value] >= limit.most for value in limit.values(item)):
                return False
        self._change(item, 1)
        return True

    def blocked(self, items: Codes) -> NDArray[np.bool_]:
        """Which of some items the limits do not allow any more, bool `[n]`.

        Args:
            items: int64 `[n]`.
        """
        found = np.zeros(len(items), dtype=bool)
        for limit, counter in zip(self._limits, self._counts, strict=True):
            full = [value for value, count in counter.items() if count >= limit.most]
            if full:
                lengths = limit.offsets[items + 1] - limit.offsets[items]
                values = limit.codes[np.repeat(limit.offsets[items], lengths) + positions_in_rows(lengths)]
                found[np.repeat(np.arange(len(items)), lengths)[np.isin(values, full)]] = True
        return found

    def remove(self, item: int) -> None:
        """Takes an item out."""
        self._change(item, -1)

    def restore(self, item: int) -> None:
        """Puts an item back that was taken out."""
        self._change(item, 1)

    def _change(self, item: int, by: int) -> None:
        for limit, counter in zip(self._limits, self._counts, strict=True):
            for value in limit.values(item):
                counter[value] += by


def _fill(chosen: list[int], best: Codes, wanted: int, counts: _Counts) -> None:
    """Adds the best items that limits allow until there are enough, in place."""
    rest, size = best[~np.isin(best, chosen)] if chosen else best, _CHUNK
    while len(rest) and len(chosen) < wanted:
        for item in rest[:size].tolist():
            if len(chosen) < wanted and counts.add(item):
                chosen.append(item)
        # Where few values have most of the items, nearly all that follow are out at once.
        rest = rest[size:]
        rest, size = rest[~counts.blocked(rest)], 2 * size


def _diverse(
    best: Codes, scores: Values, listed: Sequence[int], wanted: int, counts: _Counts, how: Selection
) -> list[int]:
    """Greedy choice of a large (1 - d) score - d likeness, scores scaled to 0..1 over the pool (MMR)."""
    assert how.likeness is not None
    pool = best[: how.pool]
    if not len(pool):
        return []
    given = scores[: len(pool)].astype(np.float64)
    spread = float(given.max() - given.min())
    relevance = (given - given.min()) / spread if spread > 0 else np.ones(len(pool))
    nearest = np.zeros(len(pool))
    for item in listed:
        np.maximum(nearest, how.likeness(item, pool), out=nearest)
    open_places, chosen = np.ones(len(pool), dtype=bool), list[int]()
    while len(chosen) < wanted and open_places.any():
        worth = np.where(open_places, (1 - how.diversity) * relevance - how.diversity * nearest, -np.inf)
        place = int(worth.argmax())
        open_places[place] = False
        item = int(pool[place])
        if counts.add(item):
            chosen.append(item)
            np.maximum(nearest, how.likeness(item, pool), out=nearest)
    return chosen


def _make_room(chosen: list[int], items: Codes, listed: Sequence[int], counts: _Counts, how: Selection) -> bool:
    """Replaces the last items of a list by the best new ones until there are enough, in place; whether there are."""
    assert how.new is not None
    new = how.new
    missing = how.room - sum(bool(new[item]) for item in (*chosen, *listed))
    if missing <= 0:
        return True
    waiting = items[new[items] & ~np.isin(items, chosen)]
    while missing > 0:
        place = next((place for place in range(len(chosen) - 1, -1, -1) if not new[chosen[place]]), None)
        if place is None:
            return True
        counts.remove(chosen[place])
        allowed = np.flatnonzero(~counts.blocked(waiting))
        if not len(allowed):
            counts.restore(chosen[place])
            return False
        del chosen[place]
        chosen.append(int(waiting[allowed[0]]))
        counts.add(chosen[-1])
        waiting = np.delete(waiting, allowed[0])
        missing -= 1
    return True


def _with_pinned(chosen: list[int], pinned: Sequence[tuple[int, int]], k: int) -> list[int]:
    """The list with pinned items at their positions; behind its end where it is too short."""
    found, rest, waiting = list[int](), iter(chosen), dict(pinned)
    for position in range(1, k + 1):
        if position in waiting:
            found.append(waiting.pop(position))
            continue
        item = next(rest, None)
        if item is None:
            break
        found.append(item)
    return [*found, *(item for _, item in sorted(waiting.items()))]
