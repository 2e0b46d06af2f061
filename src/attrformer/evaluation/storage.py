"""Evaluations on disk: one safetensors file, the protocol in its header."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from attrformer.errors import CheckpointError, DataError
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.protocol import SEEN_VARIANTS, Protocol

_FORMAT: Final = "attrformer-evaluation-1"
_OPTIONAL: Final = ("popularity", "same_time", "repeats", "last", "new_users")
"""What is not known of every evaluation, or was not kept by earlier versions."""


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write ranks, lists and protocol.

    Args:
        evaluation: what to write.
        path: the file, replaced as a whole where it exists; its folder is made where needed.
    """
    tensors: dict[str, NDArray[np.generic]] = {
        "users": evaluation.users,
        "items": evaluation.items,
        "history_lengths": evaluation.history_lengths,
    }
    tensors |= {f"ranks.{seen}": ranks for seen, ranks in evaluation.ranks.items()}
    tensors |= {f"lists.{seen}": lists for seen, lists in evaluation.lists.items()}
    optional = {name: getattr(evaluation, name) for name in _OPTIONAL}
    tensors |= {name: values for name, values in optional.items() if values is not None}
    header = {
        "format": _FORMAT,
        "protocol": json.dumps(evaluation.protocol.to_json()),
        "cutoffs": json.dumps(evaluation.cutoffs),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp")
    save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, unfinished, metadata=header)
    os.replace(unfinished, path)


def load_evaluation(path: Path) -> Evaluation:
    """Read what `save_evaluation` wrote.

    Args:
        path: the file.

    Raises:
        CheckpointError: the file is missing, damaged or holds something else.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"The evaluation {path} cannot be read ({error}). Evaluate the model again.") from error
    if header.get("format") != _FORMAT:
        raise CheckpointError(f"{path} holds no evaluation of this version. Evaluate the model again.")
    try:
        return Evaluation(
            protocol=Protocol.from_json(json.loads(header["protocol"])),
            cutoffs=tuple(json.loads(header["cutoffs"])),
            users=tensors["users"],
            items=tensors["items"],
            history_lengths=tensors["history_lengths"],
            ranks={seen: tensors[f"ranks.{seen}"] for seen in SEEN_VARIANTS},
            lists={seen: tensors[f"lists.{seen}"] for seen in SEEN_VARIANTS if f"lists.{seen}" in tensors},
            **{name: tensors.get(name) for name in _OPTIONAL},
        )
    except (KeyError, ValueError, DataError) as error:
        raise CheckpointError(f"The evaluation {path} is incomplete ({error}). Evaluate the model again.") from error
