"""Models that earlier versions saved: their layout of relations, and their names of parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor

from attrformer.earlier_names import RELATIONS
from attrformer.recommender.packing import relation_set
from attrformer.relations.attribute_encoder import STORED_AS
from attrformer.relations.base import Arrays, Relation
from attrformer.relations.cooccurrence import CooccurrenceRelation
from attrformer.relations.edges import EdgeRelation
from attrformer.relations.id_order import IdOrderRelation
from attrformer.relations.indirect import NAME as INDIRECT
from attrformer.relations.indirect import IndirectRelation
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.naming import earlier_key, module_key, relation_name
from attrformer.relations.positions import BehaviourRelation, TimeGapRelation
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.repeat import RepeatRelation
from attrformer.relations.row_table import RowRelation
from attrformer.relations.similar_users import NAME as SIMILAR_USERS
from attrformer.relations.similar_users import SimilarUsersRelation
from attrformer.relations.time_bucket import NAME as TIME_BUCKET
from attrformer.relations.time_bucket import TimeBucketRelation
from attrformer.relations.user_attribute import UserAttributeRelation


def unpack_by_kind(arrays: Arrays, layout: dict[str, Any]) -> RelationSet:
    """Relations of the versions 1 and 2, which had a place in the description for each kind.

    Args:
        arrays: of the file.
        layout: what the description says of the relations.

    Raises:
        KeyError: an array or a part of the description is missing.
    """

    def of(prefix: str) -> Arrays:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    def told(entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "column": entry["name"], STORED_AS: entry.get("kind")}

    found: list[Relation] = []
    for number, entry in enumerate(layout["rows"]):
        name = RELATIONS.get(entry["name"], entry["name"])
        found.append(_rows_kind(name).from_arrays(name, of(f"rows/{number}/"), entry))
    for number, entry in enumerate(layout["features"]):
        kind = IdOrderRelation if entry.get("from_ids", False) else ItemAttributeRelation
        found.append(kind.from_arrays(entry["name"], of(f"features/{number}/"), told(entry)))
    for number, entry in enumerate(layout["users"]):
        found.append(UserAttributeRelation.from_arrays(entry["name"], of(f"users/{number}/"), told(entry)))
    # The first models of version 1 have no time buckets.
    times, neighbours = layout.get("moment"), layout["neighbours"]
    found += [] if times is None else [TimeBucketRelation.from_arrays(TIME_BUCKET, of("moment/"), times)]
    found += [RepeatRelation()] if layout["identity"] else []
    if neighbours is not None:
        found.append(SimilarUsersRelation.from_arrays(SIMILAR_USERS, of("neighbours/"), neighbours))
    found += [TimeGapRelation()] if layout["time_gaps"] else []
    found += [BehaviourRelation(name, arrays[f"levels/{n}"]) for n, name in enumerate(layout["levels"])]
    return relation_set(layout["items"], arrays["popularity"], found)


def with_names_of_today(layout: dict[str, Any]) -> dict[str, Any]:
    """What the description of version 3 says of the relations, with kinds and names of today.

    Args:
        layout: as `pack_relations` gave it then.

    Raises:
        KeyError: a part of the description is missing.
    """
    renamed = [
        {**told, **{key: RELATIONS.get(told[key], told[key]) for key in ("kind", "name")}}
        for told in layout["relations"]
    ]
    return {**layout, "relations": renamed}


def _rows_kind(name: str) -> type[RowRelation]:
    if name.startswith(relation_name(EdgeRelation.kind, "")):
        return EdgeRelation
    return IndirectRelation if name == INDIRECT else CooccurrenceRelation


def with_present_names(
    relations: RelationSet, edges: Iterable[str], parameters: dict[str, Tensor], strengths: dict[str, float]
) -> tuple[RelationSet, dict[str, Tensor], dict[str, float]]:
    """Relations, parameters and strengths under the names that they have today.

    Such a model has no two relations whose names fell together: it could not be trained.

    Args:
        relations: of a saved model.
        edges: names of the edge tables among them.
        parameters: weights by name.
        strengths: strength of each relation.
    """
    columns = [*(("item", name) for name in relations.features), *(("user", name) for name in relations.users)]
    columns += [*(("behaviour", name) for name in relations.levels), *(("edge", name) for name in edges)]
    names = {earlier_key(*column): relation_name(*column) for column in columns}
    if all(module_key(name) == earlier for earlier, name in names.items()):
        return relations, parameters, strengths
    keys = {earlier: module_key(name) for earlier, name in names.items()}
    parts = {part for name in parameters for part in name.split(".")}
    if any(key != earlier and key in parts for earlier, key in keys.items()):
        return relations, parameters, strengths
    rows = [replace(row, name=names.get(name, name)) for name, row in relations.rows.items()]
    renamed_rows = dict(zip(relations.rows, rows, strict=True))
    kept = tuple(renamed_rows.get(name, relation) for name, relation in relations.items())
    renamed = {".".join(keys.get(part, part) for part in name.split(".")): value for name, value in parameters.items()}
    return (
        replace(relations, relations=kept),
        renamed,
        {names.get(name, name): value for name, value in strengths.items()},
    )


def first_mark(described: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """The checksum in a model of version 1, which covers the description and the parameters.

    Args:
        described: what the model's JSON file holds.
        tensors: its arrays.
    """
    content = {key: value for key, value in described.items() if key != "mark"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(tensors):
        if name.startswith("parameter/"):
            digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
