"""A small configuration and a small shop, for tests that fit a recommender."""

from __future__ import annotations

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.recommender import Config

SMALL = (
    "model.width=16",
    "model.layers=1",
    "training.epochs=2",
    "training.batch_targets=256",
    "training.threads=1",
    "evaluation.resamples=20",
    "training.precision=float32",
    # Its histories are short, where similar users are left out unless asked for.
    "relations.similar_users=true",
)


def small_config(*more: str) -> Config:
    return override(Config(), [*SMALL, *more])


def small_dataset(users: int = 150, items: int = 120, seed: int = 0) -> Dataset:
    sample = make_sample(seed, users=users, items=items)
    return Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop", catalogue="all")
