"""All explicit relations of a dataset, made from its tables and its training interactions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute
from attrformer.dataset.dataset import Dataset
from attrformer.dataset.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations import id_order
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
from attrformer.relations.cooccurrence import cooccurrence_relation
from attrformer.relations.edges import edge_relation
from attrformer.relations.folds import assign_folds, fold_count
from attrformer.relations.indirect import indirect_relation
from attrformer.relations.item_attribute import FeatureRelation, item_attribute_relation
from attrformer.relations.moment import MomentRelation, moment_relation
from attrformer.relations.naming import relation_name
from attrformer.relations.neighbours import NeighbourIndex
from attrformer.relations.positions import level_edges
from attrformer.relations.reading import Reading
from attrformer.relations.rows import RowRelation
from attrformer.relations.user_attribute import lift_relation, user_values

INDIRECT = "indirect"
RATING_LEVELS = 5

LONG_HISTORIES = 20
"""Mean training interactions of a user from which a wide window is used where the options leave it open."""


@dataclass(frozen=True, slots=True, eq=False)
class UserRelation:
    """A user attribute: the code of every user, and the lift of every value over the catalogue.

    Args:
        codes: int64 `[users]`; `len(labels) - 1` means missing.
        labels: external values, the last one for missing.
        lift: rows keyed by value.
        reading: how users that come later are read; None where a model was saved without it.
    """

    codes: NDArray[np.int64]
    labels: tuple[str, ...]
    lift: RowRelation
    reading: Reading | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RelationSet:
    """Every relation of one fitted model.

    Args:
        items: catalogue size.
        folds: number of cross-fitting folds.
        fold_of_user: int64 `[users]`.
        rows: relations between items counted or supplied as rows (co-occurrence, edges), by name.
        features: item attributes, by name.
        users: user attributes, by name.
        identity: whether the identity relation is on.
        neighbours: index of training users, or None.
        popularity: float32 `[items]`, training interactions of each item.
        time_gaps: whether positions are related by their time gap.
        levels: edges of each behaviour attribute's levels, by name.
        moment: what people take at about the same time, or None.
    """

    items: int
    folds: int
    fold_of_user: NDArray[np.int64]
    rows: dict[str, RowRelation]
    features: dict[str, FeatureRelation]
    users: dict[str, UserRelation]
    identity: bool
    neighbours: NeighbourIndex | None
    popularity: NDArray[np.float32]
    time_gaps: bool
    levels: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    moment: MomentRelation | None = None

    @property
    def item_columns(self) -> dict[str, FeatureRelation]:
        """The item attributes that are columns of the items' table, by name."""
        return {name: feature for name, feature in self.features.items() if not feature.from_ids}


def build_relations(dataset: Dataset, train: Sequences, config: RelationsConfig, seed: int) -> RelationSet:
    """Builds every relation that the configuration asks for.

    Args:
        dataset: attributes and edge tables; its own sequences are not read, but to find out whether they numbered
            the items, where the order of ids is asked for.
        train: the training interactions, all that counted relations may see.
        config: which relations, and how they are counted.
        seed: of the fold assignment.

    Raises:
        ConfigurationError: where the configuration names an attribute or edge table that the dataset lacks, or asks
            for the order of ids that number items by first appearance.
    """
    items = dataset.item_count
    folds = assign_folds(len(train), config.folds, seed)
    rows = _row_relations(dataset, train, config, folds)
    features = {}
    for attribute, from_ids in _item_attributes(dataset, train, config):
        relation = item_attribute_relation(attribute, buckets=config.buckets, max_values=config.max_values)
        if relation is not None:
            features[attribute.name] = replace(relation, from_ids=from_ids)
    users = {}
    for name in _chosen(config.user_attributes, dataset.user_attributes, "relations.user_attributes"):
        codes, labels, reading = user_values(dataset.user_attributes[name], config.buckets)
        users[name] = UserRelation(codes, labels, lift_relation(name, train, items, folds, codes, len(labels)), reading)
    neighbours = None
    if _wanted(config.neighbours, train):
        neighbours = NeighbourIndex.build(
            train,
            items,
            count=config.neighbour_count,
            anchors=config.neighbour_anchors,
            horizon=config.neighbour_horizon,
            candidates=config.neighbour_candidates,
        )
    moment = None
    if config.moment and train.times is not None:
        moment = moment_relation(train, items, folds, moments=config.moments, reach=config.moment_reach)
    return RelationSet(
        items=items,
        folds=fold_count(folds),
        fold_of_user=folds,
        rows=rows,
        features=features,
        users=users,
        identity=config.identity,
        neighbours=neighbours,
        popularity=np.bincount(train.items, minlength=items).astype(np.float32),
        time_gaps=config.behaviours and train.times is not None,
        levels={n: level_edges(v, RATING_LEVELS) for n, v in train.behaviours.items()} if config.behaviours else {},
        moment=moment,
    )


def _item_attributes(dataset: Dataset, train: Sequences, config: RelationsConfig) -> list[tuple[Attribute, bool]]:
    """The attributes of items that become relations, and whether each is made of ids rather than a column."""
    names = _chosen(config.item_attributes, dataset.item_attributes, "relations.item_attributes")
    found = [(dataset.item_attributes[name], False) for name in names]
    wanted = config.id_order
    if wanted is False or (wanted is None and id_order.NAME in names):
        return found
    if id_order.NAME in names:
        raise ConfigurationError(
            f"The items have an attribute '{id_order.NAME}' of their own. Set relations.id_order=false, or rename it."
        )
    id_order.checked_numbering(dataset)
    if wanted is None and not id_order.follows_order(dataset.item_ids, train):
        return found
    return [*found, (id_order.id_order_attribute(dataset.item_ids, config.max_values), True)]


def _row_relations(
    dataset: Dataset, train: Sequences, config: RelationsConfig, folds: NDArray[np.int64]
) -> dict[str, RowRelation]:
    """Co-occurrence and edge tables, by name."""
    items = dataset.item_count
    top_k = _kept_entries(items, config)
    names = [name for name in _windows(config) if _wanted(_windows(config)[name].enabled, train)]
    if config.indirect and "near" in names:
        names.append(INDIRECT)
    rows = counted_rows(names, train, items, folds, config)
    for name in _chosen(config.edges, dataset.item_relations, "relations.edges"):
        key = relation_name("edge", name)
        rows[key] = edge_relation(key, dataset.item_relations[name], items, top_k=top_k)
    return rows


def counted_rows(
    names: Iterable[str], train: Sequences, items: int, folds: NDArray[np.int64] | None, config: RelationsConfig
) -> dict[str, RowRelation]:
    """The relations between items that are counted in what users did.

    Args:
        names: which of them; others are left out. "indirect" needs "near" before it.
        train: what is counted.
        items: catalogue size.
        folds: fold of each user; None counts for inference only.
        config: how they are counted.
    """
    windows, top_k = _windows(config), _kept_entries(items, config)
    rows: dict[str, RowRelation] = {}
    for name in names:
        if name in windows:
            rows[name] = cooccurrence_relation(name, train, items, folds, windows[name], top_k=top_k)
        elif name == INDIRECT:
            rows[name] = indirect_relation(name, rows["near"], top_k=top_k)
    return rows


def _windows(config: RelationsConfig) -> dict[str, CooccurrenceConfig]:
    return {"near": config.near, "wide": config.wide, "next": config.next}


def _kept_entries(items: int, config: RelationsConfig) -> int | None:
    """Entries kept of each row between items; None where the catalogue is small enough for whole rows."""
    return None if items <= config.dense_items else min(config.top_k, items)


def _wanted(enabled: bool | None, train: Sequences) -> bool:
    """What the options say, or whether histories are long where they leave it open."""
    if enabled is not None:
        return enabled
    # In short histories a wide window sees the same pairs as a narrow one, at twice the cost, and what users with a
    # similar history did next is what co-occurrence says already (docs/lab-notes.md).
    return len(train.items) >= LONG_HISTORIES * max(len(train), 1)


def _chosen(names: tuple[str, ...] | None, available: Mapping[str, object], option: str) -> list[str]:
    if names is None:
        return list(available)
    unknown = [name for name in names if name not in available]
    if unknown:
        raise ConfigurationError(
            f"{option} names '{unknown[0]}', which the dataset does not have. It has: {', '.join(available) or 'none'}."
        )
    return list(names)
