"""Findings about interactions: duplicates, repeats, short and long histories, few targets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.check.findings import Finding, Number, Severity
from attrformer.data.check.subject import LEAST, Subject, day, share
from attrformer.data.check.text import percent

NEAR: Final = 60
"""Seconds within which the same item again looks like the same interaction, written twice."""

DUPLICATED: Final = 0.01
"""Share of the interactions that are duplicates from which they are a warning."""

REPEATED: Final = 0.01
"""Share of test targets that repeat an item from which they are a warning."""

FEW: Final = 5
"""Interactions below which a user or an item is called rare, as the 5-core filter does."""

DOMINANT: Final = 0.1
"""Share of all interactions of one user that is a warning."""

FEW_TARGETS: Final = 1000


def duplicates(subject: Subject) -> Iterator[Finding]:
    """Interactions that are there more than once: the same user, item and time, or within a minute."""
    times, repeats = subject.times, subject.repeats
    if times is None or not len(repeats.positions):
        return
    gaps = times[repeats.positions] - times[repeats.before]
    whole, same = len(subject.items), _of_one_kind(subject)
    for id, chosen, what in (
        ("duplicate-interactions", same & (gaps == 0), "the same user, item and time"),
        (
            "near-duplicate-interactions",
            same & (gaps > 0) & (gaps <= NEAR),
            f"the same user and item within {NEAR} s",
        ),
    ):
        count = int(chosen.sum())
        if not count:
            continue
        positions = np.sort(repeats.positions[chosen])
        split = subject.leave_one_out
        asked = 0 if split is None else int(np.isin(split.test, positions).sum())
        targets = 0 if split is None else len(split.test)
        twice = ": the whole log seems to be there twice" if 0.49 < count / whole < 0.51 else ""
        yield Finding(
            id,
            Severity.WARNING if count >= DUPLICATED * whole or asked >= DUPLICATED * max(targets, 1) else Severity.NOTE,
            f"{count:,} of {whole:,} interactions are there again ({what}){twice}",
            "Leave them out with --duplicates drop, or count them with --duplicates count",
            detail="A duplicate counts twice in every relation; as a target, it has its answer in its context.",
            evidence={"duplicates": count, "share": share(count, whole), "leave-one-out test targets": asked},
            examples=_shown(subject, positions[:3]),
        )


def _of_one_kind(subject: Subject) -> NDArray[np.bool_]:
    """Whether each repeat has the categories of the interaction before it: a purchase after a view is no duplicate."""
    sequences, repeats = subject.dataset.sequences, subject.repeats
    same = np.ones(len(repeats.positions), dtype=bool)
    for name in sequences.meaning.values:
        values = sequences.behaviours[name]
        now, before = values[repeats.positions], values[repeats.before]
        same &= (now == before) | (np.isnan(now) & np.isnan(before))
    return same


def repeats(subject: Subject) -> Iterator[Finding]:
    """Interactions with an item that the user had before."""
    count = int(subject.repeated.sum())
    if not count:
        return
    evidence: dict[str, Number] = {"repeats": count, "share_of_all": share(count, len(subject.items))}
    worst = 0.0
    for split in subject.splits:
        asked = int(subject.repeated[split.test].sum())
        evidence[f"{split.name} test targets"] = len(split.test)
        evidence[f"{split.name} repeated test targets"] = asked
        evidence[f"{split.name} share"] = share(asked, len(split.test))
        worst = max(worst, asked / len(split.test))
    yield Finding(
        "repeats",
        Severity.WARNING if worst >= REPEATED else Severity.NOTE,
        f"{percent(count / len(subject.items))} of the interactions repeat an item of the user's history"
        + (f", up to {percent(worst)} of the test targets" if worst else ""),
        "Read the figures of seen=ranked where repeats count, and those of seen=hidden where only new items do",
        detail="With seen items hidden a repeated target cannot be answered, so Recall cannot exceed the share of the "
        "others.",
        evidence=evidence,
        examples=_shown(subject, np.flatnonzero(subject.repeated)[:2]),
    )


def short_histories(subject: Subject) -> Iterator[Finding]:
    """Users who are not measured, and rare users and items."""
    lengths = np.diff(subject.offsets)
    users = len(lengths)
    unmeasured, few = int((lengths < LEAST).sum()), int((lengths < FEW).sum())
    counts = np.bincount(subject.items, minlength=subject.dataset.item_count)
    rare = int(((counts > 0) & (counts < FEW)).sum())
    if not few and not rare:
        return
    yield Finding(
        "short-histories",
        Severity.WARNING if unmeasured > users / 2 else Severity.NOTE,
        f"{few:,} of {users:,} users and {rare:,} of {int((counts > 0).sum()):,} items have under {FEW} interactions",
        "Say so beside the figures, or use --set data.core=5 to compare with papers that use the 5-core",
        detail=f"{percent(unmeasured / users)} of the users have fewer than {LEAST} interactions: leave-one-out trains "
        "on them and measures nothing of them.",
        evidence={
            f"users_under_{LEAST}": unmeasured,
            f"users_under_{FEW}": few,
            f"items_under_{FEW}": rare,
            "items_without_interaction": int((counts == 0).sum()),
        },
    )


def dominant_user(subject: Subject) -> Iterator[Finding]:
    """One user, or very few, with much of the log."""
    lengths = np.diff(subject.offsets)
    whole = int(lengths.sum())
    top = int(lengths.argmax())
    if len(lengths) < 10 or lengths[top] < DOMINANT * whole or lengths[top] < 10 * max(float(np.median(lengths)), 1.0):
        return
    name = subject.named_users(np.array([top]))[0]
    yield Finding(
        "dominant-user",
        Severity.WARNING,
        f"one user has {percent(lengths[top] / whole)} of all interactions",
        "Drop this user if it is a robot, a shop's own account or the id of all guests",
        detail="Co-occurrence and popularity are then much of what this user did, and only one target is.",
        evidence={"interactions": int(lengths[top]), "all": whole, "median_user": float(np.median(lengths))},
        examples=(f"user {name}",),
    )


def predicted(subject: Subject) -> Iterator[Finding]:
    """Which interactions are predicted, where not all are."""
    sequences = subject.dataset.sequences
    if sequences.targets is None:
        return
    count, whole = int(sequences.targets.sum()), len(subject.items)
    users = len(np.unique(subject.users[sequences.targets]))
    yield Finding(
        "predicted",
        Severity.NOTE,
        f"{count:,} of {whole:,} interactions are predicted ({sequences.meaning.text}), those of {users:,} of "
        f"{len(subject.offsets) - 1:,} users",
        "Give training the same conditions (data.targets, data.negative)",
        detail="Targets, repeats and seen items below are those of these conditions; all interactions stay history.",
        evidence={"predicted": count, "share": share(count, whole), "users": users},
    )


def few_targets(subject: Subject) -> Iterator[Finding]:
    """So few test targets that intervals are wide."""
    split = subject.leave_one_out
    if split is None:
        longest = int(np.diff(subject.offsets).max(initial=0))
        targets = subject.dataset.sequences.targets
        if targets is not None:
            most = int(np.bincount(subject.users[targets], minlength=1).max())
            yield Finding(
                "no-targets",
                Severity.ERROR,
                f"no user has two interactions to be predicted after an earlier one (the most is {most}), so "
                "leave-one-out has nothing to ask for",
                "Predict more of the interactions (--targets), or use --set data.split=time",
                evidence={"longest_history": longest, "most_predicted": most},
            )
            return
        yield Finding(
            "no-targets",
            Severity.ERROR,
            f"no user has {LEAST} interactions (the most is {longest}), so leave-one-out has nothing to ask for",
            "Give longer histories, check whether user ids are ids of sessions or orders, or use --set data.split=time",
            evidence={"longest_history": longest},
        )
    elif len(split.test) < FEW_TARGETS:
        half = 1.96 * math.sqrt(0.1 * 0.9 / len(split.test))
        yield Finding(
            "few-targets",
            Severity.WARNING if len(split.test) < FEW_TARGETS // 5 else Severity.NOTE,
            f"leave-one-out has {len(split.test):,} test targets: a Recall of .10 is known to about +-{half:.3f}",
            "Compare models by paired tests and several seeds, or use the time split with all targets of its window",
            detail="Smaller differences between two models are not told apart by one run.",
            evidence={"test_targets": len(split.test), "half_width_of_95_percent": round(half, 4)},
        )


def _shown(subject: Subject, positions: NDArray[np.int64]) -> tuple[str, ...]:
    users, items = subject.named_users(subject.users[positions]), subject.named_items(subject.items[positions])
    whens = [""] * len(users) if subject.times is None else [f", {day(when)}" for when in subject.times[positions]]
    return tuple(f"user {user}, item {item}{when}" for user, item, when in zip(users, items, whens, strict=True))
