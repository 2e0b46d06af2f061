"""What may be recommended to whom, and the best of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.errors import UnknownValueWarning
from attrformer.evaluation.ranks import best_columns
from attrformer.recommender.arguments import truth_value, whole_number
from attrformer.recommender.requests import Group
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

    def mask(self, scores: Tensor, group: Group) -> None:
        """-inf for what may not be chosen, in place.

        Args:
            scores: `[b, items]`.
            group: whose scores they are.
        """
        if self.candidates is not None:
            outside = torch.ones(scores.shape[1], dtype=torch.bool, device=scores.device)
            outside[torch.from_numpy(self.candidates).to(scores.device)] = False
            scores.masked_fill_(outside, -torch.inf)
        if self.excluded is not None:
            scores[:, torch.from_numpy(self.excluded).to(scores.device)] = -torch.inf
        if self.hide_seen and group.contexts is not None:
            rows, items = group.contexts.row_of_position(), group.contexts.items.astype(np.int64)
            if group.contexts.seen is not None:
                rows, items = rows[group.contexts.seen], items[group.contexts.seen]
            scores[torch.from_numpy(rows).to(scores.device), torch.from_numpy(items).to(scores.device)] = -torch.inf
        if self.rules is not None and self.rules.open is not None:
            scores.masked_fill_(torch.from_numpy(~self.rules.open).to(scores.device), -torch.inf)
        for row, place in enumerate(group.places.tolist() if self.own_candidates or self.own_excluded else ()):
            closed = self.closed_for(place, scores.shape[1])
            if closed is not None:
                scores[row].masked_fill_(torch.from_numpy(closed).to(scores.device), -torch.inf)

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


def best_items(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items of each row, equal scores in the order of the catalogue; -inf is never among them.

    Args:
        scores: `[b, items]`.
        k: items wanted, at least 1.

    Returns:
        Rows and item codes, two int64 tensors of equal length, rows ascending, best items first.
    """
    values, items = best_columns(scores, min(k, scores.shape[1]))
    rows, places = (values > -torch.inf).nonzero(as_tuple=True)
    return rows, items[rows, places]
