"""Splits into training, validation and test interactions (docs/paper.md, part 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import TIMESTAMP
from attrformer.csr import offsets_of
from attrformer.data.cuts import last_events, seconds_of, windows_between
from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.targets import Targets as Targets
from attrformer.data.targets import targets_at as targets_at
from attrformer.earlier_names import takes_earlier
from attrformer.errors import ConfigurationError, DataError

_NAMED: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Training sequences and the targets of validation and test.

    Args:
        name: what the protocol line calls it ("leave-one-out", "time", "held-out-items").
        train: one row for each user of the dataset (possibly empty), training interactions only.
        validation: targets on which settings are chosen.
        test: targets that are reported, their contexts include validation interactions.
        dropped: sentences that say what was left out, for the user to read.
        held_out: int64, codes of the items that were kept out of training on purpose; None where none were.
    """

    name: str
    train: Sequences
    validation: Targets
    test: Targets
    dropped: tuple[str, ...] = ()
    held_out: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        """What a notebook shows: sizes, and what was left out."""
        sizes = f"{len(self.train.items):,} interactions of {len(self.train):,} users to train on"
        targets = f"{len(self.validation):,} validation targets, {len(self.test):,} test targets"
        return "\n  ".join([f"Split {self.name}: {sizes}, {targets}", *self.dropped])


def leave_one_out(dataset: Dataset, minimum: int = 3) -> Split:
    """Each user's last interaction is the test target, the one before it the validation target, the rest is training.

    The context of the test target includes the validation item. Users with fewer interactions than `minimum` have no
    target; all they did is training.

    Where the data say which events are predicted (`data.targets`), the targets are the last two of these, and what came
    after the last one is left out. A user with fewer than two of them, or with nothing before the first of the two, has
    no target.

    Args:
        dataset: the data, sequences oldest first.
        minimum: least interactions of a user with targets, at least 3.

    Raises:
        DataError: no user has enough interactions.
        ConfigurationError: `minimum` is below 3.
    """
    if minimum < 3:
        raise ConfigurationError(f"minimum={minimum} leaves contexts without an interaction. Use 3 or more.")
    if dataset.sequences.targets is not None:
        return _last_events(dataset, dataset.sequences.targets)
    sequences = dataset.sequences
    starts, stops = sequences.offsets[:-1], sequences.offsets[1:]
    enough = sequences.lengths >= minimum
    users = np.flatnonzero(enough)
    if not len(users):
        raise DataError(
            f"no user has {minimum} interactions, the most is {int(sequences.lengths.max(initial=0))}",
            fix="Give longer histories or use a time split",
            source=dataset.name,
        )
    last = stops[users] - 1
    return Split(
        name="leave-one-out",
        train=sequences.slices(starts, stops - 2 * enough),
        validation=targets_at(sequences, users, last - 1),
        test=targets_at(sequences, users, last),
        dropped=told_users(
            dataset, np.flatnonzero(~enough), f"have fewer than {minimum} interactions and are only trained on"
        ),
    )


def _last_events(dataset: Dataset, chosen: NDArray[np.bool_]) -> Split:
    """Leave-one-out by the last two events that are predicted.

    Args:
        dataset: the data.
        chosen: bool `[m]`, these events.
    """
    sequences = dataset.sequences
    users, until, first, last = last_events(sequences, chosen)
    if not len(users):
        raise DataError(
            f"no user has two of the events to be predicted ({sequences.meaning.text}) and an interaction before them",
            fix="Give longer histories, use a time split, or predict other events",
            source=dataset.name,
        )
    left = int((sequences.offsets[1:][users] - 1 - last).sum())
    return Split(
        name="leave-one-out",
        train=sequences.slices(sequences.offsets[:-1], until),
        validation=targets_at(sequences, users, first),
        test=targets_at(sequences, users, last),
        dropped=(
            *told_users(
                dataset,
                np.setdiff1d(np.arange(len(sequences)), users),
                "have fewer than two of the events to be predicted after an interaction and are only trained on",
            ),
            *((f"{left:,} interactions after the last event to be predicted are left out",) if left else ()),
        ),
    )


@takes_earlier({"validation": "validation_from", "test": "test_from"})
def time_split(
    dataset: Dataset,
    *,
    validation_from: float | int | datetime,
    test_from: float | int | datetime,
    per_user: Literal["all", "first"] = "all",
) -> Split:
    """Training before one point in time, validation from it to a second one, test from there on.

    The context of a target is everything that the user did before it, also inside the window. A user's very first
    interaction has no context and is no target. Where the data say which events are predicted (`data.targets`), only
    these are targets.

    Args:
        dataset: the data, with times.
        validation_from: where validation starts: a share of all interactions (a float between 0 and 1), seconds since
            1970 (an integer), or a datetime (UTC where it has no zone).
        test_from: where test starts: a share, seconds or a datetime as well.
        per_user: "all" interactions of a window are targets (memory grows with their number times the history
            length), or each user's "first" one.

    Raises:
        DataError: the data have no times, or a part would be empty.
        ConfigurationError: the times are not in order, or an option has an unknown value.
    """
    if per_user not in ("all", "first"):
        raise ConfigurationError(f"per_user='{per_user}' is not known. Use one of: all, first.")
    sequences = dataset.sequences
    window = _windows(dataset, validation_from, test_from)
    trained = window == 0
    chosen = np.True_ if sequences.targets is None else sequences.targets
    parts = {
        part: _window_targets(dataset, (window == index) & chosen, per_user, part)
        for index, part in ((1, "validation"), (2, "test"))
    }
    idle = np.ones(dataset.user_count, dtype=bool)
    for targets in parts.values():
        idle[targets.users] = False
    lengths = np.bincount(sequences.row_of_position()[trained], minlength=dataset.user_count)
    return Split(
        name="time",
        train=sequences.select(np.flatnonzero(trained), offsets_of(lengths)),
        validation=parts["validation"],
        test=parts["test"],
        dropped=(
            *told_users(dataset, np.flatnonzero(idle), "have no target in either window"),
            *_without_context(dataset, window),
            *_cold_targets(dataset, trained, parts),
        ),
    )


def _windows(dataset: Dataset, validation: float | int | datetime, test: float | int | datetime) -> NDArray[np.int8]:
    """0 for training, 1 for validation, 2 for test, of each interaction."""
    times = dataset.sequences.times
    if times is None:
        raise DataError(
            "a time split needs times and the data have none",
            fix=f"Give a column '{TIMESTAMP}' or use leave_one_out",
            source=dataset.name,
            column=TIMESTAMP,
        )
    begin, middle = seconds_of(validation, times), seconds_of(test, times)
    if begin >= middle:
        raise ConfigurationError(f"validation starts at {begin}, test at {middle}. Let validation start before test.")
    window = windows_between(times, begin, middle)
    for part, index in (("training", 0), ("validation", 1), ("test", 2)):
        if not (window == index).any():
            raise DataError(f"no interaction is left for {part}", fix="Choose other times", source=dataset.name)
    return window


def _window_targets(dataset: Dataset, inside: NDArray[np.bool_], per_user: str, part: str) -> Targets:
    sequences = dataset.sequences
    rows = sequences.row_of_position()
    positions = np.flatnonzero(inside)
    if per_user == "first":
        positions = positions[np.unique(rows[positions], return_index=True)[1]]
    positions = positions[positions > sequences.offsets[rows[positions]]]
    if not len(positions):
        raise DataError(
            f"nobody with an interaction in the {part} window did anything before it",
            fix="Choose a longer window",
            source=dataset.name,
        )
    return targets_at(sequences, rows[positions], positions)


def told_users(dataset: Dataset, users: NDArray[np.int64], why: str) -> tuple[str, ...]:
    """A sentence about some users for `Split.dropped`, the first of them by name; none where there are none.

    Args:
        dataset: their data.
        users: their codes.
        why: what to say of them, the end of a sentence.
    """
    count = len(users)
    if not count:
        return ()
    names = ", ".join(f"'{name}'" for name in dataset.user_ids.decode(users[:_NAMED]))
    return (f"{count:,} of {dataset.user_count:,} users {why}: {names}{', and others' if count > _NAMED else ''}",)


def _without_context(dataset: Dataset, window: NDArray[np.int8]) -> tuple[str, ...]:
    firsts = dataset.sequences.offsets[:-1][dataset.sequences.lengths > 0]
    count = int((window[firsts] > 0).sum())
    return (
        (f"{count:,} first interactions of users lie in a window and have no context to predict from",) if count else ()
    )


def _cold_targets(dataset: Dataset, trained: NDArray[np.bool_], parts: dict[str, Targets]) -> tuple[str, ...]:
    known = np.zeros(dataset.item_count, dtype=bool)
    known[dataset.sequences.items[trained]] = True
    counts = {part: int((~known[targets.items]).sum()) for part, targets in parts.items()}
    return tuple(
        f"{count:,} of {len(parts[part]):,} {part} targets are items without a training interaction; they are kept"
        for part, count in counts.items()
        if count
    )
