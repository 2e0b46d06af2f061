"""An index as files beside its model: `index.json` and, where the search is approximate, a graph."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from attrformer.config import from_dict, to_dict
from attrformer.earlier_names import earlier_parameter
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.io import (
    file_checksum,
    has_checksum,
    read_json,
    remove_leftovers,
    reporting,
    with_checksum,
    write_by_content,
    write_json,
)
from attrformer.locks import locked_folder
from attrformer.recommender.state import ModelState
from attrformer.retrieval.content import ContentGraph
from attrformer.retrieval.options import IndexOptions
from attrformer.training.checkpoint import parameters_of

FORMAT: Final = "attrformer-index"
VERSION: Final = 3
UNCHECKED: Final = 2
"""The version before, whose description has no checksum."""

DESCRIPTION: Final = "index.json"
_GRAPH: Final = "content"


def fingerprint(fitted: ModelState) -> str:
    """A text that differs where the item vectors, which the graph is made of, may differ.

    Relations are not part of it: they are read from the model at each request.

    Args:
        fitted: the model.
    """
    digest = hashlib.sha256(f"{fitted.config.name} {fitted.relations.n_items}".encode())
    for name, weights in parameters_of(fitted.network).items():
        # So that an index of before some names changed belongs to its model still.
        digest.update(earlier_parameter(name).encode())
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

    Raises:
        BusyError: another process is writing an index there.
        WriteError: it cannot be written; an index that lay there is as it was.
    """
    with locked_folder(folder):
        before = _graph_files(folder)
        file = None if graph is None else _write_graph(folder, graph)
        described = {"format": FORMAT, "version": VERSION, "model": mark, "graph": file, "options": to_dict(options)}
        write_json(folder / DESCRIPTION, with_checksum(described))
        for path in before:
            if path.name != file:
                path.unlink(missing_ok=True)


def _write_graph(folder: Path, graph: ContentGraph) -> str:
    """Writes the graph under a name that holds its checksum; the name."""

    def name_of(content: Path) -> str:
        return f"{_GRAPH}-{file_checksum(content)[:16]}.usearch"

    with reporting(folder):
        remove_leftovers(folder / _GRAPH)
        return write_by_content(folder / _GRAPH, graph.save, name_of).name


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
    version = described.get("version")
    if version not in (UNCHECKED, VERSION):
        raise CheckpointError(
            f"The index in {folder} has format version {str(version)[:20]}, this library reads {UNCHECKED} and "
            f"{VERSION}. Make it again: attrformer index RUN."
        )
    if version == VERSION and not has_checksum(described):
        raise _damaged(path, "it does not have the checksum that it names")
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
    return path.name == f"{_GRAPH}-{file_checksum(path)[:16]}.usearch"


def _graph_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_GRAPH}-*.usearch"))


def _read(path: Path) -> dict[str, Any]:
    try:
        described = read_json(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise _damaged(path, "it describes no index")
    return described


def _damaged(path: Path, problem: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({problem}). Make the index again: attrformer index RUN.")
