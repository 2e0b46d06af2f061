"""A shop in which the next item is of the same series as one of the history, and only titles tell the series."""

from __future__ import annotations

import numpy as np
import polars as pl

from attrformer.data.dataset import Dataset

SYLLABLES = ("ba", "ko", "ri", "mu", "te", "lo", "sa", "ni", "vu", "pe")


def text_shop(users: int = 300, series: int = 150, parts: int = 5, length: int = 7, seed: int = 0) -> Dataset:
    """A dataset whose users go from an item of their history to another of its series, and now and then anywhere.

    Args:
        users: how many.
        series: how many, each with a name of its own.
        parts: items of a series.
        length: of each history.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    names = [f"{a}{b}{c}".capitalize() for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]
    chosen = rng.permutation(len(names))[:series]
    order = rng.permutation(series * parts)
    # Item numbers are mixed, so that they say nothing of the series.
    titles = {int(order[n]): f"The {names[chosen[n // parts]]} {n % parts + 1}" for n in range(series * parts)}
    rows = []
    for user in range(users):
        history = [int(rng.integers(series * parts))]
        while len(history) < length:
            place = int(np.flatnonzero(order == history[-1])[0]) // parts
            far = rng.random() < 0.3
            history.append(int(rng.integers(series * parts) if far else order[place * parts + rng.integers(parts)]))
        rows += [(f"u{user}", f"i{item}", step) for step, item in enumerate(history)]
    interactions = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    items = pl.DataFrame({"item_id": [f"i{n}" for n in titles], "title": list(titles.values())})
    return Dataset.from_frames(interactions, items, name="series", catalogue="all", kinds={"items.title": "text"})
