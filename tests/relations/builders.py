"""Small datasets made by hand, for the tests of relations, network and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.dataset import Dataset
from attrformer.data.edges import Edges
from attrformer.data.id_map import IdMap
from attrformer.data.meaning import Condition, Meaning
from attrformer.data.sequences import Sequences
from attrformer.relations.build import build_relations
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
from attrformer.relations.relation_set import RelationSet

NOTHING: tuple[str, ...] = ()

SMALL = RelationsConfig(
    folds=3,
    cooccurrence_near=CooccurrenceConfig(window=3),
    cooccurrence_wide=CooccurrenceConfig(window=6, decay=0.97, backward=1.0),
    cooccurrence_next=CooccurrenceConfig(window=1, decay=1.0, backward=0.0),
    indirect=True,
    # Walks go to neighbouring items; what is tested with them is not to depend on how these are called.
    id_order=False,
    # Left out by default; what is tested with these is every kind of relation.
    edges=None,
    similar_users=True,
    similar_users_count=4,
    similar_users_anchors=3,
    buckets=4,
    time_buckets=6,
)
OFF = CooccurrenceConfig(enabled=False)
NONE = RelationsConfig(
    folds=3,
    cooccurrence_near=OFF,
    cooccurrence_wide=OFF,
    cooccurrence_next=OFF,
    indirect=False,
    item_attributes=NOTHING,
    id_order=False,
    user_attributes=NOTHING,
    edges=NOTHING,
    behaviours=False,
    time_bucket=False,
    repeat=False,
    similar_users=False,
)


def sequences(
    rows: Sequence[Sequence[int]],
    *,
    times: NDArray[np.int64] | None = None,
    behaviours: Mapping[str, NDArray[np.float32]] | None = None,
) -> Sequences:
    """Histories from lists of item codes."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    items = np.array([item for row in rows for item in row], dtype=np.int32)
    return Sequences(offsets, items, times, dict(behaviours or {}))


def multi(name: str, values: Sequence[Sequence[str]], kind: AttributeKind = AttributeKind.MULTI) -> Attribute:
    """An attribute with any number of values for each row."""
    vocabulary = tuple(sorted({value for row in values for value in row}))
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in values])]).astype(np.int64)
    codes = np.array([vocabulary.index(value) for row in values for value in row], dtype=np.int32)
    return Attribute(name, kind, offsets, codes, vocabulary, np.empty(0))


def categorical(name: str, values: Sequence[str | None]) -> Attribute:
    """An attribute with one value for each row, None where missing."""
    return multi(name, [[] if value is None else [value] for value in values], AttributeKind.CATEGORICAL)


def numeric(name: str, values: Sequence[float]) -> Attribute:
    """A number for each row, NaN where missing."""
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    return Attribute(
        name, AttributeKind.NUMERIC, offsets, np.empty(0, np.int32), (), np.array(values, dtype=np.float64)
    )


def edges(triples: Sequence[tuple[int, int, float]]) -> Edges:
    """An edge table from (source, target, weight)."""
    source, target, weight = zip(*triples, strict=True)
    return Edges(np.array(source, np.int32), np.array(target, np.int32), np.array(weight, np.float32))


def dataset(histories: Sequences, items: int, **parts: Any) -> Dataset:
    """A dataset around histories, without attributes unless they are given."""
    users = IdMap.from_list([f"u{user}" for user in range(len(histories))])
    return Dataset("small", users, IdMap.from_list([f"i{item}" for item in range(items)]), histories, **parts)


def walks(users: int, items: int, seed: int, longest: int = 12) -> list[list[int]]:
    """Histories that step to a nearby item most of the time, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(users):
        row = [int(rng.integers(items))]
        for _ in range(int(rng.integers(3, longest))):
            far = rng.random() < 0.2
            row.append(int(rng.integers(items)) if far else (row[-1] + int(rng.integers(1, 3))) % items)
        rows.append(row)
    return rows


def with_events(dataset: Dataset, seed: int = 0, targets: str = "event=buy", negative: str = "event=return") -> Dataset:
    """The same data with an event for each interaction, of which purchases are predicted and returns count against."""
    count = len(dataset.sequences.items)
    events = np.random.default_rng(seed).integers(0, 3, count).astype(np.float32)
    meaning = Meaning(
        {"event": ("buy", "return", "view")}, None, Condition.parse(negative, ""), Condition.parse(targets, "")
    )
    behaviours = {**dataset.sequences.behaviours, "event": events}
    return replace(dataset, sequences=replace(dataset.sequences, behaviours=behaviours, meaning=meaning))


def shop(seed: int = 0, users: int = 40, items: int = 30) -> Dataset:
    """A small dataset with every kind of attribute, with missing values, times, ratings and an edge table."""
    rng = np.random.default_rng(seed)
    histories = sequences(walks(users, items, seed))
    count = len(histories.items)
    ratings = rng.integers(1, 6, count).astype(np.float32)
    ratings[rng.random(count) < 0.1] = np.nan
    timed = replace(histories, times=np.cumsum(rng.integers(1, 100_000, count)), behaviours={"rating": ratings})
    brands = [None if rng.random() < 0.2 else f"b{item % 5}" for item in range(items)]
    tags = [sorted({f"t{value}" for value in rng.integers(6, size=rng.integers(0, 4))}) for _ in range(items)]
    prices = [float("nan") if rng.random() < 0.2 else float(rng.random()) for _ in range(items)]
    regions = [None if user % 7 == 6 else f"r{user % 3}" for user in range(users)]
    pairs = [(item, (item * 7 + step) % items, 1.0 / step) for item in range(items) for step in (1, 2, 3)]
    return dataset(
        timed,
        items,
        item_attributes={
            "brand": categorical("brand", brands),
            "tags": multi("tags", tags),
            "price": numeric("price", prices),
        },
        user_attributes={"region": categorical("region", regions)},
        item_relations={"also": edges(pairs)},
    )


def relations_of(data: Dataset, base: RelationsConfig = SMALL, seed: int = 0, **options: Any) -> RelationSet:
    """The relations of all of a dataset's interactions."""
    return build_relations(data, data.sequences, replace(base, **options), seed)
