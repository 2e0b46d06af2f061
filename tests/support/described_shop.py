"""A small shop whose items have texts and places, and whose users have vectors, texts and places."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from attrformer.columns import ITEM, USER
from attrformer.data.dataset import Dataset

SERIES = ("Toy Story", "Star Wars", "Die Hard", "Rocky")
KINDS = {
    "items.title": "text",
    "items.place": "location",
    "users.taste": "vector",
    "users.bio": "text",
    "users.home": "location",
}
ASKED: dict[str, Any] = {"taste": [0, 0, 1, 0.5], "bio": "Die Hard, again and again", "home": [20.0, 40.0]}


def tables() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(0)
    numbers, people = range(40), range(80)
    rows = []
    for user in people:
        for step in range(6):
            own = user % 4 if rng.random() < 0.9 else int(rng.integers(4))
            rows.append((f"u{user}", f"i{int(rng.integers(10)) * 4 + own}", step))
    near = rng.normal(size=(40, 2)) * 0.1
    return {
        "interactions": pl.DataFrame(rows, schema=[USER, ITEM, "timestamp"], orient="row"),
        "items": pl.DataFrame(
            {
                ITEM: [f"i{n}" for n in numbers],
                "title": [f"{SERIES[n % 4]} {n // 4 + 1}" for n in numbers],
                "place": [[10.0 * (n % 4) + near[n, 0], 20.0 * (n % 4) + near[n, 1]] for n in numbers],
            }
        ),
        "users": pl.DataFrame(
            {
                USER: [f"u{n}" for n in people],
                "taste": (np.eye(4)[[n % 4 for n in people]] + rng.normal(size=(80, 4)) * 0.1).tolist(),
                "bio": [f"I like {SERIES[n % 4]} very much" if n % 7 else None for n in people],
                "home": [[10.0 * (n % 4), 20.0 * (n % 4)] if n % 5 else None for n in people],
            }
        ),
    }


def described_shop() -> Dataset:
    """The dataset of these tables; items and users of a series have numbers that leave the same rest by four."""
    return Dataset.from_frames(**tables(), name="shop", catalogue="all", kinds=KINDS)
