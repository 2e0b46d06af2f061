"""The tiny shop that the saved models were trained on, the same on every machine and Python."""

from __future__ import annotations

import random
from typing import Any

import polars as pl

USERS, ITEMS = 40, 36
START = 1_600_000_000
HOUR = 3600
STEPS = (0, 1, 4, 1024)
BRANDS = ("Ava", "Bero", "Cito", "Dune")
TAGS = ("red", "blue", "light", "sale", "warm")
AGES = ("18-24", "25-34", "35-49")
REGIONS = ("north", "south")


class Draw:
    """Choices made of `random.Random.random` alone, whose numbers no release of Python changes."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return int(self._random.random() * count)

    def one(self, values: tuple[str, ...]) -> str:
        return values[self.below(len(values))]


def item(number: int) -> str:
    return f"i{number:02d}"


def user(number: int) -> str:
    return f"u{number:02d}"


def interactions() -> pl.DataFrame:
    """Walks over the catalogue: often on to a neighbour, sometimes back to an item had before."""
    draw, rows = Draw(1), []
    for number in range(USERS):
        length = 6 + draw.below(9)
        time, now = START + draw.below(2000) * HOUR, draw.below(ITEMS)
        had: list[int] = []
        for _ in range(length):
            had.append(now)
            rows.append((user(number), item(now), time, float(1 + draw.below(5))))
            # Now and then at the same time, or right where one bucket of time gaps ends and the next begins.
            time += STEPS[draw.below(4)] if draw.below(4) == 0 else (1 + draw.below(40)) * HOUR
            kind = draw.below(10)
            if kind < 6:
                now = (now + 1 + draw.below(3)) % ITEMS
            elif kind < 7:
                now = had[draw.below(len(had))]
            else:
                now = draw.below(ITEMS)
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "rating": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def items(first: int = 0, count: int = ITEMS) -> pl.DataFrame:
    """An attribute of one value, one of several, and a number, each missing now and then."""
    draw, rows = Draw(2 + first), []
    for number in range(first, first + count):
        tags = sorted({draw.one(TAGS) for _ in range(1 + draw.below(3))})
        rows.append(
            {
                "item_id": item(number),
                "title": f"Thing {number}",
                "brand": None if draw.below(12) == 0 else draw.one(BRANDS),
                "tags": "|".join(tags),
                "price": None if draw.below(12) == 0 else 5.0 + draw.below(4000) / 100,
            }
        )
    return pl.DataFrame(rows)


def users() -> pl.DataFrame:
    draw = Draw(3)
    rows = [
        {"user_id": user(number), "age": draw.one(AGES), "region": None if number % 9 == 8 else draw.one(REGIONS)}
        for number in range(USERS)
    ]
    return pl.DataFrame(rows)


def item_relations() -> pl.DataFrame:
    """Two edge tables, one of them with weights of its own through repeated rows."""
    draw, rows = Draw(4), []
    for number in range(ITEMS):
        for relation in ("also_bought", "viewed"):
            for _ in range(1 + draw.below(3)):
                other = (number + 1 + draw.below(ITEMS - 1)) % ITEMS
                rows.append((item(number), item(other), relation))
    return pl.DataFrame(rows, schema=["source_item_id", "target_item_id", "relation"], orient="row")


def dataset() -> Any:
    """The shop as a dataset."""
    from attrformer import Dataset

    tables = (interactions(), items(), users(), item_relations())
    return Dataset.from_frames(*tables, name="golden", catalogue="all")


def later() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What comes after training: new items, then interactions of users known and new, and the new user's attributes."""
    new = items(ITEMS, 2)
    end = START + 4000 * HOUR
    rows = [
        (user(0), item(ITEMS), end, 5.0),
        (user(1), item(3), end + HOUR, 4.0),
        ("new", item(7), end + 2 * HOUR, 3.0),
        ("new", item(ITEMS), end + 3 * HOUR, 5.0),
    ]
    happened = pl.DataFrame(rows, schema=interactions().schema, orient="row")
    return new, happened, pl.DataFrame({"user_id": ["new"], "age": ["25-34"], "region": ["south"]})
