"""Saved models as they are read and written by hand: with valid checksums, or as an earlier version wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from attrformer import earlier_names
from attrformer.io import file_checksum, with_checksum
from attrformer.recommender import legacy, storage

_EARLIER = {name: earlier for earlier, name in earlier_names.RELATIONS.items()}


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


def earlier_configuration(config: dict[str, Any]) -> dict[str, Any]:
    """All options under the names that versions 1 to 3 gave them."""
    found: dict[str, Any] = {}
    for part, options in config.items():
        if not isinstance(options, dict):
            found[part] = options
            continue
        names = {name: earlier_names.earlier_option(f"{part}.{name}").removeprefix(f"{part}.") for name in options}
        found[part] = {names[name]: value for name, value in options.items()}
    return found


def _with_earlier_names(
    described: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Options, strengths and parameters as versions 1 to 3 called them."""
    strengths = {_EARLIER.get(name, name): value for name, value in described["strengths"].items()}
    described = described | {"config": earlier_configuration(described["config"]), "strengths": strengths}
    parameters = {name: name.partition("/") for name in tensors}
    renamed = {
        name: f"{kind}/{earlier_names.earlier_parameter(rest)}" if kind == "parameter" else name
        for name, (kind, _, rest) in parameters.items()
    }
    return described, {renamed[name]: tensor for name, tensor in tensors.items()}


def as_version_3(
    described: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The same model with the names that version 3 had."""
    described, tensors = _with_earlier_names(described, tensors)
    kinds = {"repeat": "identity", "time_bucket": "moment"}
    relations = [
        told | {"kind": kinds.get(told["kind"], told["kind"]), "name": _EARLIER.get(told["name"], told["name"])}
        for told in described["relations"]["relations"]
    ]
    return described | {"version": 3, "relations": described["relations"] | {"relations": relations}}, tensors


def by_kind(
    described: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The same model as versions 1 and 2 described it, with a place for each kind of relation."""
    described, tensors = _with_earlier_names(described, tensors)
    layout: dict[str, Any] = {"items": described["relations"]["items"], "identity": False, "time_gaps": False}
    layout |= {"rows": [], "features": [], "users": [], "levels": [], "neighbours": None, "moment": None}
    moved = {name: tensor for name, tensor in tensors.items() if not name.startswith("relations/")}
    for number, told in enumerate(described["relations"]["relations"]):
        place = _place(layout, told)
        prefix = f"relations/{number}/"
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                rest = name.removeprefix(prefix)
                moved[place if told["kind"] == "behaviour" else f"{place}/{rest}"] = tensor
    return described | {"relations": layout}, moved


def _place(layout: dict[str, Any], told: dict[str, Any]) -> str:
    kind = told["kind"]
    sizes = {name: value for name, value in told.items() if name not in ("kind", "name")}
    if kind in ("repeat", "time_gap"):
        layout["identity" if kind == "repeat" else "time_gaps"] = True
        return kind
    if kind == "behaviour":
        layout["levels"].append(told["column"])
        return f"levels/{len(layout['levels']) - 1}"
    if kind in ("similar_users", "time_bucket"):
        name = _EARLIER[kind]
        layout[name] = sizes if kind == "similar_users" else sizes | {"lift": sizes["lift"] | {"name": name}}
        return name
    if kind in ("item_attribute", "id_order", "user_attribute"):
        group = "users" if kind == "user_attribute" else "features"
        entry = {"name": told["column"], "labels": told["labels"], "kind": told["reading"]}
        entry |= (
            {"lift": told["lift"] | {"name": told["column"]}} if group == "users" else {"from_ids": kind == "id_order"}
        )
    else:
        group, entry = "rows", {"name": _EARLIER.get(told["name"], told["name"]), **sizes}
    layout[group].append(entry)
    return f"{group}/{len(layout[group]) - 1}"


def write_version_1(folder: Path, described: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    """Writes a model as version 1 did, whose mark covers the description and the parameters.

    Args:
        folder: made where needed.
        described: as `by_kind` gives it, or of today's version.
        tensors: likewise.
    """
    if "relations" in described["relations"]:
        described, tensors = by_kind(described, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    described = {key: value for key, value in described.items() if key not in ("mark", "checksum")}
    described["version"] = storage.UNCHECKED
    mark = legacy.first_mark(described, tensors)
    save_file(tensors, folder / storage.TENSORS, metadata={"format": storage.FORMAT, "mark": mark})
    (folder / storage.DESCRIPTION).write_text(json.dumps(described | {"mark": mark}), encoding="utf-8")
    return folder
