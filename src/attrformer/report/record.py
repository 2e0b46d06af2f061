"""What an evaluated model leaves in its training folder: figures, slices, relations and the report."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrformer.evaluation import Evaluation, Slice
from attrformer.report.page import HEADLINE


def record_evaluation(run_folder: Path | str, evaluation: Evaluation) -> None:
    """Writes `figures.json` and `slices.json` into a training folder.

    Args:
        run_folder: the folder.
        evaluation: figures of its model.
    """
    folder = Path(run_folder)
    slices: dict[str, Any] = {"metric": HEADLINE, "history_length": _bins(evaluation.by_history_length(HEADLINE))}
    if evaluation.popularity is not None:
        slices["item_popularity"] = _bins(evaluation.by_item_popularity(HEADLINE))
    _write(folder / "figures.json", evaluation.to_json())
    _write(folder / "slices.json", slices)


def record_relations(
    run_folder: Path | str, strengths: dict[str, float], pairs: dict[str, tuple[list[str], Any]]
) -> None:
    """Writes `relations.json` into a training folder.

    Args:
        run_folder: the folder.
        strengths: strength of each relation by name.
        pairs: for each attribute the names of values `[n]` and the learned strength of each pair `[n, n]`.
    """
    matrices = {
        attribute: {"names": list(names), "matrix": [[float(value) for value in row] for row in matrix]}
        for attribute, (names, matrix) in pairs.items()
    }
    content = {"strengths": {name: float(value) for name, value in strengths.items()}, "pairs": matrices}
    _write(Path(run_folder) / "relations.json", content)


def _bins(slices: Sequence[Slice]) -> list[dict[str, Any]]:
    return [{"label": part.label, "count": part.targets} | part.interval.to_json() for part in slices]


def _write(path: Path, content: Any) -> None:
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
