"""The lists that a choice makes of scores, with the rules of a shop where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.columns import NEW, PINNED
from attrformer.recommender.choice import Choice, best_items
from attrformer.recommender.likeness import likeness_of
from attrformer.recommender.requests import Group
from attrformer.recommender.state import ModelState
from attrformer.relations.explaining import Attribution
from attrformer.rules.compiled import CompiledRules
from attrformer.rules.selection import Likeness, select

Codes = NDArray[np.int64]
Values = NDArray[np.float32]

FURTHER: Final = 8
"""Where the best items do not fill a list under rules, so many times as many are looked at before all are."""

RULE: Final = "rule"
"""The part of a score that boosts add."""


def listed(fitted: ModelState, choice: Choice, scores: Tensor, group: Group) -> tuple[Tensor, Tensor, Tensor]:
    """The list of everybody in a group.

    Args:
        fitted: the model.
        choice: what may be recommended.
        scores: float32 `[b, items]`, of the model; overwritten.
        group: whose scores they are.

    Returns:
        Rows of the group, ascending, item codes in the order of the lists, and scores with what boosts add.
    """
    rules = choice.rules
    if rules is not None and rules.boost is not None:
        scores += torch.from_numpy(rules.boost).to(scores.device)
    if rules is None or not rules.reorders:
        choice.mask(scores, group)
        rows, items = best_items(scores, choice.k)
        found = rows, items, scores[rows, items]
        if choice.ruled:
            _tell_short(choice, group, torch.bincount(rows, minlength=len(scores)).tolist(), scores.shape[1])
        return found
    before = scores.clone() if rules.pinned else scores
    choice.mask(scores, group)
    alike = likeness_of(fitted) if rules.diversity else None
    every = [
        listed_of(row.cpu().numpy(), choice, rules, int(place), alike)
        for row, place in zip(scores, group.places, strict=True)
    ]
    _tell_short(choice, group, [len(one) for one in every], scores.shape[1])
    rows = torch.from_numpy(np.repeat(np.arange(len(every)), [len(one) for one in every])).to(scores.device)
    items = torch.from_numpy(np.concatenate([*every, np.empty(0, np.int64)])).to(scores.device)
    return rows, items, before[rows, items]


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
        best = _best(scores, count)
        if len(best) < count:
            break
        more, all_new = _new_ones(scores, rules, best, 4 * how.room)
        items = np.concatenate([best, more])
        found = select(items, scores[items], len(best), pinned, how, all_new=all_new)
        if found is not None:
            return np.array(found, dtype=np.int64)
    every = _best(scores, len(scores))
    return np.array(select(every, scores[every], None, pinned, how), dtype=np.int64)


def boost_part(choice: Choice, people: int) -> Iterator[tuple[str, Tensor]]:
    """What boosts add to the scores, as a part of these; nothing where nothing is boosted.

    Args:
        choice: what may be recommended.
        people: b, the number of users.

    Yields:
        Name of the part and float32 `[b, items]`.
    """
    if choice.rules is not None and choice.rules.boost is not None:
        yield RULE, torch.from_numpy(choice.rules.boost).expand(people, -1)


def boosts_of(choice: Choice, items: Codes) -> list[Attribution]:
    """Which boosts stand behind that part of some answers.

    Args:
        choice: what may be recommended.
        items: int64 `[n]`, item codes.
    """
    boosts = () if choice.rules is None else choice.rules.boosts
    found = []
    for item in items.tolist():
        mine = [each for each in boosts if each.items[item]]
        told = [f"{'Raised' if each.amount > 0 else 'Lowered'} by a rule: {each.text}" for each in mine]
        value = "; ".join(f"{each.text} ({each.amount:+g})" for each in mine)
        found.append(Attribution(value=value or None, reason="; ".join(told) or None))
    return found


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


def _tell_short(choice: Choice, group: Group, found: list[int], n_items: int) -> None:
    if choice.short is None:
        return
    for row, count in enumerate(found):
        if count < choice.k:
            history = None if group.contexts is None else group.contexts.seen_items(row)
            tell_short(choice, int(group.places[row]), count, history, n_items)


def _best(scores: Values, count: int) -> Codes:
    """Codes of the best items, best first, equal scores in the order of the catalogue."""
    _, items = best_items(torch.from_numpy(scores)[None], count)
    best: Codes = items.numpy()
    return best


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
    return codes[_best(scores[codes], count)], False
