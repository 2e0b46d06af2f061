"""Splits into training, validation and test interactions (SPEC part 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Interactions to be predicted, each from its context.

    Args:
        users: int64 `[n]`, user codes; a user may appear more than once under a time split.
        contexts: `[n]` rows, what the user did before, aligned with `users`.
        items: int32 `[n]`, the item to be predicted.
    """

    users: NDArray[np.int64]
    contexts: Sequences
    items: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Training sequences and the targets of validation and test.

    Args:
        name: what the protocol line calls it ("leave-one-out", "time").
        train: one row for each user of the dataset (possibly empty), training interactions only.
        validation: targets on which settings are chosen.
        test: targets that are reported, their contexts include validation interactions.
        dropped: sentences that say what was left out, for the user to read.
    """

    name: str
    train: Sequences
    validation: Targets
    test: Targets
    dropped: tuple[str, ...] = ()
