"""Files whose ids were numbered in one way or another, for the tests of what they tell."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, TIMESTAMP, USER

Numbering = Literal["listing", "random", "first appearance", "first interaction"]


def numbered(
    numbering: Numbering, seed: int = 0, users: int = 300, items: int = 400, mean: int = 10, series: int = 1
) -> pl.DataFrame:
    """Interactions of users who sign up one after another, in the order of users and times.

    Args:
        numbering: how the items were numbered.
        seed: of what users do.
        users: how many.
        items: how many are listed, not all of which are taken.
        mean: interactions of a user, about.
        series: neighbours in the order of listing that are taken together.
    """
    rng = np.random.default_rng(seed)
    weights = 1 / (1 + rng.permutation(items)) ** 0.7
    rows, taken, times = [], [], []
    for user in range(users):
        count = max(3, rng.poisson(mean))
        chosen = rng.choice(items, count, p=weights / weights.sum())
        if series > 1:
            chosen = chosen // series * series + rng.integers(0, series, count)
        chosen = np.array(list(dict.fromkeys(chosen.tolist())))
        rows.append(np.full(len(chosen), user))
        taken.append(chosen)
        times.append(1_000 * user + np.sort(rng.integers(0, 200_000, len(chosen))))
    row, item, time = (np.concatenate(parts) for parts in (rows, taken, times))
    order = {"first appearance": np.arange(len(row)), "first interaction": np.argsort(time, kind="stable")}
    if numbering in order:
        item = _by_first(item[order[numbering]], items)[item]
    elif numbering == "random":
        item = rng.permutation(items + series)[item]
    return pl.DataFrame({USER: row, ITEM: item, TIMESTAMP: time})


def renamed(values: pl.Series, seed: int = 0) -> pl.Series:
    """The same ids drawn anew, as a hash would."""
    known = values.unique().sort()
    names = np.random.default_rng(seed).permutation(len(known))
    return pl.Series(values.name, [f"u{name}" for name in names[known.search_sorted(values).to_numpy()]])


def _by_first(walked: NDArray[np.int64], items: int) -> NDArray[np.int64]:
    found, first = np.unique(walked, return_index=True)
    number = np.zeros(items, dtype=np.int64)
    number[found[np.argsort(first)]] = np.arange(len(found))
    return number
