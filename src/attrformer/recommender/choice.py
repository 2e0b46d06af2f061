"""What may be recommended to whom; without torch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import UnknownValueWarning
from attrformer.recommender.arguments import truth_value, whole_number
from attrformer.recommender.short_lists import ShortLists
from attrformer.rules.compiled import CompiledRules, require_positions

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ItemLists:
    """Items for each user of a request.

    Args:
        offsets: int64 `[n + 1]`, the user at place r has `items[offsets[r]:offsets[r + 1]]`.
        items: int64, item codes.
        named: bool `[n]`, whether the user was named; an empty list says something, too.
    """

    offsets: Codes
    items: Codes
    named: NDArray[np.bool_]

    def of(self, place: int) -> Codes:
        """The items of one user."""
        return self.items[self.offsets[place] : self.offsets[place + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What may be recommended, and how much of it.

    Args:
        k: items for each.
        hide_seen: leave out what the history holds.
        candidates: item codes to choose from, or None for the whole catalogue.
        excluded: item codes never to choose, or None.
        own_candidates: the same for each user, or None; who is not named there may get everything.
        own_excluded: the same for each user, or None.
        rules: of the shop, or None.
        short: told of lists that rules leave too short.

    Raises:
        ConfigurationError: k is no whole number from 1 on, `hide_seen` neither True nor False, or an item is pinned
            behind the end of the list.
    """

    k: int
    hide_seen: bool = True
    candidates: Codes | None = None
    excluded: Codes | None = None
    own_candidates: ItemLists | None = None
    own_excluded: ItemLists | None = None
    rules: CompiledRules | None = None
    short: ShortLists | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", whole_number(self.k, "k"))
        object.__setattr__(self, "hide_seen", truth_value(self.hide_seen, "hide_seen"))
        if self.rules is not None:
            require_positions(self.rules.pinned, self.k)

    @property
    def ruled(self) -> bool:
        """Whether more than the same lists for everybody decide."""
        return self.rules is not None or self.own_candidates is not None or self.own_excluded is not None

    def telling(self, short: ShortLists) -> Choice:
        """The same, where lists that are too short are told of.

        Args:
            short: is told of them.
        """
        return replace(self, short=short)

    @property
    def told(self) -> tuple[str, ...]:
        """Sentences about values in rules that no item has."""
        return () if self.rules is None else self.rules.told

    def warn(self) -> None:
        """Warns of values in rules that no item has, and of lists that rules have left too short."""
        for sentence in self.told:
            warnings.warn(UnknownValueWarning(sentence), stacklevel=3)
        if self.short is not None:
            self.short.warn()

    def closed_to_all(self, n_items: int) -> NDArray[np.bool_] | None:
        """What nobody may get, bool `[n_items]`; None where that is nothing.

        Args:
            n_items: size of the catalogue.
        """
        opened = None if self.rules is None else self.rules.open
        if self.candidates is None and self.excluded is None and opened is None:
            return None
        closed = np.zeros(n_items, dtype=bool) if opened is None else ~opened
        if self.candidates is not None:
            outside = np.ones(n_items, dtype=bool)
            outside[self.candidates] = False
            closed |= outside
        if self.excluded is not None:
            closed[self.excluded] = True
        return closed

    def closed_for(self, place: int, n_items: int) -> NDArray[np.bool_] | None:
        """What the own lists of a user leave out, bool `[n_items]`; None where they leave out nothing.

        Args:
            place: of the user in the request.
            n_items: size of the catalogue.
        """
        closed = None
        if self.own_candidates is not None and self.own_candidates.named[place]:
            closed = np.ones(n_items, dtype=bool)
            closed[self.own_candidates.of(place)] = False
        if self.own_excluded is not None and len(self.own_excluded.of(place)):
            closed = np.zeros(n_items, dtype=bool) if closed is None else closed
            closed[self.own_excluded.of(place)] = True
        return closed

    def pinned_for(self, place: int) -> list[tuple[int, int]]:
        """Positions and items that are pinned for a user: all but those that are excluded.

        Args:
            place: of the user in the request.
        """
        pinned = () if self.rules is None else self.rules.pinned
        never = set() if self.excluded is None else set(self.excluded.tolist())
        if self.own_excluded is not None:
            never |= set(self.own_excluded.of(place).tolist())
        return [(position, item) for position, item in pinned if item not in never]
