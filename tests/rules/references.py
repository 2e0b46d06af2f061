"""A list under rules by its definition, slow and plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Likeness = Callable[[int, Any], Any]


def ranked(scores: list[float]) -> tuple[Any, Any]:
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    return np.array(order, dtype=np.int64), np.array([scores[item] for item in order])


def allowed(item: int, listed: list[int], limits: list[tuple[dict[int, list[int]], int]]) -> bool:
    """Whether an item may join a list, counted anew each time."""
    for values, most in limits:
        for value in values[item]:
            if sum(value in values[other] for other in listed) >= most:
                return False
    return True


def reference(
    scores: list[float],
    k: int,
    limits: list[tuple[dict[int, list[int]], int]],
    diversity: float,
    new: set[int],
    share: float,
    pinned: dict[int, int],
    likeness: Likeness,
) -> list[int]:
    """Everything by its definition, one item after the other; scores of -inf are never chosen."""
    items, _ = ranked(scores)
    rest = [item for item in items.tolist() if item not in pinned.values() and scores[item] > -np.inf]
    pins = [pinned[position] for position in sorted(pinned)]
    wanted, chosen = k - len(pins), list[int]()
    if diversity > 0:
        pool = rest[: max(100, 5 * k)]
        low, high = min((scores[i] for i in pool), default=0.0), max((scores[i] for i in pool), default=0.0)
        while len(chosen) < wanted:
            open_items = [i for i in pool if i not in chosen and allowed(i, pins + chosen, limits)]
            if not open_items:
                break

            def worth(item: int) -> float:
                relevance = (scores[item] - low) / (high - low) if high > low else 1.0
                alike = max((float(likeness(other, np.array([item]))[0]) for other in pins + chosen), default=0.0)
                return (1 - diversity) * relevance - diversity * alike

            chosen.append(max(open_items, key=worth))
    for item in rest:
        if len(chosen) < wanted and item not in chosen and allowed(item, pins + chosen, limits):
            chosen.append(item)
    room = min(k, int(np.ceil(share * k - 1e-9)))
    while sum(item in new for item in pins + chosen) < room:
        old = [item for item in chosen if item not in new]
        if not old:
            break
        others = [item for item in chosen if item != old[-1]]
        more = [i for i in rest if i in new and i not in chosen and allowed(i, pins + others, limits)]
        if not more:
            break
        chosen = [*others, more[0]]
    found, rest = list[int](), list(chosen)
    for position in range(1, k + 1):
        if position in pinned:
            found.append(pinned[position])
        elif rest:
            found.append(rest.pop(0))
        else:
            break
    return found + [pinned[position] for position in sorted(pinned) if pinned[position] not in found]
