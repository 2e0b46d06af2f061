"""An invented catalogue of any size with a network over it, made directly and not trained.

What a search meets is made to resemble a model trained on Amazon Beauty: norms and spectrum of the item vectors, gates
and eps of the relations, and rows, attributes and histories that follow the same tree of categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 64
TOPS, MIDS, LEAVES, BRANDS, PRICES = 10, 100, 1000, 4096, 20
AGES, REGIONS = 7, 12
STEPS = 24
"""Interactions of each user."""


@dataclass(frozen=True)
class Shape:
    """How large everything is.

    Args:
        items: catalogue size.
        users: training users.
        near: entries of each co-occurrence row.
        edges: entries of each row of the edge table.
    """

    items: int
    users: int
    near: int = 128
    edges: int = 12


class Shelves:
    """Items by leaf category, the popular ones first.

    Args:
        items: catalogue size.
        random: source of chance.
    """

    def __init__(self, items: int, random: np.random.Generator) -> None:
        self.leaf = (LEAVES * random.random(items) ** 1.3).astype(np.int64)
        self.order = np.argsort(self.leaf, kind="stable")
        self.sizes = np.bincount(self.leaf, minlength=LEAVES)
        self.starts = np.cumsum(self.sizes) - self.sizes
        self._filled = np.flatnonzero(self.sizes)
        self._random = random

    def draw(self, leaf: NDArray[np.int64]) -> NDArray[np.int64]:
        """An item of each leaf, popular ones more often; of any other leaf where one is empty."""
        empty = self.sizes[leaf] == 0
        leaf = np.where(empty, self._random.choice(self._filled, leaf.shape), leaf)
        place = (self.sizes[leaf] * self._random.random(leaf.shape) ** 2.5).astype(np.int64)
        return self.order[self.starts[leaf] + place]

    def wander(self, leaf: NDArray[np.int64], stay: float) -> NDArray[np.int64]:
        """The same leaf, a neighbour under the same node, or now and then any other."""
        chance = self._random.random(leaf.shape)
        sibling = leaf // 10 * 10 + self._random.integers(0, 10, leaf.shape)
        other = self._random.integers(0, LEAVES, leaf.shape)
        return np.where(chance < stay, leaf, np.where(chance < stay + 0.9 * (1 - stay), sibling, other))


def make_model(shape: Shape, seed: int) -> Any:
    """A `Recommender` over an invented catalogue."""
    import polars as pl
    import torch

    from attrformer.data.id_map import IdMap
    from attrformer.models.attrformer import AttrFormerConfig
    from attrformer.models.registry import build_network
    from attrformer.recommender import Config, Recommender
    from attrformer.recommender.state import ModelMetadata, ModelState
    from attrformer.training.checkpoint import parameters_of

    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shelves = Shelves(shape.items, random)
    relations = _relations(shape, shelves, random)
    config = Config(model=AttrFormerConfig(max_length=50))
    parameters = parameters_of(build_network(relations, config.model, 0.0))
    _shape_parameters(parameters, shelves, random)
    knowledge = ModelMetadata(
        dataset="invented",
        user_ids=IdMap(pl.Series(np.arange(shape.users))),
        item_ids=IdMap(pl.Series(np.arange(shape.items))),
        titles=None,
        histories=relations.similar_users.train if relations.similar_users else None,  # type: ignore[arg-type]
        frame_library="polars",
        edges=("also_bought",),
        dropout=0.0,
        precision="float32",
    )
    model = Recommender(config)
    model._fitted = ModelState(config.model, relations, parameters, knowledge, torch.device("cpu"))
    return model


def make_histories(model: Any, count: int, seed: int) -> Any:
    """Histories of people the model does not know, 3 to 50 interactions each."""
    from attrformer.data.sequences import Sequences

    random = np.random.default_rng([seed, 1])
    train = model.fitted.relations.similar_users.train
    rows = random.integers(0, len(train), (count, 3))
    lengths = random.integers(3, 51, count)
    items = [np.concatenate([train.row(row) for row in three])[:n] for three, n in zip(rows, lengths, strict=True)]
    return Sequences(np.concatenate([[0], np.cumsum(lengths)]), np.concatenate(items).astype(np.int32))


def _relations(shape: Shape, shelves: Shelves, random: np.random.Generator) -> Any:
    from attrformer.relations.relation_set import RelationSet
    from attrformer.relations.repeat import RepeatRelation
    from attrformer.relations.similar_users import SimilarUsersRelation
    from attrformer.relations.user_index import UserIndex

    train = _histories(shape, shelves, random)
    popularity = np.bincount(train.items, minlength=shape.items).astype(np.float32)
    # Every item has been bought, so that every item has a vector of its own.
    popularity = np.maximum(popularity, 1.0)
    rows = [
        _rows("cooccurrence_near", shape.items, shape.near, 0.3, shelves, random),
        _rows("edge_also_bought", shape.items, shape.edges, 1.0, shelves, random),
    ]
    features, users = _features(shape.items, shelves, random), _users(shape, popularity, random)
    similar = UserIndex.build(train, shape.items, count=32, anchors=4, horizon=2, candidates=64)
    return RelationSet(
        n_items=shape.items,
        folds=0,
        fold_of_user=np.empty(0, dtype=np.int64),
        popularity=popularity,
        relations=(*rows, *features.values(), *users.values(), RepeatRelation(), SimilarUsersRelation(similar)),
    )


def _histories(shape: Shape, shelves: Shelves, random: np.random.Generator) -> Any:
    from attrformer.data.sequences import Sequences

    leaf = (LEAVES * random.random(shape.users) ** 1.3).astype(np.int64)
    items = np.empty((shape.users, STEPS), dtype=np.int32)
    for step in range(STEPS):
        items[:, step] = shelves.draw(leaf)
        leaf = shelves.wander(leaf, 0.8)
    return Sequences(np.arange(shape.users + 1) * STEPS, items.ravel())


def _rows(name: str, items: int, width: int, top: float, shelves: Shelves, random: np.random.Generator) -> Any:
    from attrformer.relations.cooccurrence import CooccurrenceRelation
    from attrformer.relations.edges import EdgeRelation

    kind = EdgeRelation if name.startswith("edge_") else CooccurrenceRelation
    indices = np.empty((items, width), dtype=np.int32)
    values = np.empty((items, width), dtype=np.float32)
    strength = top * np.arange(1, width + 1, dtype=np.float32) ** -0.8
    block = max(1, (1 << 22) // width)
    for start in range(0, items, block):
        own = np.arange(start, min(start + block, items))
        drawn = shelves.draw(shelves.wander(np.repeat(shelves.leaf[own, None], width, 1), 0.7))
        noisy = strength * random.lognormal(0.0, 0.4, drawn.shape).astype(np.float32)
        order = np.argsort(drawn, axis=1)
        indices[own] = np.take_along_axis(drawn, order, 1)
        values[own] = np.take_along_axis(noisy, order, 1)
    return kind(name, items, 0, items, indices=indices, values=values)


def _features(items: int, shelves: Shelves, random: np.random.Generator) -> dict[str, Any]:
    brand = (BRANDS * random.random(items) ** 2.5).astype(np.int64)[:, None]
    path = np.stack([shelves.leaf // 100, TOPS + shelves.leaf // 10, TOPS + MIDS + shelves.leaf], 1)
    price = random.integers(0, PRICES, (items, 1))
    branded = (random.random((items, 1)) < 0.7).astype(np.float32)
    return {
        "brand": _feature("brand", brand * (branded > 0), branded, BRANDS),
        "categories": _feature("categories", path, np.full((items, 3), 3**-0.5, np.float32), TOPS + MIDS + LEAVES),
        "price": _feature("price", price, np.ones((items, 1), np.float32), PRICES),
    }


def _feature(name: str, codes: NDArray[np.int64], weights: NDArray[np.float32], values: int) -> Any:
    from attrformer.relations.item_attribute import ItemAttributeRelation

    frequency = np.bincount(codes[weights > 0], minlength=values)
    idf = np.log(len(codes) / np.maximum(frequency, 2)) ** 2
    diagonal = (idf / idf.max()).astype(np.float32)
    return ItemAttributeRelation(name, codes, weights, diagonal, tuple(map(str, range(values))))


def _users(shape: Shape, popularity: NDArray[np.float32], random: np.random.Generator) -> dict[str, Any]:
    from attrformer.relations.row_table import RowRelation
    from attrformer.relations.user_attribute import UserAttributeRelation

    users = {}
    for name, values in (("age", AGES), ("region", REGIONS)):
        # Lift strays the further from 1 the fewer people have bought an item.
        spread = (0.5 / np.sqrt(popularity)).astype(np.float32)
        lift = np.exp(random.standard_normal((values + 1, shape.items)).astype(np.float32) * spread)
        lift[-1] = 0.0
        codes = random.integers(0, values + 1, shape.users)
        labels = (*map(str, range(values)), "")
        users[name] = UserAttributeRelation(codes, labels, RowRelation(name, values + 1, 0, shape.items, dense=lift))
    return users


def _shape_parameters(parameters: dict[str, Any], shelves: Shelves, random: np.random.Generator) -> None:
    """Overwrites the fresh weights by what a trained model has."""
    import torch

    spectrum = np.arange(1, WIDTH + 1) ** -0.45
    turn, _ = np.linalg.qr(random.standard_normal((WIDTH, WIDTH)))
    basis = (spectrum[:, None] * turn / np.linalg.norm(spectrum)).astype(np.float32)

    def drawn(count: int, norm: float) -> NDArray[np.float32]:
        return norm * random.standard_normal((count, WIDTH)).astype(np.float32) @ basis

    own = parameters["table.item"].numpy()
    leaf = drawn(LEAVES, 0.3)
    for start in range(0, len(own), 1 << 18):
        part = slice(start, start + (1 << 18))
        count = len(own[part])
        size = random.lognormal(0.0, 0.15, (count, 1)).astype(np.float32)
        own[part] = (leaf[shelves.leaf[part]] + drawn(count, 0.48)) * size
    for name, norm in (("brand", 0.4), ("categories", 0.3), ("price", 0.1)):
        weights = parameters[f"table.attribute.item_{name}"]
        weights.copy_(torch.from_numpy(drawn(len(weights), norm)))
    for name, weights in parameters.items():
        if name.endswith(("attention.output.weight", "feed.3.weight")):
            weights.mul_(0.3)
        elif name.endswith("gate.bias"):
            weights.fill_(-0.1 if "repeat" in name else 0.4)
        elif name.endswith("gate.weight"):
            weights.copy_(0.02 * torch.randn_like(weights))
        elif name.endswith(".left"):
            weights.copy_(0.1 * torch.randn_like(weights))
        elif name == "norm.weight":
            weights.fill_(0.85)
