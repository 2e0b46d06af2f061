"""A shop in which the next item is near one of the history by the vectors of the items, and nothing else tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.dataset import Dataset

COLUMN = "picture"


def vector_attribute(vectors: NDArray[np.float32], name: str = COLUMN) -> Attribute:
    """A vector for each row, NaN throughout where missing."""
    offsets = np.zeros(len(vectors) + 1, dtype=np.int64)
    return Attribute(
        name,
        AttributeKind.VECTOR,
        offsets,
        np.empty(0, np.int32),
        (),
        np.empty(0),
        vectors=np.asarray(vectors, dtype=np.float32),
    )


def with_vectors(data: Dataset, vectors: NDArray[np.float32], name: str = COLUMN) -> Dataset:
    """The dataset with one more attribute of its items.

    Args:
        data: the dataset.
        vectors: float32 `[items, d]` by item code.
        name: of the attribute.
    """
    return replace(data, item_attributes={**data.item_attributes, name: vector_attribute(vectors, name)})


def vector_shop(
    users: int = 300, items: int = 800, width: int = 24, length: int = 7, nearest: int = 6, seed: int = 0
) -> Dataset:
    """A dataset whose users go from an item of their history to one of its nearest, and now and then anywhere.

    The vectors are latent ones of 6 dimensions in a wider space, with noise and a mean far from 0, as embeddings are.

    Args:
        users: how many.
        items: how many.
        width: of the vectors.
        length: of each history.
        nearest: among so many of the nearest items the next one is.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(items, 6))
    unit = latent / np.linalg.norm(latent, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2.0)
    near = np.argsort(-cosine, axis=1)[:, :nearest]
    rows = []
    for user in range(users):
        history = [int(rng.integers(items))]
        for _ in range(length - 1):
            source = history[-1] if rng.random() < 0.7 else history[int(rng.integers(len(history)))]
            far = rng.random() < 0.1
            history.append(int(rng.integers(items)) if far else int(near[source, rng.integers(nearest)]))
        rows += [(f"u{user}", f"i{item}", step) for step, item in enumerate(history)]
    interactions = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    catalogue = pl.DataFrame({"item_id": [f"i{item}" for item in range(items)]})
    data = Dataset.from_frames(interactions, catalogue, name="vectors", catalogue="all")
    vectors = unit @ rng.normal(size=(6, width)) + 0.2 * rng.normal(size=(items, width)) + 4.0
    codes = [int(name[1:]) for name in data.item_ids.to_list()]
    return with_vectors(data, vectors[codes].astype(np.float32))
