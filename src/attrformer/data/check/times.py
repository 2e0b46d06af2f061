"""Findings about times: their range and unit, what stands for unknown ones, and the order within one time."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import TIMESTAMP
from attrformer.data.check.findings import Finding, Number, Severity
from attrformer.data.check.subject import DAY, SplitView, Subject, day, share
from attrformer.data.check.text import percent
from attrformer.data.id_map import order_of
from attrformer.data.time_units import in_usual_unit

COLUMN: Final = f"interactions.{TIMESTAMP}"
EARLIEST: Final = 631_152_000
"""1990-01-01, before which hardly any log of interactions began."""

TIED: Final = 0.05
"""Share of test targets at the time of the interaction before them from which that is a warning."""

CARRIED: Final = 0.9
"""Share of users whose last times repeat from which they look carried forward."""

LISTED: Final = 0.6
"""Share of steps in the order of ids from which that order is a warning."""

DEFAULT: Final = 0.05
"""Share of the interactions at a single time, or of the users with all of theirs at it, from which it looks made up."""

_UNREAD_TIME: Final = re.compile(
    r"column '(?P<column>timestamp[^']*|([^']*[_ ])?(at|date|datetime|time|ts))' is not used", re.IGNORECASE
)
_FORWARD: Final = "Use --set data.same_time=shuffled, and report figures of both orders"


def no_times(subject: Subject) -> Iterator[Finding]:
    """There are no times, or all are the same."""
    if subject.times is None:
        other = _other_column_of_times(subject)
        held = f" in a column '{TIMESTAMP}', though '{other}' seems to hold some" if other else ""
        yield Finding(
            "no-times",
            Severity.WARNING if other else Severity.NOTE,
            f"the interactions have no times{held}: the order of the rows stands for them",
            (f"Use --columns {shlex.quote(f'{TIMESTAMP}={other}')}" if other else f"Give a column '{TIMESTAMP}'")
            + ", or make sure that each user's rows stand in the order of what happened",
            detail="A time split is not possible, and nothing here can tell whether rows are in order.",
            columns=(f"interactions.{other}",) if other else (),
        )
    elif len(subject.times) > 1 and int(subject.times.min()) == int(subject.times.max()):
        yield Finding(
            "constant-times",
            Severity.WARNING,
            "all interactions have the same time",
            f"Correct the column '{TIMESTAMP}', or leave it out if it says nothing",
            detail="File order determines which item is the target, and a time split is not possible.",
            evidence={"time": int(subject.times[0]), "date": day(int(subject.times[0]))},
            columns=(COLUMN,),
        )


def _other_column_of_times(subject: Subject) -> str | None:
    """A column of interactions that by its numbers, or by its name where it is not read, holds times."""
    for name, values in subject.dataset.sequences.behaviours.items():
        known = values[np.isfinite(values)]
        ends = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        if name not in subject.dataset.sequences.meaning.values and in_usual_unit(*ends) is not None:
            return name
    unread = (_UNREAD_TIME.search(note) for note in subject.dataset.notes)
    return next((found["column"] for found in unread if found is not None), None)


def resolution(subject: Subject) -> Iterator[Finding]:
    """Times without a time of day."""
    times = subject.times
    if times is None or len(times) < 2 or int(times.min()) == int(times.max()):
        return
    if not (times % DAY).any():
        yield Finding(
            "day-resolution",
            Severity.NOTE,
            "times have no time of day",
            "Give the time of day where it is known",
            detail="The order of what a user did on one day is that of the file; other findings say how much that is.",
            evidence={"days": len(np.unique(times // DAY)), "first": day(times.min()), "last": day(times.max())},
            columns=(COLUMN,),
        )


def implausible(subject: Subject) -> Iterator[Finding]:
    """Times before 1990 or in the future."""
    times = subject.times
    if times is None or not len(times):
        return
    early, late = times < EARLIEST, times > subject.now + DAY
    odd = early | late
    if not odd.any():
        return
    count, whole = int(odd.sum()), len(times)
    rows = np.flatnonzero(odd)[:3]
    yield Finding(
        "implausible-times",
        Severity.ERROR if count == whole else Severity.WARNING,
        f"{count:,} of {whole:,} times lie before 1990 or in the future",
        "Check the unit of the column (seconds, ms, us, ns since 1970, or a date), and mend or drop these rows",
        detail="A wrong time moves an interaction to one end of its user's history, often to where it is a test "
        "target, and to one side of a time split.",
        evidence={
            "before_1990": int(early.sum()),
            "in_the_future": int(late.sum()),
            "first": day(times.min()),
            "median": day(float(np.median(times))),
            "last": day(times.max()),
        },
        columns=(COLUMN,),
        examples=tuple(
            f"user {user}, item {item}, time {time} ({day(time)})"
            for user, item, time in zip(
                subject.named_users(subject.users[rows]),
                subject.named_items(subject.items[rows]),
                times[rows].tolist(),
                strict=True,
            )
        ),
    )


def default_time(subject: Subject) -> Iterator[Finding]:
    """One time that stands for an unknown one: far more interactions of many users than any other time has."""
    times = subject.times
    if times is None or len(times) < 100:
        return
    # What many have is frequent in a sample as well.
    sample = times[subject.sampled(np.arange(len(times)))]
    values, counts = np.unique(sample, return_counts=True)
    if len(values) < 10:
        return
    frequent = values[np.argsort(-counts, kind="stable")[:2]].tolist()
    value, most, second = frequent[0], *(int((times == one).sum()) for one in frequent)
    if most < DEFAULT * len(times) or most < 5 * second:
        return
    users = len(np.unique(subject.users[times == value]))
    yield Finding(
        "default-time",
        Severity.WARNING,
        f"{percent(most / len(times))} of the interactions have one and the same time, {day(value)}",
        "Drop these rows or mend their times: it looks like a value that stands for an unknown time",
        detail="They come first or last in every history, whenever they happened.",
        evidence={
            "time": value,
            "interactions": most,
            "users": users,
            "interactions_at_the_next_most_frequent_time": second,
        },
        columns=(COLUMN,),
    )


def carried_forward(subject: Subject) -> Iterator[Finding]:
    """The last times of almost every user repeat the one before, and other times do not."""
    if subject.times is None:
        return
    lengths = np.diff(subject.offsets)
    users = np.flatnonzero(lengths >= 4)
    if len(users) < 20:
        return
    stops = subject.offsets[1:][users]
    rates = [float(subject.tied[stops - back].mean()) for back in (1, 2, 3)]
    inner = ~subject.first
    for back in (1, 2, 3):
        inner[stops - back] = False
    elsewhere = float(subject.tied[inner].mean()) if inner.any() else rates[2]
    repeated = next((back for back in (0, 1, 2) if rates[back] < CARRIED), 3)
    if not repeated or elsewhere > 0.8 * rates[0]:
        return
    what = "last interaction repeats" if repeated == 1 else f"last {repeated} interactions repeat"
    yield Finding(
        "carried-forward-times",
        Severity.WARNING,
        f"the {what} the time before for {percent(rates[0])} of the users",
        "Do not use data.split=time, and read figures that use times with care; give the true times where they exist",
        detail="Unknown times look filled with the last known one. Leave-one-out asks for exactly these interactions, "
        "so whatever reads the time of a target's context (the relation `time_bucket`, recency) learns the filling.",
        evidence={
            "users": len(users),
            "share_last": round(rates[0], 4),
            "share_last_but_one": round(rates[1], 4),
            "share_last_but_two": round(rates[2], 4),
            "share_elsewhere": round(elsewhere, 4),
        },
        columns=(COLUMN,),
        examples=tuple(
            f"user {name}: {', '.join(map(day, subject.times[stop - 4 : stop].tolist()))}"
            for name, stop in zip(subject.named_users(users[:2]), stops[:2].tolist(), strict=True)
        ),
    )


def same_time_targets(subject: Subject) -> Iterator[Finding]:
    """Targets that have the time of the interaction before them."""
    if subject.times is None or not subject.tied.any():
        return
    inner = len(subject.items) - int(subject.first.sum())
    evidence: dict[str, Number] = {"share_of_all": share(int(subject.tied.sum()), inner)}
    shares: dict[str, float] = {}
    for split in subject.splits:
        for part, positions in (("validation", split.validation), ("test", split.test)):
            tied = int(subject.tied[positions].sum())
            evidence[f"{split.name} {part} targets"] = len(positions)
            evidence[f"{split.name} {part} targets at the time before"] = tied
            shares[split.name] = tied / len(positions)
    if not any(shares.values()):
        return
    split = next(view for view in subject.splits if shares[view.name])
    worst = max(shares.values())
    arbitrary = subject.shuffled
    yield Finding(
        "same-time-targets",
        Severity.WARNING if worst >= TIED and not arbitrary else Severity.NOTE,
        f"{percent(shares[split.name])} of the {split.name} test targets have the time of the interaction before them",
        "Nothing needs to be done, the order was made arbitrary" if arbitrary else _FORWARD,
        detail="Which of the two came first is not in the data"
        f": {'an arbitrary order' if arbitrary else 'file order'} determines which item is the target.",
        evidence=evidence,
        columns=(COLUMN,),
        examples=_ties(subject, split),
    )


def same_time_order(subject: Subject) -> Iterator[Finding]:
    """Interactions of one time that stand in the order of item ids."""
    if subject.times is None or subject.shuffled:
        return
    pairs = np.flatnonzero(subject.tied)
    places = order_of(subject.dataset.item_ids.values)
    steps = places[subject.items[pairs]] - places[subject.items[pairs - 1]]
    steps = steps[steps != 0]
    count = len(steps)
    if count < 50:
        return
    up = float((steps > 0).mean())
    deviations = abs(up - 0.5) * 2 * np.sqrt(count)
    if abs(up - 0.5) < 0.05 or deviations < 5:
        return
    way = "ascending" if up > 0.5 else "descending"
    listed = max(up, 1 - up)
    yield Finding(
        "same-time-id-order",
        Severity.WARNING if listed >= LISTED else Severity.NOTE,
        f"within one time, items stand in {way} order of their ids in {percent(listed)} of the steps",
        _FORWARD,
        detail="By chance it would be half. A model can learn that the next id is a "
        f"{'greater' if up > 0.5 else 'smaller'} one and be right without knowing anything of people.",
        evidence={
            "steps": count,
            "share_ascending": round(up, 4),
            "by_chance": 0.5,
            "deviations": round(deviations, 1),
        },
        columns=(COLUMN, "interactions.item_id"),
    )


def _ties(subject: Subject, split: SplitView) -> tuple[str, ...]:
    positions = split.test[subject.tied[split.test]][:2]
    return tuple(_pair(subject, positions))


def _pair(subject: Subject, positions: NDArray[np.int64]) -> Iterator[str]:
    times = subject.times
    if times is None:
        return
    users = subject.named_users(subject.users[positions])
    before, after = subject.named_items(subject.items[positions - 1]), subject.named_items(subject.items[positions])
    for user, one, two, when in zip(users, before, after, times[positions].tolist(), strict=True):
        yield f"user {user}: {one} and {two}, both at {when} ({day(when)})"
