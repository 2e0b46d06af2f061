"""What is asked of a relation for an explanation, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attrformer.relations.config import RelationsConfig

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attribution:
    """What stands behind one answer in one component of its score.

    Args:
        history: item code of the item of the history that counts most, -1 for none.
        value: the attribute value in common, or the pair of values, or the user's own value; None where none plays a
            part.
        count: other users who did the same; None where none are counted.
        reason: a sentence; None where the component says nothing.
    """

    history: int = -1
    value: str | None = None
    count: int | None = None
    reason: str | None = None


class UserCounts(Protocol):
    """Counts of users in the stored histories."""

    def holders(self, items: Codes, users: Codes, values: tuple[Codes, Codes] | None = None) -> Codes:
        """How many other users have each item in their history."""

    def pairs(self, first: Codes, second: Codes, users: Codes, window: int) -> tuple[Codes, Codes]:
        """How many other users had one item after the other, and before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Some answers that a relation is to explain.

    Args:
        items: int64 `[n]`, item codes of the answers.
        strongest: int64 `[n]`, item code of the item of the history that counts most in this relation, -1 for none.
        users: int64 `[n]`, user codes of the model, -1 for people it does not know.
        values: int64 `[n]` codes by user attribute.
        contributions: float32 `[n]`, what the relation adds to each score.
        title: text of an item, by its code.
        counts: of users in the stored histories.
        options: of all relations.
    """

    items: Codes
    strongest: Codes
    users: Codes
    values: Mapping[str, Codes]
    contributions: NDArray[np.float32]
    title: Callable[[int], str]
    counts: Callable[[], UserCounts]
    options: RelationsConfig
