"""A small shop whose items change in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tests.data.test_changing_attributes import changing, changing_numbers
from tests.relations.builders import shop

from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.dataset import Dataset

SPAN = 4_000_000
"""Seconds in which items change; interactions of `shop` span more than that."""


def changing_shop(seed: int = 0, *, per_item: int = 6) -> Dataset:
    """`shop` with a state and a price of each item that change, some of them missing for a time."""
    data = shop(seed)
    assert data.sequences.times is not None
    first, last = int(data.sequences.times.min()), int(data.sequences.times.max())
    rng = np.random.default_rng(seed)
    states = [
        (item, int(time), None if rng.random() < 0.15 else f"s{rng.integers(4)}")
        for item in range(data.item_count)
        for time in rng.integers(first - 1000, last + 1000, int(rng.integers(0, per_item)))
    ]
    prices = sorted(
        {
            (item, int(time)): float("nan") if rng.random() < 0.15 else float(rng.random())
            for item in range(data.item_count)
            for time in rng.integers(first - 1000, last + 1000, int(rng.integers(0, per_item)))
        }.items()
    )
    numbers = [(item, time, price) for (item, time), price in prices]
    return with_changes(
        data,
        changing(states, data.item_count, "state"),
        replace(changing_numbers(numbers, data.item_count), name="cost"),
    )


def with_changes(data: Dataset, *attributes: ChangingAttribute) -> Dataset:
    """The dataset with attributes that change in time."""
    return replace(data, item_changes={attribute.name: attribute for attribute in attributes})


def values_then(attribute: ChangingAttribute, item: int, time: int | None) -> str | float | None:
    """What an item had at a time, by looking through its changes."""
    held: str | float | None = None
    for change in range(int(attribute.offsets[item]), int(attribute.offsets[item + 1])):
        if time is not None and attribute.times[change] > time:
            break
        if len(attribute.numbers):
            held = float(attribute.numbers[change])
        else:
            held = attribute.vocabulary[attribute.codes[change]] if attribute.codes[change] >= 0 else None
    return None if isinstance(held, float) and np.isnan(held) else held


def later(attribute: ChangingAttribute, time: int, changes: Sequence[tuple[int, int, str | None]]) -> ChangingAttribute:
    """The changes up to a time, and others in place of what came later."""
    known = attribute.until(time)
    names = [*known.vocabulary]
    old = [
        (int(item), int(when), names[code] if code >= 0 else None)
        for item, when, code in zip(known.items, known.times, known.codes, strict=True)
    ]
    made = changing([*old, *((item, max(when, time + 1), value) for item, when, value in changes)], len(attribute))
    return replace(made, name=attribute.name)
