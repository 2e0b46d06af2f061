"""Relations for inference after training: new items join them, and new interactions are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute
from attrformer.dataset.ids import Ids
from attrformer.dataset.sequences import Sequences
from attrformer.relations import id_order
from attrformer.relations.build import RelationSet, UserRelation, counted_rows
from attrformer.relations.config import RelationsConfig
from attrformer.relations.item_attribute import FeatureRelation, phi_rows
from attrformer.relations.moment import counted_moments, with_later_moments
from attrformer.relations.neighbours import NeighbourIndex
from attrformer.relations.rows import RowRelation
from attrformer.relations.user_attribute import lift_relation


def with_more_items(relations: RelationSet, attributes: Mapping[str, Attribute], known: Ids, new: Ids) -> RelationSet:
    """Relations with items that nobody has touched, behind those that are there.

    What is said about the other items stays as it is. The new ones are related by their attributes; no history goes
    with them yet, everybody likes them as much as anybody does, and edge tables do not name them.

    Args:
        relations: for inference.
        attributes: of the new items, one for each of `relations.item_columns`, as they were read.
        known: ids of the items that are there.
        new: ids of the new items, in the order of their codes.
    """
    count, moment = len(new), relations.moment
    items = relations.items + count
    return replace(
        relations,
        items=items,
        rows={name: _wider(rows, count) for name, rows in relations.rows.items()},
        features={
            name: _with_places(feature, known, new) if feature.from_ids else _with_values(feature, attributes[name])
            for name, feature in relations.features.items()
        },
        users={name: replace(user, lift=_wider_lift(user.lift, count)) for name, user in relations.users.items()},
        neighbours=None if relations.neighbours is None else _wider_index(relations.neighbours, count),
        popularity=np.pad(relations.popularity, (0, count)),
        moment=None if moment is None else replace(moment, lift=_wider_lift(moment.lift, count)),
    )


def recounted(
    relations: RelationSet, histories: Sequences, config: RelationsConfig, codes: Mapping[str, NDArray[np.int64]]
) -> RelationSet:
    """Relations for inference, with all that is counted in what users did counted anew.

    Attributes of items, edge tables and the levels of behaviour attributes stay as they are.

    Args:
        relations: for inference.
        histories: what every user did, item codes of `relations`.
        config: how relations are counted.
        codes: int64 `[users]` by user attribute, the value of each user.
    """
    everyone, items = np.zeros(len(histories), dtype=np.int64), relations.items
    users = {}
    for name, user in relations.users.items():
        lift = lift_relation(user.lift.name, histories, items, everyone, codes[name], len(user.labels))
        users[name] = UserRelation(codes[name], user.labels, lift.for_inference(), user.reading)
    moment = relations.moment
    if moment is not None:
        assert histories.times is not None
        edges = with_later_moments(moment.edges, histories.times, items)
        moment = counted_moments(edges, moment.reach, histories, items, everyone).for_inference()
    index = relations.neighbours
    if index is not None:
        index = NeighbourIndex.build(
            Sequences(histories.offsets, histories.items),
            items,
            count=index.count,
            anchors=index.anchors,
            horizon=index.horizon,
            candidates=config.neighbour_candidates,
        )
    return replace(
        relations,
        rows={**relations.rows, **counted_rows(relations.rows, histories, items, None, config)},
        users=users,
        neighbours=index,
        popularity=np.bincount(histories.items, minlength=items).astype(np.float32),
        moment=moment,
    )


def _wider(relation: RowRelation, count: int) -> RowRelation:
    """A relation between items where new ones are related to nothing; whole rows stay as narrow as they are."""
    more: list[tuple[int, int]] = [(0, count), (0, 0)]
    return replace(
        relation,
        keys=relation.keys + count,
        columns=relation.columns + count,
        indices=None if relation.indices is None else np.pad(relation.indices, more),
        values=None if relation.values is None else np.pad(relation.values, more),
    )


def _wider_lift(lift: RowRelation, count: int) -> RowRelation:
    """Lifts with items that have 1 in every row; a row that says nothing, of a missing value, stays so."""
    assert lift.dense is not None
    says = lift.dense.any(axis=1, keepdims=True).astype(np.float32)
    return replace(lift, columns=lift.columns + count, dense=np.hstack([lift.dense, says.repeat(count, axis=1)]))


def _with_values(feature: FeatureRelation, attribute: Attribute) -> FeatureRelation:
    """phi_a with new items, their values as in training; values that were not there then relate to nothing."""
    assert feature.reading is not None
    owner, values = feature.reading.codes(attribute, feature.labels)
    codes, weights = phi_rows(owner, values, len(attribute), feature.codes.shape[1])
    wider = [(0, 0), (0, codes.shape[1] - feature.codes.shape[1])]
    return replace(
        feature,
        codes=np.concatenate([np.pad(feature.codes, wider), codes]),
        weights=np.concatenate([np.pad(feature.weights, wider), weights]),
    )


def _with_places(order: FeatureRelation, known: Ids, new: Ids) -> FeatureRelation:
    """The order of ids with new ones, each with the values of the known item before it."""
    before = id_order.items_before(known, new)
    return replace(
        order,
        codes=np.concatenate([order.codes, order.codes[before]]),
        weights=np.concatenate([order.weights, order.weights[before]]),
    )


def _wider_index(index: NeighbourIndex, count: int) -> NeighbourIndex:
    """An index with items that no training user has."""
    idf = np.full(count, np.log1p(max(len(index.train), 1)), dtype=np.float32)
    starts = np.pad(index.starts, (0, count), mode="edge")
    return replace(index, starts=starts, idf=np.concatenate([index.idf, idf]))
