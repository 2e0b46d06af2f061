"""The list of one history, found by an index: filters come before the search, and limits after it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.recommender.choice import Choice
from attrformer.recommender.lists import FURTHER
from attrformer.retrieval import finding
from attrformer.retrieval.compiled import CompiledContribution
from attrformer.retrieval.pruning import Sums, pruned
from attrformer.rules.compiled import CompiledRules
from attrformer.rules.selection import Likeness, Selection, select

Codes = NDArray[np.int64]
Values = NDArray[np.float32]

FEW: Final = 20_000
"""So many items are scored one by one faster than the relations of a large catalogue are added up."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One history with what is computed of it.

    Args:
        hidden: float32 `[d]`.
        table: float32 `[items, d]`.
        contributions: the relations.
        sums: adds the relations up over the catalogue.
        named: items with the largest content parts, once they are found; None where the graph was not asked.
        history: item codes.
        place: of the user in the request.
    """

    hidden: Values
    table: Values
    contributions: list[CompiledContribution]
    sums: Callable[[], Sums]
    named: Future[Codes] | None
    history: NDArray[np.int32]
    place: int

    def scores(self, items: Codes, rules: CompiledRules | None) -> Values:
        """The scores of some items with what boosts add, float32 `[n]`."""
        found = finding.scores(items, self.hidden, self.table, self.contributions)
        if rules is not None and rules.boost is not None:
            found += rules.boost[items]
        return found


def scored_singly(choice: Choice) -> bool:
    """Whether so few items are left that each is scored, for whoever asks.

    Args:
        choice: what may be recommended.
    """
    few = choice.rules is not None and choice.rules.open_items is not None and len(choice.rules.open_items) <= FEW
    return choice.candidates is not None or few


def best_listed(asked: Asked, choice: Choice, alike: Likeness | None) -> tuple[Codes, Values]:
    """The list of one history, in its order, with scores.

    Args:
        asked: the history.
        choice: what may be recommended.
        alike: likeness of items, for diversity.
    """
    return _ruled(asked, choice, alike) if choice.ruled else _plain(asked, choice)


def _plain(asked: Asked, choice: Choice) -> tuple[Codes, Values]:
    """The best items, where the same may be recommended to everybody."""
    if choice.candidates is not None:
        items = finding.allowed(choice.candidates, choice, asked.history)
        return finding.best(items, asked.scores(items, None), choice.k)
    sums = asked.sums()
    if choice.hide_seen:
        sums.close(asked.history)
    if choice.excluded is not None:
        sums.close(choice.excluded)
    if asked.named is None:
        items = sums.open_items()
    else:
        items = pruned(asked.named.result(), sums, asked.hidden, asked.table, choice.k)
    return finding.best(items, finding.products(items, asked.hidden, asked.table) + sums.at(items), choice.k)


def _ruled(asked: Asked, choice: Choice, alike: Likeness | None) -> tuple[Codes, Values]:
    """The list under rules."""
    rules, pinned = choice.rules, choice.pinned_for(asked.place)
    few = _few(choice, asked)
    if rules is None or not rules.reorders:
        if few is not None:
            return finding.best(few, asked.scores(few, rules), choice.k)
        items, values = _found(asked, choice, [], choice.k)
        return finding.best(items, values, choice.k)
    how = rules.selection(choice.k, alike)
    listed = [item for _, item in pinned]
    if few is not None:
        items = np.setdiff1d(few, listed)
        items, values = _in_order(items, asked.scores(items, rules))
        chosen = select(items, values, None, pinned, how)
    else:
        chosen = _searched(asked, choice, rules, pinned, how)
    found = np.array(chosen, dtype=np.int64)
    return found, asked.scores(found, rules)


def _few(choice: Choice, asked: Asked) -> Codes | None:
    """The items that may be recommended where these are few, ascending; None where they are many."""
    own, rules = choice.own_candidates, choice.rules
    if own is not None and own.named[asked.place]:
        items = np.unique(own.of(asked.place))
        if choice.candidates is not None:
            items = np.intersect1d(items, choice.candidates)
    elif choice.candidates is not None:
        items = choice.candidates
    elif rules is not None and rules.open_items is not None and scored_singly(choice):
        return _unless_excluded(rules.open_items, choice, asked)
    else:
        return None
    if rules is not None and rules.open is not None:
        items = items[rules.open[items]]
    return _unless_excluded(items, choice, asked)


def _unless_excluded(items: Codes, choice: Choice, asked: Asked) -> Codes:
    items = finding.allowed(items, choice, asked.history)
    if choice.own_excluded is not None:
        items = np.setdiff1d(items, choice.own_excluded.of(asked.place))
    return items


def _found(asked: Asked, choice: Choice, listed: list[int], k: int) -> tuple[Codes, Values]:
    """Items among which the k best are, ascending, with their scores."""
    sums = _open_sums(asked, choice, listed)
    if asked.named is None:
        items = sums.open_items()
    else:
        items = pruned(asked.named.result(), sums, asked.hidden, asked.table, k, filtered=True)
    return items, finding.products(items, asked.hidden, asked.table) + sums.at(items)


def _open_sums(asked: Asked, choice: Choice, listed: list[int]) -> Sums:
    """What relations and boosts add to every item, with -inf for what may not be chosen."""
    sums, rules = asked.sums(), choice.rules
    if rules is not None and rules.added is not None:
        np.add(sums.total, rules.added, out=sums.total)
    if choice.hide_seen:
        sums.close(asked.history)
    if choice.excluded is not None:
        sums.close(choice.excluded)
    if choice.own_excluded is not None:
        sums.close(choice.own_excluded.of(asked.place))
    sums.close(np.array(listed, dtype=np.int64))
    return sums


def _searched(
    asked: Asked, choice: Choice, rules: CompiledRules, pinned: list[tuple[int, int]], how: Selection
) -> list[int] | None:
    """A list from the best items of the search; from all items where these do not fill it."""
    listed = [item for _, item in pinned]
    wanted = max(how.pool, 4 * choice.k) if rules.diversity else 4 * choice.k
    for count in (wanted, FURTHER * wanted):
        items, values = _in_order(*_found(asked, choice, listed, count))
        if len(items) < count:
            break
        best = items[:count]
        more = _new_items(asked, choice, rules, best, listed)
        every = np.concatenate([best, more])
        scored = np.concatenate([values[:count], asked.scores(more, rules)])
        chosen = select(every, scored, len(best), pinned, how)
        if chosen is not None:
            return chosen
    sums = _open_sums(asked, choice, listed)
    open_items = sums.open_items()
    scored = finding.products(open_items, asked.hidden, asked.table) + sums.at(open_items)
    items, values = _in_order(open_items, scored)
    return select(items, values, None, pinned, how)


def _new_items(asked: Asked, choice: Choice, rules: CompiledRules, best: Codes, listed: list[int]) -> Codes:
    """All new items that may be recommended and are not among the best of all, the best first."""
    if rules.new is None:
        return np.empty(0, dtype=np.int64)
    items = np.flatnonzero(rules.new if rules.open is None else rules.new & rules.open)
    items = np.setdiff1d(_unless_excluded(items, choice, asked), np.concatenate([best, np.array(listed, np.int64)]))
    return _in_order(items, asked.scores(items, rules))[0]


def _in_order(items: Codes, values: Values) -> tuple[Codes, Values]:
    """Items by score, the best first, equal scores in the order of the catalogue."""
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > -np.inf]
    return items[order], values[order]
