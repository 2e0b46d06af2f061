"""What lies beside an exported graph: ids, attributes and training sequences, as JSON and plain arrays."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.id_map import IdMap
from attrformer.data.meaning import PLAIN, Meaning
from attrformer.data.sequences import Sequences
from attrformer.errors import CheckpointError
from attrformer.io import file_checksum, has_checksum, json_text, read_json, with_checksum
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.changing_attribute import ChangingAttributeRelation
from attrformer.relations.user_index import UserIndex
from attrformer.rules.item_values import ItemValues

FORMAT: Final = "attrformer-onnx"
VERSION: Final = 2
CHANGING: Final = 3
"""The version of models that read attributes which change in time; readers of before would not know the inputs."""

UNCHECKED: Final = 1
"""The version before, which has no checksums."""

GRAPH: Final = "model.onnx"
DESCRIPTION: Final = "recommender.json"
ARRAYS: Final = "arrays.npz"

Out = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""What is told of a part of a model, and its arrays."""

_ITEM_VALUES: Final = "item_values/"
_ID_TYPES: Final[dict[str, Any]] = {"String": pl.String, "Int64": pl.Int64}


@dataclass(frozen=True, slots=True, eq=False)
class UserAttribute:
    """An attribute of users.

    Args:
        labels: external value of each code, the last one for a missing value.
        codes: int64 `[users]`, what is known of the users of the training.
        encoder: how values become codes; None where the model was saved without it.
    """

    labels: tuple[str, ...]
    codes: NDArray[np.int64]
    encoder: AttributeEncoder | None


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
        behaviours: behaviour attributes that a history may have.
        meaning: of the interactions.
        item_values: attribute values of all items, for rules; None where an earlier version exported the model.
        changing: relations of attributes that change in time, by name.
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
    behaviours: tuple[str, ...] = ()
    meaning: Meaning = PLAIN
    item_values: ItemValues | None = None
    changing: dict[str, ChangingAttributeRelation] = field(default_factory=dict)


def write_description(description: Description, folder: Path) -> None:
    """Writes `recommender.json` and `arrays.npz` into a folder that holds the graph already."""
    described: dict[str, Any] = {
        "format": FORMAT,
        "version": CHANGING if description.changing else VERSION,
        "model": description.model,
        "max_length": description.max_length,
        "times": description.times,
        "frame_library": description.frame_library,
    }
    arrays: dict[str, NDArray[Any]] = {}
    for told, own in (_users_out(description), _histories_out(description), _values_out(description)):
        described |= told
        arrays |= own
    described |= {"items": _ids_out(description.items), "users": _ids_out(description.users)}
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    described["files"] = {path.name: file_checksum(path) for path in sorted(folder.iterdir())}
    (folder / DESCRIPTION).write_text(json_text(with_checksum(described)), encoding="utf-8")


def _users_out(description: Description) -> Out:
    """Attributes of users."""
    attributes, arrays = [], dict[str, NDArray[Any]]()
    for number, (name, attribute) in enumerate(description.attributes.items()):
        arrays[f"users/{number}/codes"] = attribute.codes
        own, kind = AttributeEncoder.to_arrays(attribute.encoder)
        arrays |= {f"users/{number}/{part}": array for part, array in own.items()}
        attributes.append({"name": name, "labels": list(attribute.labels), "kind": kind})
    return {"user_attributes": attributes}, arrays


def _histories_out(description: Description) -> Out:
    """What is read of histories, and those of similar users."""
    arrays: dict[str, NDArray[Any]] = {
        f"levels/{number}": edges for number, edges in enumerate(description.levels.values())
    }
    index, neighbours = description.similar_users, None
    if index is not None:
        neighbours = {"count": index.count, "anchors": index.anchors, "horizon": index.horizon}
        arrays |= {f"neighbours/{part}": getattr(index, part) for part in ("positions", "starts", "idf")}
        arrays |= {"neighbours/offsets": index.train.offsets, "neighbours/items": index.train.items}
    told = {
        "levels": list(description.levels),
        "behaviours": list(description.behaviours),
        "meaning": description.meaning.to_json(),
        "neighbours": neighbours,
    }
    return told, arrays


def _values_out(description: Description) -> Out:
    """Attribute values of items, for rules and over time."""
    arrays, values = dict[str, NDArray[Any]](), None
    if description.item_values is not None:
        own, values = description.item_values.to_arrays()
        arrays |= {f"{_ITEM_VALUES}{name}": array for name, array in own.items()}
    changing = []
    for number, (name, relation) in enumerate(description.changing.items()):
        own, told = relation.to_arrays()
        arrays |= {f"changing/{number}/{part}": array for part, array in own.items()}
        changing.append({"name": name, **told})
    return {"item_values": values} | ({"changing": changing} if changing else {}), arrays


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
    if version not in (UNCHECKED, VERSION, CHANGING):
        raise CheckpointError(
            f"{folder} has format version {str(version)[:20]}, this library reads {UNCHECKED} to {CHANGING}. "
            "Export again."
        )
    try:
        if version != UNCHECKED:
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
        prefix = f"users/{number}/"
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        encoder = AttributeEncoder.from_arrays(own, entry["kind"])
        attributes[entry["name"]] = UserAttribute(tuple(entry["labels"]), own["codes"], encoder)
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
        behaviours=tuple(described.get("behaviours", described["levels"])),
        meaning=Meaning.from_json(described.get("meaning", {})),
        item_values=_item_values(described, arrays),
        changing=_changing(described, arrays),
    )


def _changing(described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> dict[str, ChangingAttributeRelation]:
    found = {}
    for number, told in enumerate(described.get("changing", ())):
        prefix, name = f"changing/{number}/", told["name"]
        own = {part.removeprefix(prefix): array for part, array in arrays.items() if part.startswith(prefix)}
        found[name] = ChangingAttributeRelation.from_arrays(name, own, told)
        found[name].check(len(described["items"]["values"]), len(described["users"]["values"]))
    return found


def _item_values(described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ItemValues | None:
    told = described.get("item_values")
    if told is None:
        return None
    own = {name.removeprefix(_ITEM_VALUES): each for name, each in arrays.items() if name.startswith(_ITEM_VALUES)}
    found = ItemValues.from_arrays(len(described["items"]["values"]), own, told)
    found.check()
    return found


def _damaged(path: Path, problem: Exception) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({type(problem).__name__}: {problem}). Export the model again.")


def _ids_out(ids: IdMap) -> dict[str, Any]:
    return {"type": str(ids.values.dtype), "values": ids.to_list()}


def _ids_in(stored: dict[str, Any]) -> IdMap:
    return IdMap(pl.Series("id", stored["values"], dtype=_ID_TYPES[stored["type"]]))
