"""The list of one user out of the scores of all items, with the rules of a shop where there are any; without torch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import NEW, PINNED
from attrformer.ordering import best_places
from attrformer.recommender.choice import Choice
from attrformer.rules.compiled import CompiledRules
from attrformer.rules.selection import Likeness, select

Codes = NDArray[np.int64]
Values = NDArray[np.float32]

FURTHER: Final = 8
"""Where the best items do not fill a list under rules, so many times as many are looked at before all are."""


def list_of(scores: Values, choice: Choice, place: int, history: NDArray[Any]) -> tuple[Codes, Values]:
    """The items of one list in their order, with their scores; for rules that compare no items.

    Args:
        scores: float32 `[items]`, of the model; overwritten.
        choice: what may be recommended.
        place: of the user in the request.
        history: item codes that are left out where the choice hides them.
    """
    rules = choice.rules
    if rules is not None and rules.boost is not None:
        scores += rules.boost
    before = scores.copy() if rules is not None and rules.pinned else scores
    for closed in (choice.closed_to_all(len(scores)), choice.closed_for(place, len(scores))):
        if closed is not None:
            scores[closed] = -np.inf
    if choice.hide_seen:
        scores[history] = -np.inf
    if rules is None or not rules.reorders:
        found = best_places(scores, choice.k)
    else:
        found = listed_of(scores, choice, rules, place, None)
    if choice.ruled:
        tell_short(choice, place, len(found), history, len(scores))
    return found, before[found]


def listed_of(scores: Values, choice: Choice, rules: CompiledRules, place: int, alike: Likeness | None) -> Codes:
    """The list of one user, int64, at most k.

    Args:
        scores: float32 `[items]`, with boosts, -inf for what may not be chosen; overwritten.
        choice: what may be recommended.
        rules: of the choice.
        place: of the user in the request.
        alike: likeness of items, for diversity.
    """
    pinned, how = choice.pinned_for(place), rules.selection(choice.k, alike)
    scores[[item for _, item in pinned]] = -np.inf
    few = max(how.pool, 4 * choice.k) if rules.diversity else 4 * choice.k
    for count in (few, FURTHER * few):
        best = best_places(scores, count)
        if len(best) < count:
            break
        more, all_new = _new_ones(scores, rules, best, 4 * how.room)
        items = np.concatenate([best, more])
        found = select(items, scores[items], len(best), pinned, how, all_new=all_new)
        if found is not None:
            return np.array(found, dtype=np.int64)
    every = best_places(scores, len(scores))
    return np.array(select(every, scores[every], None, pinned, how), dtype=np.int64)


def marks_of(choice: Choice | None, items: Codes) -> dict[str, Any]:
    """The columns that say which items are new, and which are pinned, where rules are about that.

    Args:
        choice: what the items were chosen by.
        items: int64 `[n]`, item codes.
    """
    rules, marks = None if choice is None else choice.rules, dict[str, Any]()
    if rules is not None and rules.new is not None:
        marks[NEW] = rules.new[items]
    if rules is not None and rules.pinned:
        marks[PINNED] = np.isin(items, [item for _, item in rules.pinned])
    return marks


def tell_short(choice: Choice, place: int, found: int, history: NDArray[Any] | None, n_items: int) -> None:
    """Notes why a list is shorter than was asked for, where it is.

    Args:
        choice: what may be recommended.
        place: of the user in the request.
        found: items of the list.
        history: item codes, or None.
        n_items: size of the catalogue.
    """
    if choice.short is None or found >= min(choice.k, n_items):
        return
    left, counts = np.ones(n_items, dtype=bool), dict[str, int]()

    def close(rule: str, closed: NDArray[Any] | None) -> None:
        if closed is not None:
            before = int(left.sum())
            left[closed] = False
            counts[rule] = before - int(left.sum())

    rules = choice.rules
    close("where", None if rules is None or rules.open is None else ~rules.open)
    if choice.candidates is not None:
        outside = np.ones(n_items, dtype=bool)
        outside[choice.candidates] = False
        close("candidates", outside)
    close("exclude", choice.excluded)
    close("their own list", choice.closed_for(place, n_items))
    close("hide_seen", history if choice.hide_seen else None)
    if rules is not None and rules.limits:
        counts["at_most"] = max(0, int(left.sum()) - found)
    choice.short.add(place, found, choice.k, n_items, counts)


def _new_ones(scores: Values, rules: CompiledRules, best: Codes, count: int) -> tuple[Codes, bool]:
    """The best new items that are not among the best of all, and whether there are no others."""
    if rules.new is None:
        return np.empty(0, dtype=np.int64), True
    rest = rules.new & (scores > -np.inf)
    rest[best] = False
    codes = np.flatnonzero(rest)
    if len(codes) <= count:
        places = np.argsort(-scores[codes], kind="stable")
        return codes[places], True
    return codes[best_places(scores[codes], count)], False
