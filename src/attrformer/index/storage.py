"""An index as files beside its model: `index.json` and, where the search is approximate, a graph."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from attrformer.configuration import from_dict, to_dict
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.index.content import ContentGraph
from attrformer.index.options import IndexOptions
from attrformer.recommender.fitted import Fitted
from attrformer.training.checkpoint import parameters_of, write_json

FORMAT: Final = "attrformer-index"
VERSION: Final = 2
DESCRIPTION: Final = "index.json"


def fingerprint(fitted: Fitted) -> str:
    """A text that differs where the item vectors, which the graph is made of, may differ.

    Relations are not part of it: they are read from the model at each request.

    Args:
        fitted: the model.
    """
    digest = hashlib.sha256(f"{fitted.config.name} {fitted.relations.items}".encode())
    for name, weights in parameters_of(fitted.network).items():
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().numpy().data)
    for feature in fitted.relations.features.values():
        for array in (feature.codes, feature.weights):
            digest.update(np.ascontiguousarray(array).data)
    digest.update(np.packbits(fitted.relations.popularity > 0).data)
    return digest.hexdigest()


def save_index(folder: Path, mark: str, options: IndexOptions, graph: ContentGraph | None) -> None:
    """Writes an index; one that lies there is replaced at the moment when the new one is complete.

    Args:
        folder: made where needed.
        mark: `fingerprint` of the model.
        options: of the index.
        graph: None where the search is exact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _graph_files(folder)
    file = None
    if graph is not None:
        unfinished = folder / "content.tmp"
        graph.save(unfinished)
        file = f"content-{_digest(unfinished)[:16]}.usearch"
        os.replace(unfinished, folder / file)
    described = {"format": FORMAT, "version": VERSION, "model": mark, "graph": file, "options": to_dict(options)}
    write_json(folder / DESCRIPTION, described)
    for path in before:
        if path.name != file:
            path.unlink(missing_ok=True)


def load_index(folder: Path, mark: str) -> tuple[IndexOptions, ContentGraph | None]:
    """Reads what `save_index` wrote.

    Args:
        folder: of the index.
        mark: `fingerprint` of the model that it is to serve.

    Raises:
        CheckpointError: there is none, it is damaged, of another version, or of another state of the model.
        ConfigurationError: usearch is not installed.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no index. Make one: attrformer index RUN.")
    described = _read(path)
    if described.get("version") != VERSION:
        raise CheckpointError(
            f"The index in {folder} has format version {described.get('version')}, this library reads {VERSION}. "
            "Make it again: attrformer index RUN."
        )
    if described.get("model") != mark:
        raise CheckpointError(
            f"The index in {folder} was made for another state of the model. Make it again: attrformer index RUN."
        )
    try:
        options = from_dict(IndexOptions, described["options"])
    except (KeyError, TypeError, ConfigurationError) as error:
        raise _damaged(path, str(error)) from error
    file = described.get("graph")
    if file is None:
        return options, None
    if not isinstance(file, str) or not (folder / file).is_file() or not _whole(folder / file):
        raise _damaged(path, "its graph is missing or incomplete")
    return options, ContentGraph.load(folder / file)


def _whole(path: Path) -> bool:
    return path.name == f"content-{_digest(path)[:16]}.usearch"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def _graph_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("content-*.usearch"))


def _read(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise _damaged(path, "it describes no index")
    return described


def _damaged(path: Path, problem: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({problem}). Make the index again: attrformer index RUN.")
