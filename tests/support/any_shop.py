"""Small shops of any kind: all kinds of attributes, with gaps, constant or missing throughout; options at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from attrformer import Config, Dataset
from attrformer.config import override

KINDS = {
    "about": "text",
    "category": "hierarchy",
    "mood": "weighted",
    "place": "location",
    "image": "vector",
    "price": "numeric",
}
TRAINING = (
    "training.epochs=1",
    "training.warm_up=0",
    "training.learning_rate=0.02",
    "training.threads=1",
    "training.precision=float32",
    "training.device=cpu",
    "evaluation.resamples=5",
    "model.layers=1",
)
LARGE = ("relations.dense_items=0", "relations.top_k=2")
"""What catalogues of more than 6,000 items are by default, with fewer entries."""

OPTIONS: tuple[tuple[str, ...], ...] = (
    ("relations.cooccurrence_wide.enabled=true", "relations.indirect=true"),
    ("relations.similar_users=true",),
    ("relations.behaviours=false",),
    ("relations.text_dimensions=2", "relations.vector_dimensions=1"),
    ("relations.edges=null",),
    ("model.relation_heads=false",),
    ("model.mixed_head=true",),
    ("model.catalogue_evidence=false",),
    ("model.attribute_embeddings=false", "model.item_gates=1.5"),
    ("training.loss=sampled", "training.negatives=3"),
    ("target.window=3", "target.strength=2"),
    ("data.negative=event=return",),
    ("data.weight=quantity",),
)

Draw = np.random.Generator


def _one(rng: Draw, values: str) -> str:
    return str(rng.choice(values.split()))


def _described(rng: Draw, count: int) -> dict[str, pl.Series]:
    """Some columns that describe items or users; one of them may have gaps, one value or none at all."""
    words = "red blue toy star war road night soft"
    makers: dict[str, Callable[[], Any]] = {
        "brand": lambda: _one(rng, "a b c"),
        "tags": lambda: [_one(rng, "x y z") for _ in range(rng.integers(3))],
        "about": lambda: " ".join(_one(rng, words) for _ in range(rng.integers(4))),
        "category": lambda: " > ".join(f"{level}{_one(rng, 'a b')}" for level in range(rng.integers(4))),
        "mood": lambda: f"calm:{rng.random():.2f}|{_one(rng, 'loud odd')}:{rng.integers(3)}",
        "place": lambda: f"{rng.uniform(-90, 90):.1f},{_one(rng, '180 -180 11.5')}",
        "image": lambda: rng.normal(size=3).round(2).tolist(),
        "price": lambda: float(rng.choice([0.5, 3.5, 1e30])),
    }
    found = {}
    for name in rng.permutation(sorted(makers))[: rng.integers(8)].tolist():
        missing, constant = rng.choice([0, 0.3, 1]), makers[name]() if rng.random() < 0.2 else None
        values = [constant if constant is not None else makers[name]() for _ in range(count)]
        kind = {"tags": pl.List(pl.String), "image": pl.List(pl.Float64), "price": pl.Float64}.get(name, pl.String)
        found[name] = pl.Series([None if rng.random() < missing else value for value in values], dtype=kind)
    return found


def tables(rng: Draw) -> dict[str, pl.DataFrame]:
    """Up to five tables; some are of a user or an item alone, some histories of one interaction.

    Args:
        rng: of all that is drawn.
    """
    users, items = (int(rng.choice(sizes)) for sizes in ([1, 3, 15, 30], [2, 6, 20, 50]))
    low, high = rng.choice([(1, 6), (3, 9), (10, 30)])
    rows = [(user, int(rng.integers(items))) for user in range(users) for _ in range(rng.integers(low, high))]
    rows += [(0, item) for item in (0, 1, 0, 1)]
    count = len(rows)
    log = pl.DataFrame({"user_id": [f"u{user}" for user, _ in rows], "item_id": [f"i{item}" for _, item in rows]})
    log = log.with_columns(
        pl.Series("event", [_one(rng, "view view buy return") for _ in rows]),
        pl.Series("quantity", rng.integers(1, 4, count) * 0.5),
    )
    if rng.random() < 0.7:
        log = log.with_columns(pl.Series("timestamp", 1_600_000_000 + rng.integers(0, 9, count).cumsum() * 3600))
    found = {"interactions": log}
    ids = [f"i{item}" for item in range(items)]
    found["items"] = pl.DataFrame({"item_id": ids, **_described(rng, items)})
    if rng.random() < 0.7:
        found["users"] = pl.DataFrame({"user_id": [f"u{user}" for user in range(users)], **_described(rng, users)})
    if rng.random() < 0.4:
        ends = rng.choice(ids, (2, 2 * items))
        found["item_relations"] = pl.DataFrame(
            {"source_item_id": ends[0], "target_item_id": ends[1], "relation": ["viewed"] * (2 * items)}
        )
    if "timestamp" in log.columns and rng.random() < 0.4:
        found["item_changes"] = pl.DataFrame(
            {
                "item_id": rng.choice(ids, 2 * items),
                "timestamp": rng.choice(log["timestamp"].to_numpy(), 2 * items),
                "column": rng.choice(["stock", "offer"], 2 * items),
                "value": rng.choice(["1", "2"], 2 * items),
            }
        )
    return found


def dataset_of(frames: dict[str, pl.DataFrame]) -> Dataset:
    """The dataset of such tables."""
    named = {
        f"{table}.{column}": kind
        for table in ("items", "users")
        for column, kind in KINDS.items()
        if table in frames and column in frames[table].columns
    }
    return Dataset.from_frames(**frames, kinds=named, name="any", catalogue="all")


def config_of(rng: Draw, frames: dict[str, pl.DataFrame]) -> Config:
    """Options at random that these tables allow.

    Args:
        rng: of all that is drawn.
        frames: the tables.
    """
    chosen = [setting for group in OPTIONS if rng.random() < 0.25 for setting in group]
    if not (frames["interactions"]["event"] == "return").any():
        chosen = [setting for setting in chosen if "event=return" not in setting]
    chosen += LARGE if rng.random() < 0.5 else ()
    shape = [f"model.width={rng.choice([4, 8])}", f"model.max_length={rng.choice([1, 3, 12])}"]
    return override(Config(), [*TRAINING, *shape, *chosen])
