"""Findings about change in time: new items and users, popularity that moves, and training that looks ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.check.findings import Finding, Number, Severity
from attrformer.data.check.subject import Subject, day, share
from attrformer.data.check.text import percent

COLD: Final = 0.05
"""Share of cold test targets from which they are a warning."""

DRIFT: Final = 0.2
"""Distance of popularity beyond that of chance from which it is told."""

AHEAD: Final = 0.2
"""Share of the training interactions after the median test target from which that is told."""


def cold_targets(subject: Subject) -> Iterator[Finding]:
    """Test targets that training never saw, and targets of users that training never saw."""
    for split in subject.splits:
        train = split.train
        known_items = np.bincount(subject.items[train], minlength=subject.dataset.item_count) > 0
        known_users = np.bincount(subject.users[train], minlength=subject.dataset.user_count) > 0
        cold = ~known_items[subject.items[split.test]]
        strangers = ~known_users[subject.users[split.test]]
        if not (cold.any() or strangers.any()):
            continue
        items, users, count = int(cold.sum()), int(strangers.sum()), len(split.test)
        yield Finding(
            f"cold-targets-{split.name}",
            Severity.WARNING if items >= COLD * count else Severity.NOTE,
            f"{split.name}: {percent(items / count)} of the test targets are items without a training interaction, "
            f"{percent(users / count)} are of users without one",
            "Give attributes of items (models without them cannot rank such items), and report cold items apart",
            detail="They are kept and count as misses for models that know items by their training interactions only. "
            "Other libraries drop them, which raises figures.",
            evidence={
                "test_targets": count,
                "cold_item_targets": items,
                "cold_user_targets": users,
                "items_without_training": int((~known_items).sum()),
                "users_without_training": int((~known_users).sum()),
            },
            examples=tuple(f"item {name}" for name in subject.named_items(subject.items[split.test[cold][:3]])),
        )


def popularity_drift(subject: Subject) -> Iterator[Finding]:
    """Popularity before the time split's test window against within it."""
    split = subject.time_split
    if split is None:
        return
    count = subject.dataset.item_count
    before = np.bincount(subject.items[split.train], minlength=count)
    after = np.bincount(subject.items[split.test], minlength=count)
    if min(before.sum(), after.sum()) < 100:
        return
    found = _distance(before, after)
    pooled = (before + after) / (before.sum() + after.sum())
    chance = _distance(
        subject.random.multinomial(before.sum(), pooled), subject.random.multinomial(after.sum(), pooled)
    )
    if found - chance < DRIFT:
        return
    top = np.argsort(-before, kind="stable")[:20]
    evidence: dict[str, Number] = {
        "distance": round(found, 4),
        "distance_by_chance": round(chance, 4),
        "top_20_share_before": share(int(before[top].sum()), int(before.sum())),
        "top_20_share_after": share(int(after[top].sum()), int(after.sum())),
    }
    yield Finding(
        "popularity-drift",
        Severity.NOTE,
        f"what is popular changes: {percent(found)} of the popularity of the first 80 % of the interactions has moved "
        "to other items in the last 10 %",
        "Report a time split beside leave-one-out (data.split=time), and train anew or update regularly",
        detail="The distance is half the sum of the differences of item shares; by chance it would be that of two "
        "samples of these sizes from one popularity. Figures of leave-one-out do not show what this costs in use.",
        evidence=evidence,
    )


def trained_ahead(subject: Subject) -> Iterator[Finding]:
    """Training interactions of leave-one-out that happened after test targets."""
    split, times = subject.leave_one_out, subject.times
    if split is None or times is None:
        return
    middle = float(np.median(times[split.test]))
    later = int((times[split.train] > middle).sum())
    whole = int(split.train.sum())
    if later < AHEAD * whole:
        return
    yield Finding(
        "trained-ahead",
        Severity.NOTE,
        f"leave-one-out: {percent(later / whole)} of the training interactions happened after half of the test targets",
        "Report a time split beside leave-one-out (data.split=time)",
        detail="Leave-one-out lets a model learn from other users' later interactions. That is common and comparable, "
        "and more than a model in use can know.",
        evidence={"training_interactions": whole, "later": later, "median_test_target": day(middle)},
    )


def _distance(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
    return float(np.abs(one / one.sum() - two / two.sum()).sum() / 2)
