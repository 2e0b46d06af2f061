"""A fitted model as a folder of two files: `model.safetensors` and `model.json`."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from attrformer.configuration import from_dict, to_dict
from attrformer.dataset.ids import Ids
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.recommender.config import Config
from attrformer.recommender.fitted import Fitted, Knowledge
from attrformer.recommender.legacy import with_present_names
from attrformer.recommender.packing import pack_relations, pack_sequences, unpack_relations, unpack_sequences
from attrformer.training.checkpoint import parameters_of, write_json

FORMAT: Final = "attrformer-model"
VERSION: Final = 1
TENSORS: Final = "model.safetensors"
DESCRIPTION: Final = "model.json"

_ID_TYPES: Final = {"String": pl.String, "Int64": pl.Int64}


def save_model(fitted: Fitted, config: Config, folder: Path) -> None:
    """Writes a model that recommends without its dataset.

    Each file is written under a temporary name and renamed. Both carry one mark, by which `load_model` refuses a pair
    that does not belong together.

    Args:
        fitted: the model.
        config: options that it was fitted with.
        folder: made where needed; a model that lies there is replaced.
    """
    arrays, layout = pack_relations(fitted.relations)
    # Copies, since a split may share its arrays with the histories and safetensors refuses shared memory.
    arrays |= {f"histories/{n}": array.copy() for n, array in pack_sequences(fitted.knowledge.histories).items()}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    tensors |= {
        f"parameter/{n}": value.detach().cpu().contiguous() for n, value in parameters_of(fitted.network).items()
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
    }
    mark = _mark(described, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{TENSORS}.tmp"
    save_file(tensors, unfinished, metadata={"format": FORMAT, "mark": mark})
    os.replace(unfinished, folder / TENSORS)
    write_json(folder / DESCRIPTION, {**described, "mark": mark})


def load_model(folder: Path, device: torch.device) -> tuple[Fitted, Config]:
    """Reads what `save_model` wrote.

    Args:
        folder: the model folder.
        device: where to compute.

    Raises:
        CheckpointError: a file is missing, damaged, of another version, or the two do not belong together.
    """
    if not (folder / DESCRIPTION).is_file():
        inside = folder / "model"
        advice = f"Give {inside}" if (inside / DESCRIPTION).is_file() else "Give the folder that a model was saved in"
        raise CheckpointError(f"{folder} holds no {DESCRIPTION}. {advice}.")
    described = _read_description(folder / DESCRIPTION)
    tensors = _read_tensors(folder / TENSORS, described["mark"])
    try:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items() if not name.startswith("parameter/")}
        config = from_dict(Config, described["config"])
        titles = described["titles"]
        parameters = {n.removeprefix("parameter/"): t for n, t in tensors.items() if n.startswith("parameter/")}
        relations, parameters, strengths = with_present_names(
            unpack_relations(arrays, described["relations"]), described["edges"], parameters, described["strengths"]
        )
        knowledge = Knowledge(
            dataset=described["dataset"],
            user_ids=_ids_in(described["users"]),
            item_ids=_ids_in(described["items"]),
            titles=None if titles is None else tuple(titles),
            histories=unpack_sequences(arrays, "histories/"),
            frame_library=described["frame_library"],
            edges=tuple(described["edges"]),
            dropout=described["dropout"],
            precision=described["precision"],
            selection=described["selection"],
            strengths=strengths,
            figures=described["figures"],
            updated=described.get("updated", 0),
        )
    except ConfigurationError as error:
        raise CheckpointError(f"The model in {folder} has options that are not known here. {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error
    return Fitted(config.model, relations, parameters, knowledge, device), config


def _mark(described: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in sorted(tensors):
        if name.startswith("parameter/"):
            digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _read_description(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path.parent, str(error)) from error
    if not isinstance(described, dict) or described.get("format") != FORMAT or "mark" not in described:
        raise _damaged(path.parent, f"{path.name} describes no model")
    if described.get("version") != VERSION:
        raise CheckpointError(
            f"The model in {path.parent} has format version {described.get('version')}, this library reads {VERSION}. "
            "Fit it again, or use the version of attrformer that wrote it."
        )
    return described


def _read_tensors(path: Path, mark: str) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            found = (file.metadata() or {}).get("mark")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise _damaged(path.parent, str(error)) from error
    if found != mark:
        raise _damaged(path.parent, f"{TENSORS} and {DESCRIPTION} are of different models")
    return tensors


def _damaged(folder: Path, problem: str) -> CheckpointError:
    return CheckpointError(
        f"The model in {folder} cannot be read ({problem}). Save it again, or restore the folder from a copy."
    )


def _ids_out(ids: Ids) -> dict[str, Any]:
    return {"type": str(ids.values.dtype), "values": ids.to_list()}


def _ids_in(stored: dict[str, Any]) -> Ids:
    return Ids(pl.Series("id", stored["values"], dtype=_ID_TYPES[stored["type"]]))
