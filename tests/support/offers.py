"""A shop in which other items are on offer every week, and people take these alone."""

from __future__ import annotations

import numpy as np
import polars as pl

from attrformer.data.dataset import Dataset

ITEMS, USERS, TAKEN = 120, 240, 5
WEEK = 7 * 86_400
START = 1_600_000_000
OFFERS = 15
"""Items on offer at a time."""


def planted(seed: int = 0, weeks: int = 60) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Interactions and changes: every week other items are on offer, and people take only these, within one week."""
    rng = np.random.default_rng(seed)
    changes, offered = [], []
    for week in range(weeks):
        on = rng.choice(ITEMS, OFFERS, replace=False)
        offered.append(on)
        for item in range(ITEMS):
            changes.append((f"i{item:03}", START + week * WEEK, "offer", "yes" if item in on else "no"))
    log = []
    for user in range(USERS):
        week = int(rng.integers(weeks))
        begins = START + week * WEEK + int(rng.integers(1, WEEK - TAKEN * 600))
        for step, item in enumerate(rng.choice(offered[week], TAKEN, replace=False)):
            log.append((f"u{user:03}", f"i{item:03}", begins + step * 600))
    columns = ["item_id", "timestamp", "column", "value"]
    interactions = pl.DataFrame(log, schema=["user_id", "item_id", "timestamp"], orient="row")
    return interactions, pl.DataFrame(changes, schema=columns, orient="row")


LOG, CHANGES = planted()
SETTINGS = ("training.epochs=12", "training.relation_rate=10", "training.warm_up=5", "relations.similar_users=false")


def dataset_of(changes: pl.DataFrame | None = CHANGES) -> Dataset:
    titles = pl.DataFrame(
        {"item_id": [f"i{n:03}" for n in range(ITEMS)], "title": [f"Title {n}" for n in range(ITEMS)]}
    )
    return Dataset.from_frames(LOG, titles, item_changes=changes, name="offers", catalogue="all")


def offered_at(time: int) -> set[str]:
    """Items on offer at a time."""
    week = CHANGES.filter((pl.col("timestamp") <= time) & (pl.col("timestamp") > time - WEEK))
    return set(week.filter(pl.col("value") == "yes")["item_id"])


def history_at(time: int) -> pl.DataFrame:
    """Two things that were taken when they were on offer, the later one at a time."""
    items = sorted(offered_at(time))[:2]
    return pl.DataFrame({"user_id": ["new"] * 2, "item_id": items, "timestamp": [time - 60, time]})
