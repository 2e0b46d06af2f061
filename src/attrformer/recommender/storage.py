"""A fitted model as a folder of two files: `model.safetensors` and `model.json`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from attrformer import earlier_names
from attrformer.config import from_dict, to_dict
from attrformer.data.id_map import IdMap
from attrformer.data.meaning import Meaning
from attrformer.data.sequences import Sequences
from attrformer.errors import CheckpointError, ConfigurationError, is_out_of_memory
from attrformer.folders import files_together, standing_file
from attrformer.io import file_checksum, has_checksum, json_text, read_json, with_checksum
from attrformer.locks import locked_folder
from attrformer.recommender.config import Config
from attrformer.recommender.legacy import first_mark, unpack_by_kind, with_names_of_today, with_present_names
from attrformer.recommender.packing import pack_relations, unpack_relations
from attrformer.recommender.run_folder import MODEL
from attrformer.recommender.soundness import require_sound
from attrformer.recommender.state import ModelMetadata, ModelState
from attrformer.relations.base import Arrays
from attrformer.relations.relation_set import RelationSet
from attrformer.rules.item_values import ItemValues
from attrformer.training.checkpoint import parameters_of

FORMAT: Final = "attrformer-model"
VERSION: Final = 4
BY_KIND: Final = (1, 2)
"""Versions whose description has a place for each kind of relation."""

EARLIER: Final = (*BY_KIND, 3)
"""Versions whose relations and options have the names of before."""

UNCHECKED: Final = 1
"""The version whose mark covers the description and the parameters but no other array."""

TENSORS: Final = "model.safetensors"
DESCRIPTION: Final = "model.json"

ITEM_VALUES: Final = "item_values/"
PARAMETER: Final = "parameter/"

_TRIES: Final = 5
_SHOWN: Final = 200
_ID_TYPES: Final = {"String": pl.String, "Int64": pl.Int64}


def save_model(fitted: ModelState, config: Config, folder: Path) -> None:
    """Writes a model that recommends without its dataset.

    Both files appear at once. The description holds the checksum of the arrays and one of itself, so that
    `load_model` notices a changed bit, wherever it is.

    Args:
        fitted: the model.
        config: options that it was fitted with.
        folder: made where needed; a model that lies there is replaced, other files stay.

    Raises:
        BusyError: another process is saving a model there.
        WriteError: the files cannot be written; a model that lay there is as it was.
    """
    tensors, described = _packed(fitted, config)
    with locked_folder(folder), files_together(folder) as staged:
        # With one entry the header is the same each time; the library writes several in any order.
        save_file(tensors, staged / TENSORS, metadata={"format": FORMAT})
        described["mark"] = file_checksum(staged / TENSORS)
        text = json_text(with_checksum(described))
        (staged / DESCRIPTION).write_text(text, encoding="utf-8")
        # safetensors 0.8 lets nobody else read what it writes, whatever the umask says; a service is another user.
        shutil.copymode(staged / DESCRIPTION, staged / TENSORS)


def _packed(fitted: ModelState, config: Config) -> tuple[dict[str, Tensor], dict[str, Any]]:
    arrays, layout = pack_relations(fitted.relations)
    # Copies, since a split may share its arrays with the histories and safetensors refuses shared memory.
    arrays |= {f"histories/{n}": array.copy() for n, array in fitted.knowledge.histories.to_arrays().items()}
    told = None
    if fitted.knowledge.item_values is not None:
        values, told = fitted.knowledge.item_values.to_arrays()
        arrays |= {f"{ITEM_VALUES}{name}": array.copy() for name, array in values.items()}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    tensors |= {
        f"{PARAMETER}{n}": value.detach().cpu().contiguous() for n, value in parameters_of(fitted.network).items()
    }
    knowledge = fitted.knowledge
    described: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "config": to_dict(config),
        "relations": layout,
        "users": _ids_out(knowledge.user_ids),
        "items": _ids_out(knowledge.item_ids),
        "titles": None if knowledge.titles is None else list(knowledge.titles),
        "dataset": knowledge.dataset,
        "frame_library": knowledge.frame_library,
        "edges": list(knowledge.edges),
        "dropout": knowledge.dropout,
        "precision": knowledge.precision,
        "selection": knowledge.selection,
        "strengths": knowledge.strengths,
        "figures": knowledge.figures,
        "updated": knowledge.updated,
        **({"meaning": meaning} if (meaning := knowledge.histories.meaning.to_json()) else {}),
        "item_values": told,
    }
    return tensors, described


def load_model(folder: Path, device: torch.device) -> tuple[ModelState, Config]:
    """Reads what `save_model` wrote.

    Args:
        folder: the model folder, or that of a run, which has it in `model`.
        device: where to compute.

    Raises:
        CheckpointError: a file is missing, damaged, of another version, or the two do not belong together.
    """
    folders = (folder, folder / MODEL)
    found = next((each for each in folders if standing_file(each, DESCRIPTION).is_file()), None)
    if found is None:
        raise CheckpointError(f"{folder} holds no {DESCRIPTION}. Give the folder of a saved model or of a run.")
    folder = found
    described, tensors = _read(folder)
    with _damage_reported(folder, device):
        config = from_dict(Config, earlier_names.configuration(described["config"]))
        arrays = {name: tensor.numpy() for name, tensor in tensors.items() if not name.startswith(PARAMETER)}
        relations, parameters, strengths = _by_present_names(described, tensors, arrays)
        metadata = _metadata(described, arrays, strengths)
        require_sound(relations, metadata, parameters)
        return ModelState(config.model, relations, parameters, metadata, device), config


@contextmanager
def _damage_reported(folder: Path, device: torch.device) -> Iterator[None]:
    """Whatever goes wrong with the contents of a folder is a CheckpointError that names it."""
    try:
        yield
    except ConfigurationError as error:
        raise CheckpointError(f"The model in {folder} has options that are not known here. {error}") from error
    except CheckpointError as error:
        raise _damaged(folder, str(error).rstrip(".")) from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error
    except (RuntimeError, pl.exceptions.PolarsError) as error:
        if is_out_of_memory(error) or device.type != "cpu":
            raise
        raise _damaged(folder, str(error)) from error


def _by_present_names(
    described: dict[str, Any], tensors: dict[str, Tensor], arrays: Arrays
) -> tuple[RelationSet, dict[str, Tensor], dict[str, float]]:
    """Relations, parameters and strengths, whatever the version that wrote them called them."""
    parameters = {n.removeprefix(PARAMETER): value for n, value in tensors.items() if n.startswith(PARAMETER)}
    strengths = described["strengths"]
    if described["version"] in EARLIER:
        parameters = {earlier_names.parameter(name): value for name, value in parameters.items()}
        strengths = {earlier_names.RELATIONS.get(name, name): value for name, value in strengths.items()}
    return with_present_names(_relations(arrays, described), described["edges"], parameters, strengths)


def _metadata(described: dict[str, Any], arrays: Arrays, strengths: dict[str, float]) -> ModelMetadata:
    titles, meaning = described["titles"], Meaning.from_json(described.get("meaning", {}))
    return ModelMetadata(
        dataset=described["dataset"],
        user_ids=_ids_in(described["users"]),
        item_ids=_ids_in(described["items"]),
        titles=None if titles is None else tuple(titles),
        histories=replace(Sequences.from_arrays(arrays, "histories/"), meaning=meaning),
        frame_library=described["frame_library"],
        edges=tuple(described["edges"]),
        dropout=described["dropout"],
        precision=described["precision"],
        selection=described["selection"],
        strengths=strengths,
        figures=described["figures"],
        updated=described.get("updated", 0),
        item_values=_item_values(arrays, described),
    )


def _relations(arrays: Arrays, described: dict[str, Any]) -> RelationSet:
    version, layout = described["version"], described["relations"]
    if version in BY_KIND:
        return unpack_by_kind(arrays, layout)
    return unpack_relations(arrays, with_names_of_today(layout) if version in EARLIER else layout)


def _item_values(arrays: Arrays, described: dict[str, Any]) -> ItemValues | None:
    """Attribute values for rules; earlier versions did not keep them."""
    told = described.get("item_values")
    if told is None:
        return None
    own = {name.removeprefix(ITEM_VALUES): each for name, each in arrays.items() if name.startswith(ITEM_VALUES)}
    found = ItemValues.from_arrays(len(described["items"]["values"]), own, told)
    found.check()
    return found


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Both files of a model, checked against each other; read again where they were replaced meanwhile."""
    for _ in range(_TRIES):
        before = _signature(folder)
        try:
            return _read_once(folder)
        except CheckpointError:
            if _signature(folder) == before:
                raise
    return _read_once(folder)


def _signature(folder: Path) -> list[object]:
    """What changes when the files of a model are replaced."""
    found: list[object] = []
    for name in (DESCRIPTION, TENSORS):
        path = standing_file(folder, name)
        try:
            state = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((path, state.st_ino, state.st_mtime_ns, state.st_size))
    return found


def _read_once(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    described = _read_description(folder)
    path = standing_file(folder, TENSORS)
    try:
        sound = described["version"] == UNCHECKED or file_checksum(path) == described["mark"]
        with safe_open(path, framework="pt") as file:
            mark = (file.metadata() or {}).get("mark")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise _damaged(folder, f"{TENSORS}: {error}") from error
    if described["version"] == UNCHECKED:
        sound = mark == described["mark"] == first_mark(described, tensors)
    if not sound:
        raise _damaged(folder, f"{TENSORS} is damaged, or {TENSORS} and {DESCRIPTION} are of different models")
    return described, tensors


def _read_description(folder: Path) -> dict[str, Any]:
    path = standing_file(folder, DESCRIPTION)
    try:
        described = read_json(path)
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"{DESCRIPTION}: {error}") from error
    if not isinstance(described, dict) or described.get("format") != FORMAT or "mark" not in described:
        raise _damaged(folder, f"{DESCRIPTION} describes no model")
    version = described.get("version")
    if version not in (*EARLIER, VERSION):
        raise CheckpointError(
            f"The model in {folder} has format version {str(version)[:20]}, this library reads {UNCHECKED} to "
            f"{VERSION}. Fit it again, or use the version of attrformer that wrote it."
        )
    if version != UNCHECKED and not has_checksum(described):
        raise _damaged(folder, f"{DESCRIPTION} does not have the checksum that it names")
    return described


def _damaged(folder: Path, problem: str) -> CheckpointError:
    told = " ".join(problem.split())[:_SHOWN]
    return CheckpointError(
        f"The model in {folder} cannot be read ({told}). Save it again, or restore the folder from a copy."
    )


def _ids_out(ids: IdMap) -> dict[str, Any]:
    return {"type": str(ids.values.dtype), "values": ids.to_list()}


def _ids_in(stored: dict[str, Any]) -> IdMap:
    return IdMap(pl.Series("id", stored["values"], dtype=_ID_TYPES[stored["type"]]))
