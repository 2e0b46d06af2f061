"""The four tables of a tiny shop, each with something missing."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from attrformer.data import Dataset

LOG = pl.DataFrame(
    {
        "user_id": ["bob", "ann", "bob", "ann", "bob"],
        "item_id": [7, 3, 5, 7, 3],
        "timestamp": [30, 10, 20, 10, 30],
        "rating": [4.0, None, 2.0, 5.0, 1.0],
        "channel": ["web", "web", "app", "app", "web"],
    }
)
ITEMS = pl.DataFrame(
    {
        "item_id": [5, 7, 9],
        "title": ["Five", None, "Nine"],
        "brand": ["x", "", "y"],
        "tags": [["b", "a", "b"], [None, "c"], []],
        "price": [1.5, None, 3.0],
        "released": [date(1970, 1, 2), None, date(1970, 1, 3)],
    }
)
USERS = pl.DataFrame({"user_id": ["ann", "bob"], "age": [18, 25], "gender": ["F", "M"]})
EDGES = pl.DataFrame(
    {
        "source_item_id": [3, 3, 5, 3, 3],
        "target_item_id": [5, 7, 3, 9, 5],
        "relation": ["bought", "bought", "viewed", "bought", "bought"],
        "rank": [3, 0, 0, 1, 0],
    }
)


def items_with(column: list[Any], **options: Any) -> Dataset:
    ids = list(range(len(column)))
    log = pl.DataFrame({"user_id": ["u"] * len(ids), "item_id": ids})
    return Dataset.from_frames(log, pl.DataFrame({"item_id": ids, "value": column}, strict=False), **options)
