"""Saved models as they are read and written by hand: with valid checksums, or as an earlier version wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from attrformer.io import file_checksum, with_checksum
from attrformer.recommender import storage


def read(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Description and arrays of a saved model."""
    with safe_open(folder / storage.TENSORS, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    return json.loads((folder / storage.DESCRIPTION).read_text(encoding="utf-8")), tensors


def forge(folder: Path, described: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    """Writes a model whose checksums hold, whatever is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / storage.TENSORS, metadata={"format": storage.FORMAT})
    described = described | {"mark": file_checksum(folder / storage.TENSORS)}
    (folder / storage.DESCRIPTION).write_text(json.dumps(with_checksum(described)), encoding="utf-8")
    return folder


def write_version_1(folder: Path, described: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    """Writes a model as the version before did, whose mark covers the description and the parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {key: value for key, value in described.items() if key not in ("mark", "checksum")}
    described["version"] = storage.UNCHECKED
    mark = storage._mark(described, tensors)
    save_file(tensors, folder / storage.TENSORS, metadata={"format": storage.FORMAT, "mark": mark})
    (folder / storage.DESCRIPTION).write_text(json.dumps(described | {"mark": mark}), encoding="utf-8")
    return folder
