"""The lists that a choice makes of scores, with the rules of a shop where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.recommender.choice import Choice
from attrformer.recommender.likeness import likeness_of
from attrformer.recommender.lists import listed_of, tell_short
from attrformer.recommender.masking import best_items, mask
from attrformer.recommender.requests import Group
from attrformer.recommender.state import ModelState
from attrformer.relations.explaining import Attribution

Codes = NDArray[np.int64]

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
        mask(scores, choice, group)
        rows, items = best_items(scores, choice.k)
        found = rows, items, scores[rows, items]
        if choice.ruled:
            _tell_short(choice, group, torch.bincount(rows, minlength=len(scores)).tolist(), scores.shape[1])
        return found
    before = scores.clone() if rules.pinned else scores
    mask(scores, choice, group)
    alike = likeness_of(fitted) if rules.diversity else None
    every = [
        listed_of(row.cpu().numpy(), choice, rules, int(place), alike)
        for row, place in zip(scores, group.places, strict=True)
    ]
    _tell_short(choice, group, [len(one) for one in every], scores.shape[1])
    rows = torch.from_numpy(np.repeat(np.arange(len(every)), [len(one) for one in every])).to(scores.device)
    items = torch.from_numpy(np.concatenate([*every, np.empty(0, np.int64)])).to(scores.device)
    return rows, items, before[rows, items]


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


def _tell_short(choice: Choice, group: Group, found: list[int], n_items: int) -> None:
    if choice.short is None:
        return
    for row, count in enumerate(found):
        if count < choice.k:
            history = None if group.contexts is None else group.contexts.seen_items(row)
            tell_short(choice, int(group.places[row]), count, history, n_items)
