"""Evaluations on disk: one safetensors file, the protocol in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from attrformer.errors import CheckpointError, DataError
from attrformer.evaluation.metrics import BUILT_IN
from attrformer.evaluation.protocol import SEEN_VARIANTS, Protocol
from attrformer.io import array_checksum, has_checksum, parse_json, with_checksum, write_atomically
from attrformer.locks import locked_place

_OPTIONAL: Final = ("popularity", "same_time", "repeats", "last", "new_users")
"""What is not known of every evaluation, or was not kept by earlier versions."""

STORED: Final = ("protocol", "cutoffs", "metrics", "users", "items", "history_lengths", "ranks", "lists", *_OPTIONAL)
"""What is kept of an evaluation, by the names of its attributes."""

_FORMAT: Final = "attrformer-evaluation-2"
_UNCHECKED: Final = "attrformer-evaluation-1"
"""The version before, which has no checksum."""

_HEADER: Final = "evaluation"


def save_values(path: Path, values: Mapping[str, Any]) -> None:
    """Write what an evaluation is made of.

    Args:
        path: the file, replaced as a whole where it exists; its folder is made where needed.
        values: by the names of `STORED`.

    Raises:
        BusyError: another process is writing that file.
        WriteError: it cannot be written; what lay there is as it was.
    """
    tensors: dict[str, NDArray[np.generic]] = {name: values[name] for name in ("users", "items", "history_lengths")}
    tensors |= {f"ranks.{seen}": ranks for seen, ranks in values["ranks"].items()}
    tensors |= {f"lists.{seen}": lists for seen, lists in values["lists"].items()}
    tensors |= {name: values[name] for name in _OPTIONAL if values[name] is not None}
    ready = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    told = {"protocol": values["protocol"].to_json(), "cutoffs": values["cutoffs"], "arrays": array_checksum(ready)}
    if values["metrics"] != BUILT_IN:
        told["metrics"] = values["metrics"]
    # With one entry the header is the same each time; the library writes several in any order.
    header = {_HEADER: json.dumps({"format": _FORMAT, **with_checksum(told)})}
    with locked_place(path):
        write_atomically(path, lambda unfinished: save_file(ready, unfinished, metadata=header))


def load_values(path: Path) -> dict[str, Any]:
    """Read what `save_values` wrote.

    Args:
        path: the file.

    Returns:
        Values by the names of `STORED`.

    Raises:
        CheckpointError: the file is missing, damaged or holds something else.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"The evaluation {path} cannot be read ({error}). Evaluate the model again.") from error
    try:
        told = _told(header, tensors)
        return {
            "protocol": Protocol.from_json(told["protocol"]),
            "cutoffs": tuple(told["cutoffs"]),
            "metrics": tuple(map(str, told.get("metrics", BUILT_IN))),
            **{name: tensors[name] for name in ("users", "items", "history_lengths")},
            "ranks": {seen: tensors[f"ranks.{seen}"] for seen in SEEN_VARIANTS},
            "lists": {seen: tensors[f"lists.{seen}"] for seen in SEEN_VARIANTS if f"lists.{seen}" in tensors},
            **{name: tensors.get(name) for name in _OPTIONAL},
        }
    except (LookupError, TypeError, ValueError, AttributeError, DataError) as error:
        raise CheckpointError(f"The evaluation {path} is incomplete ({error}). Evaluate the model again.") from error


def _told(header: dict[str, str], tensors: dict[str, NDArray[np.generic]]) -> dict[str, Any]:
    """What the header says, once it and the arrays have been checked against it.

    Raises:
        ValueError: it is of no evaluation, or something is damaged.
    """
    told = parse_json(header.get(_HEADER, "{}"))
    if header.get("format") == _UNCHECKED:
        return {name: parse_json(header[name]) for name in ("protocol", "cutoffs")}
    if not isinstance(told, dict) or told.pop("format", None) != _FORMAT:
        raise ValueError("it holds no evaluation of this version")
    if not has_checksum(told) or told["arrays"] != array_checksum(tensors):
        raise ValueError("it does not have the checksum that it names")
    return told
