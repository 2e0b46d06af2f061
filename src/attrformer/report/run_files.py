"""What a training folder holds, read for the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attrformer.errors import CheckpointError
from attrformer.io import parse_json, read_json


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one training folder as plain values; empty where a file is absent.

    Args:
        name: the name of the folder.
        configuration: `config.json`.
        epochs: the lines of `metrics.jsonl`, oldest first.
        figures: `figures.json`, the object that `attrformer evaluate --json` prints.
        slices: `slices.json`, lists of bins by what they were cut by.
        relations: `relations.json`, strengths and strongest pairs.
        check: `check.json`, the object that `attrformer check --json` prints.
    """

    name: str
    configuration: dict[str, Any]
    epochs: list[dict[str, Any]]
    figures: dict[str, Any]
    slices: dict[str, Any]
    relations: dict[str, Any]
    check: dict[str, Any]


def read_run(folder: Path) -> RunFiles:
    """Reads a training folder.

    Raises:
        CheckpointError: the folder does not exist, is not a training folder, or one of its files is damaged.
    """
    if not (folder / "config.json").is_file():
        problem = "holds no config.json" if folder.is_dir() else "is not a folder"
        raise CheckpointError(f"{folder} {problem}. Give the folder that `attrformer train --out` wrote.")
    return RunFiles(
        name=folder.resolve().name,
        configuration=_read_object(folder / "config.json"),
        epochs=_read_lines(folder / "metrics.jsonl"),
        figures=_read_object(folder / "figures.json"),
        slices=_read_object(folder / "slices.json"),
        relations=_read_object(folder / "relations.json"),
        check=_read_object(folder / "check.json"),
    )


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise _damaged(path, "not an object")
    return content


def _read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    epochs = []
    for number, line in enumerate(lines, start=1):
        try:
            epochs.append(parse_json(line))
        except ValueError as error:
            # A run that was killed while writing leaves half a line at the end, and only there.
            if number == len(lines):
                break
            raise _damaged(path, f"line {number}: {error}") from error
        if not isinstance(epochs[-1], dict):
            raise _damaged(path, f"line {number}: not an object")
    return epochs


def _damaged(path: Path, problem: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged ({problem}). Remove it, then run `attrformer train --resume` or `attrformer evaluate`."
    )
