"""Relations and histories as named arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.sequences import Sequences
from attrformer.relations.build import RelationSet, UserRelation
from attrformer.relations.item_attribute import FeatureRelation
from attrformer.relations.moment import MomentRelation
from attrformer.relations.neighbours import NeighbourIndex
from attrformer.relations.reading import Reading
from attrformer.relations.rows import RowRelation

Arrays = dict[str, NDArray[Any]]


def pack_relations(relations: RelationSet) -> tuple[Arrays, dict[str, Any]]:
    """Relations for inference as arrays and a plain description of them.

    Names given by users stand in the description only; arrays are named by kind and number.

    Args:
        relations: reduced by `for_inference`.
    """
    arrays: Arrays = {"popularity": relations.popularity}
    layout: dict[str, Any] = {
        "items": relations.items,
        "identity": relations.identity,
        "time_gaps": relations.time_gaps,
        "rows": [_pack_rows(arrays, f"rows/{n}", rows) for n, rows in enumerate(relations.rows.values())],
        "features": [],
        "users": [],
        "levels": list(relations.levels),
        "neighbours": None,
        "moment": None,
    }
    for number, feature in enumerate(relations.features.values()):
        arrays |= {f"features/{number}/{part}": getattr(feature, part) for part in ("codes", "weights", "diagonal")}
        kind = _pack_reading(arrays, f"features/{number}", feature.reading)
        told = {"name": feature.name, "labels": list(feature.labels), "kind": kind, "from_ids": feature.from_ids}
        layout["features"].append(told)
    for number, (name, user) in enumerate(relations.users.items()):
        arrays[f"users/{number}/codes"] = user.codes
        lift = _pack_rows(arrays, f"users/{number}/lift", user.lift)
        kind = _pack_reading(arrays, f"users/{number}", user.reading)
        layout["users"].append({"name": name, "labels": list(user.labels), "lift": lift, "kind": kind})
    for number, edges in enumerate(relations.levels.values()):
        arrays[f"levels/{number}"] = edges
    moment = relations.moment
    if moment is not None:
        arrays["moment/edges"] = moment.edges
        layout["moment"] = {"reach": moment.reach, "lift": _pack_rows(arrays, "moment/lift", moment.lift)}
    index = relations.neighbours
    if index is not None:
        arrays |= {f"neighbours/{part}": getattr(index, part) for part in ("positions", "starts", "idf")}
        arrays |= {f"neighbours/train/{name}": array for name, array in pack_sequences(index.train).items()}
        layout["neighbours"] = {"count": index.count, "anchors": index.anchors, "horizon": index.horizon}
    return arrays, layout


def unpack_relations(arrays: Arrays, layout: dict[str, Any]) -> RelationSet:
    """The inverse of `pack_relations`.

    Raises:
        KeyError: an array or a part of the description is missing.
    """
    features, users = {}, {}
    for number, entry in enumerate(layout["features"]):
        parts = {part: arrays[f"features/{number}/{part}"] for part in ("codes", "weights", "diagonal")}
        reading = _unpack_reading(arrays, f"features/{number}", entry)
        features[entry["name"]] = FeatureRelation(
            entry["name"],
            labels=tuple(entry["labels"]),
            reading=reading,
            from_ids=entry.get("from_ids", False),
            **parts,
        )
    for number, entry in enumerate(layout["users"]):
        lift = _unpack_rows(arrays, f"users/{number}/lift", entry["lift"])
        reading = _unpack_reading(arrays, f"users/{number}", entry)
        users[entry["name"]] = UserRelation(arrays[f"users/{number}/codes"], tuple(entry["labels"]), lift, reading)
    rows = [_unpack_rows(arrays, f"rows/{number}", entry) for number, entry in enumerate(layout["rows"])]
    neighbours = None
    if layout["neighbours"] is not None:
        neighbours = NeighbourIndex(
            unpack_sequences(arrays, "neighbours/train/"),
            arrays["neighbours/positions"],
            arrays["neighbours/starts"],
            arrays["neighbours/idf"],
            **layout["neighbours"],
        )
    # Models of version 1 that were saved before there was such a relation do not name it.
    moment = layout.get("moment")
    if moment is not None:
        lift = _unpack_rows(arrays, "moment/lift", moment["lift"])
        moment = MomentRelation(arrays["moment/edges"], moment["reach"], lift)
    return RelationSet(
        items=layout["items"],
        folds=0,
        fold_of_user=np.empty(0, dtype=np.int64),
        rows={row.name: row for row in rows},
        features=features,
        users=users,
        identity=layout["identity"],
        neighbours=neighbours,
        popularity=arrays["popularity"],
        time_gaps=layout["time_gaps"],
        levels={name: arrays[f"levels/{number}"] for number, name in enumerate(layout["levels"])},
        moment=moment,
    )


def _pack_reading(arrays: Arrays, prefix: str, reading: Reading | None) -> str | None:
    """The kind of the attribute; None where it is not known how it was read."""
    if reading is None:
        return None
    arrays |= {f"{prefix}/edges": reading.edges, f"{prefix}/buckets": reading.buckets}
    return reading.described


def _unpack_reading(arrays: Arrays, prefix: str, entry: dict[str, Any]) -> Reading | None:
    # Models of version 1 that were saved before items and users could be added do not say it.
    kind = entry.get("kind")
    return (
        None if kind is None else Reading.from_described(kind, arrays[f"{prefix}/edges"], arrays[f"{prefix}/buckets"])
    )


def pack_sequences(sequences: Sequences) -> Arrays:
    """Histories as arrays."""
    arrays: Arrays = {"offsets": sequences.offsets, "items": sequences.items}
    if sequences.times is not None:
        arrays["times"] = sequences.times
    return arrays | {f"behaviours/{name}": values for name, values in sequences.behaviours.items()}


def unpack_sequences(arrays: Arrays, prefix: str) -> Sequences:
    """The inverse of `pack_sequences`, from arrays whose names begin with `prefix`.

    Raises:
        KeyError: an array is missing.
    """
    behaviours = {
        name.removeprefix(f"{prefix}behaviours/"): values
        for name, values in arrays.items()
        if name.startswith(f"{prefix}behaviours/")
    }
    return Sequences(arrays[f"{prefix}offsets"], arrays[f"{prefix}items"], arrays.get(f"{prefix}times"), behaviours)


def _pack_rows(arrays: Arrays, prefix: str, rows: RowRelation) -> dict[str, Any]:
    for part in ("dense", "indices", "values"):
        block = getattr(rows, part)
        if block is not None:
            arrays[f"{prefix}/{part}"] = block
    return {"name": rows.name, "keys": rows.keys, "columns": rows.columns}


def _unpack_rows(arrays: Arrays, prefix: str, entry: dict[str, Any]) -> RowRelation:
    parts = {part: arrays.get(f"{prefix}/{part}") for part in ("dense", "indices", "values")}
    return RowRelation(entry["name"], entry["keys"], 0, entry["columns"], **parts)
