"""A generated shop whose interactions have an event: purchases follow views, and some of them are returned."""

from __future__ import annotations

import numpy as np
import polars as pl

from attrformer.data.dataset import Dataset

GROUPS, EACH = 6, 10
VIEWED = GROUPS * EACH
"""Items below this number are viewed, the others are bought."""


def event_log(users: int = 200, seed: int = 0, returns: bool = False) -> pl.DataFrame:
    """What is bought is told by the last item that was viewed; what is browsed afterwards says nothing.

    Args:
        users: number of users.
        seed: of all that is drawn.
        returns: whether every third purchase is returned.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, int, str, float]] = []
    for user in range(users):
        likes, time = rng.choice(GROUPS, 2, replace=False), int(rng.integers(1_600_000_000, 1_600_100_000))
        for _ in range(int(rng.integers(3, 6))):
            group, viewed = int(rng.choice(likes)), 0
            for _ in range(int(rng.integers(1, 4))):
                viewed = group * EACH + int(rng.integers(EACH))
                rows.append((f"u{user}", viewed, time := time + 60, "view", 1.0))
            bought = VIEWED + viewed * 7 % VIEWED
            rows.append((f"u{user}", bought, time := time + 60, "purchase", float(rng.integers(1, 4))))
            if returns and rng.random() < 1 / 3:
                rows.append((f"u{user}", bought, time := time + 60, "return", 1.0))
            for _ in range(int(rng.integers(0, 3))):
                rows.append((f"u{user}", int(rng.integers(VIEWED)), time := time + 60, "browse", 1.0))
            time += 86_400
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "event", "quantity"], orient="row")


def event_shop(users: int = 200, seed: int = 0, returns: bool = False) -> Dataset:
    """The same as a dataset; arguments as for `event_log`."""
    return Dataset.from_frames(event_log(users, seed, returns), name="events")


def returning_shop(users: int = 400, seed: int = 0) -> Dataset:
    """Users buy in three groups of items, until they return an item: then they buy nothing of its group any more."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, int, str]] = []
    for user in range(users):
        groups, time = rng.permutation(GROUPS)[:3].tolist(), 0
        for _ in range(int(rng.integers(6, 10))):
            group = int(rng.choice(groups))
            item = group * EACH + int(rng.integers(EACH))
            rows.append((f"u{user}", item, time := time + 60, "purchase"))
            if len(groups) > 1 and rng.random() < 0.25:
                rows.append((f"u{user}", item, time := time + 60, "return"))
                groups.remove(group)
    return Dataset.from_frames(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "event"], orient="row"), name="returns"
    )
