"""Which items can be among the best: the relations are added up everywhere, vectors read only where they can decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.retrieval.compiled import CompiledContribution
from attrformer.retrieval.finding import products

Codes = NDArray[np.int64]
Values = NDArray[np.float32]

_STRONG = 1024
"""About so many items with the largest sums of relations are scored first."""

_SAMPLED = 64
"""One item in so many tells which sums are large."""

_ROUNDING = 1e-5
"""What sums of products and logarithms may lose in single precision."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What all relations of one history add to each item; some of them are looked up only where they can matter.

    Args:
        total: float32 `[items]`, the sum of most relations; -inf for items that are not to be found.
        aside: the other relations.
        strong: for each of them int64 codes of the items to which it may add more than it mostly does.
        ceiling: what those set aside add together at most to any other item.
        most: what they add together at most to any item.
    """

    total: Values
    aside: list[CompiledContribution]
    strong: list[Codes]
    ceiling: float
    most: float

    def at(self, items: Codes) -> Values:
        """The sums at some items, float32 `[n]`.

        Args:
            items: int64 `[n]`.
        """
        found = self.total.take(items)
        for contribution in self.aside:
            found += contribution.at(items)
        return found

    def close(self, items: NDArray[np.integer]) -> None:
        """Leaves some items out of all that is found.

        Args:
            items: their codes.
        """
        self.total[items] = -np.inf

    def open_items(self) -> Codes:
        """All items that were not left out, int64, ascending."""
        return np.flatnonzero(self.total > -np.inf)

    def reaching(self, least: float) -> Codes:
        """All items whose sum is `least` or more, int64, ascending.

        Args:
            least: above -inf.
        """
        items = [np.flatnonzero(self.total >= least - self.ceiling)]
        for strong in self.strong:
            sums = self.total.take(strong)
            items.append(strong[(sums >= least - self.most) & (sums < least - self.ceiling)])
        found = np.concatenate(items)
        return distinct(found[self.at(found) >= least]) if self.aside else found

    def some_strong(self) -> Codes:
        """Items with large sums, about as many as are worth a look before anything is known; int64, ascending."""
        sample, place = self.total[::_SAMPLED], _STRONG // _SAMPLED
        if len(sample) <= place:
            return self.open_items()
        # Only what is above it: where relations say the same of most items, that is all there is to be known.
        return np.flatnonzero(self.total > np.partition(sample, -place)[-place])


def pruned(named: Codes, sums: Sums, hidden: Values, table: Values, k: int, *, filtered: bool = False) -> Codes:
    """The items among which the k best are, int64, ascending.

    What is not named has a content part no larger than that of the named ones, so that it has to be looked at only
    where the relations make up for the rest. The graph finds nearly all of its first items and misses more and more
    further down; therefore the middle of what it named is the bound, and not its end.

    Args:
        named: int64 `[n]`, items with the largest content parts, each once.
        sums: of the other parts.
        hidden: float32 `[d]`.
        table: float32 `[items, d]`.
        k: items wanted.
        filtered: whether many items are left out, so that few named ones may be left.
    """
    every = named
    named = named[sums.total.take(named) > -np.inf]
    items = distinct(np.concatenate([named, sums.some_strong()]))
    if len(items) < k or not len(every if filtered else named):
        return sums.open_items()
    content = products(items, hidden, table)
    values = content + sums.at(items)
    least = float(np.partition(values, -k)[-k])
    if filtered:
        # What is left out bounds the products of the others as well as what is not.
        named, of_named = every, products(every, hidden, table)
    else:
        of_named = content[np.searchsorted(items, named)]
    place = min(max(len(named) // 2, k), len(named) - 1)
    # Items whose vectors are zeros, with which every product is 0, are in no graph.
    bound = max(0.0, float(-np.partition(-of_named, place)[place]))
    more = sums.reaching(least - bound - _ROUNDING * (1.0 + abs(least)))
    return distinct(np.concatenate([items[values >= least], more]))


def distinct(items: Codes) -> Codes:
    """Each item once, ascending.

    Args:
        items: int64 `[n]`.
    """
    items = np.sort(items)
    return items[np.concatenate([[True], items[1:] != items[:-1]])] if len(items) else items
