"""Sizes of the data, and what they are suited for."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.check.findings import Number
from attrformer.data.check.subject import Subject, day, share

SHORT: Final = 20
"""Median interactions of a user below which histories are short: similar users add nothing to co-occurrence there."""


def facts(subject: Subject) -> dict[str, Number]:
    """Sizes and other figures of the data, by name."""
    dataset = subject.dataset
    lengths = np.diff(subject.offsets)
    counts = np.sort(np.bincount(subject.items, minlength=dataset.item_count))[::-1]
    whole = len(subject.items)
    found: dict[str, Number] = {
        "users": dataset.user_count,
        "items": dataset.item_count,
        "interactions": whole,
        "density": share(whole, dataset.user_count * dataset.item_count),
        "median_history": float(np.median(lengths)) if len(lengths) else 0.0,
        "longest_history": int(lengths.max(initial=0)),
        "share_of_the_most_active_1_percent_of_users": _top(np.sort(lengths)[::-1]),
        "share_of_the_most_popular_1_percent_of_items": _top(counts),
    }
    if subject.times is not None and whole:
        found["from"], found["to"] = day(subject.times.min()), day(subject.times.max())
    for split in subject.splits:
        found[f"{split.name}_test_targets"] = len(split.test)
        popular = np.argsort(-np.bincount(subject.items[split.train], minlength=dataset.item_count), kind="stable")[:20]
        # What every model has to beat before it means anything.
        found[f"{split.name}_share_of_targets_among_the_20_most_popular"] = share(
            int(np.isin(subject.items[split.test], popular).sum()), len(split.test)
        )
    found["suits"] = _suits(subject, float(np.median(lengths)) if len(lengths) else 0.0)
    return found


def _suits(subject: Subject, median: float) -> str:
    dataset = subject.dataset
    said = [
        "short histories, where co-occurrence and attributes matter most"
        if median < SHORT
        else "long histories, where similar users and sequence models (SASRec with full cross-entropy) gain"
    ]
    if not dataset.item_attributes:
        said.append("no item attributes, so that models with them are no better than others")
    names = " and ".join(split.name for split in subject.splits)
    said.append(f"splits: {names or 'none'}")
    return "; ".join(said)


def _top(ordered: NDArray[np.int64]) -> float:
    """The share of the first hundredth, at least one, of counts that stand in descending order."""
    return share(int(ordered[: max(1, len(ordered) // 100)].sum()), int(ordered.sum()))
