"""Interactions to be predicted, each from what the same user did before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Interactions to be predicted, each from its context.

    Args:
        users: int64 `[n]`, user codes; a user may appear more than once under a time split.
        contexts: `[n]` rows, what the user did before, aligned with `users`.
        items: int32 `[n]`, the item to be predicted.
        times: int64 `[n]`, when that happened, to group figures by; no model is given it. None where the data have no
            times.
    """

    users: NDArray[np.int64]
    contexts: Sequences
    items: NDArray[np.int32]
    times: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        return f"Targets({len(self):,})"

    @property
    def same_time(self) -> NDArray[np.bool_] | None:
        """Whether each target has the time of the last interaction of its context, `[n]`; None without times.

        Which of the two came first is then not known but from the order of the data.
        """
        if self.times is None or self.contexts.times is None:
            return None
        same = np.zeros(len(self), dtype=bool)
        known = self.contexts.lengths > 0
        same[known] = self.contexts.times[self.contexts.offsets[1:][known] - 1] == self.times[known]
        return same

    @property
    def repeats(self) -> NDArray[np.bool_]:
        """Whether each target's item is in its context already, `[n]`, as one that is not recommended again."""
        rows, seen = self.contexts.row_of_position(), self.contexts.seen
        repeated = np.zeros(len(self), dtype=bool)
        there = self.contexts.items == self.items[rows]
        repeated[rows[there if seen is None else there & seen]] = True
        return repeated

    @property
    def last(self) -> NDArray[np.bool_]:
        """Whether each target is the last of its user, `[n]`: by time, length of the context and row."""
        keys = [self.contexts.lengths, *([] if self.times is None else [self.times]), self.users]
        # lexsort is stable, so that of equal targets the last row comes last.
        order = np.lexsort(keys)
        last = np.zeros(len(self), dtype=bool)
        last[order[np.append(np.diff(self.users[order]) != 0, True)[: len(order)]]] = True
        return last

    def rows(self, rows: NDArray[np.int64]) -> Targets:
        """The given targets, in their order."""
        times = None if self.times is None else self.times[rows]
        return Targets(self.users[rows], self.contexts.rows(rows), self.items[rows], times)


def targets_at(sequences: Sequences, users: NDArray[np.int64], positions: NDArray[np.int64]) -> Targets:
    """Interactions to be predicted from everything that the same user did before them.

    Args:
        sequences: one row for each user.
        users: int64 `[n]`, the rows.
        positions: int64 `[n]`, one position of each of these rows.
    """
    return Targets(
        users,
        sequences.slices(sequences.offsets[users], positions),
        sequences.items[positions],
        None if sequences.times is None else sequences.times[positions],
    )


def sample_targets(targets: Targets, count: int, seed: int) -> Targets:
    """At most `count` of the targets, the same for the same seed, in their order.

    Args:
        targets: all of them.
        count: how many at most.
        seed: of the choice.
    """
    if len(targets) <= count:
        return targets
    rows = np.sort(np.random.default_rng(seed).permutation(len(targets))[:count])
    return targets.rows(rows)
