"""What lies beside an exported graph: ids, attributes and training sequences, as JSON and plain arrays."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.id_map import IdMap
from attrformer.data.sequences import Sequences
from attrformer.errors import CheckpointError
from attrformer.io import file_checksum, has_checksum, json_text, read_json, with_checksum
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.user_index import UserIndex

FORMAT: Final = "attrformer-onnx"
VERSION: Final = 2
UNCHECKED: Final = 1
"""The version before, which has no checksums."""

GRAPH: Final = "model.onnx"
DESCRIPTION: Final = "recommender.json"
ARRAYS: Final = "arrays.npz"

_ID_TYPES: Final[dict[str, Any]] = {"String": pl.String, "Int64": pl.Int64}


@dataclass(frozen=True, slots=True, eq=False)
class UserAttribute:
    """An attribute of users.

    Args:
        labels: external value of each code, the last one for a missing value.
        codes: int64 `[users]`, what is known of the users of the training.
        reading: how values become codes; None where the model was saved without it.
    """

    labels: tuple[str, ...]
    codes: NDArray[np.int64]
    reading: AttributeEncoder | None


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """Everything about an exported model but its graph.

    Args:
        model: its name.
        max_length: latest interactions of a history that are read.
        times: whether times are read.
        items: external ids of the catalogue.
        users: external ids of the users of the training.
        frame_library: library in which results come back.
        attributes: attributes of users, by name.
        levels: edges of each behaviour attribute's levels, by name.
        similar_users: index of training users, or None.
    """

    model: str
    max_length: int
    times: bool
    items: IdMap
    users: IdMap
    frame_library: str
    attributes: dict[str, UserAttribute]
    levels: dict[str, NDArray[np.float32]]
    similar_users: UserIndex | None


def write_description(description: Description, folder: Path) -> None:
    """Writes `recommender.json` and `arrays.npz` into a folder that holds the graph already."""
    arrays: dict[str, NDArray[Any]] = {}
    attributes = []
    for number, (name, attribute) in enumerate(description.attributes.items()):
        arrays[f"users/{number}/codes"] = attribute.codes
        reading = attribute.reading
        if reading is not None:
            arrays |= {f"users/{number}/edges": reading.edges, f"users/{number}/buckets": reading.buckets}
        kind = None if reading is None else reading.described
        attributes.append({"name": name, "labels": list(attribute.labels), "kind": kind})
    for number, edges in enumerate(description.levels.values()):
        arrays[f"levels/{number}"] = edges
    index, neighbours = description.similar_users, None
    if index is not None:
        neighbours = {"count": index.count, "anchors": index.anchors, "horizon": index.horizon}
        arrays |= {f"neighbours/{part}": getattr(index, part) for part in ("positions", "starts", "idf")}
        arrays |= {"neighbours/offsets": index.train.offsets, "neighbours/items": index.train.items}
    described = {
        "format": FORMAT,
        "version": VERSION,
        "model": description.model,
        "max_length": description.max_length,
        "times": description.times,
        "frame_library": description.frame_library,
        "user_attributes": attributes,
        "levels": list(description.levels),
        "neighbours": neighbours,
        "items": _ids_out(description.items),
        "users": _ids_out(description.users),
    }
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    described["files"] = {path.name: file_checksum(path) for path in sorted(folder.iterdir())}
    (folder / DESCRIPTION).write_text(json_text(with_checksum(described)), encoding="utf-8")


def read_description(folder: Path) -> Description:
    """The inverse of `write_description`.

    Raises:
        CheckpointError: the folder is no exported model, damaged or of another version.
    """
    path = folder / DESCRIPTION
    if not path.is_file() or not (folder / GRAPH).is_file():
        raise CheckpointError(f"{folder} holds no exported model. Make one: attrformer export RUN --out {folder}.")
    try:
        described = read_json(path)
        if described["format"] != FORMAT:
            raise ValueError("it describes something else")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    version = described.get("version")
    if version not in (UNCHECKED, VERSION):
        raise CheckpointError(
            f"{folder} has format version {str(version)[:20]}, this library reads {UNCHECKED} and {VERSION}. "
            "Export again."
        )
    try:
        if version == VERSION:
            _require_checksums(described, folder)
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
        return _described(described, arrays)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise _damaged(folder, error) from error


def _require_checksums(described: dict[str, Any], folder: Path) -> None:
    if not has_checksum(described):
        raise ValueError(f"{DESCRIPTION} does not have the checksum that it names")
    for name, digest in described["files"].items():
        if file_checksum(folder / name) != digest:
            raise ValueError(f"{name} does not have the checksum that {DESCRIPTION} names")


def is_export(folder: Path) -> bool:
    """Whether a folder holds an exported model, of any version."""
    return (folder / DESCRIPTION).is_file() and (folder / ARRAYS).is_file()


def _described(described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Description:
    attributes = {}
    for number, entry in enumerate(described["user_attributes"]):
        prefix, reading = f"users/{number}", None
        if entry["kind"] is not None:
            reading = AttributeEncoder.from_described(
                entry["kind"], arrays[f"{prefix}/edges"], arrays[f"{prefix}/buckets"]
            )
        attributes[entry["name"]] = UserAttribute(tuple(entry["labels"]), arrays[f"{prefix}/codes"], reading)
    neighbours = None
    if described["neighbours"] is not None:
        train = Sequences(arrays["neighbours/offsets"], arrays["neighbours/items"])
        places, starts, idf = (arrays[f"neighbours/{part}"] for part in ("positions", "starts", "idf"))
        neighbours = UserIndex(train, places, starts, idf, **described["neighbours"])
    return Description(
        model=described["model"],
        max_length=described["max_length"],
        times=described["times"],
        items=_ids_in(described["items"]),
        users=_ids_in(described["users"]),
        frame_library=described["frame_library"],
        attributes=attributes,
        levels={name: arrays[f"levels/{number}"] for number, name in enumerate(described["levels"])},
        similar_users=neighbours,
    )


def _damaged(path: Path, problem: Exception) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({type(problem).__name__}: {problem}). Export the model again.")


def _ids_out(ids: IdMap) -> dict[str, Any]:
    return {"type": str(ids.values.dtype), "values": ids.to_list()}


def _ids_in(stored: dict[str, Any]) -> IdMap:
    return IdMap(pl.Series("id", stored["values"], dtype=_ID_TYPES[stored["type"]]))
