"""What each part of the model is worth, on all datasets side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from attrformer.benchmark.contrasts import Contrast, contrasts
from attrformer.benchmark.results import Board
from attrformer.benchmark.wording import NOTHING, markdown
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import HIDDEN, SEEN_VARIANTS

TOLD: Final = 0.05
"""A difference whose p-value is at least this much stands in brackets."""


def parts(board: Board, datasets: Sequence[str]) -> str:
    """A table of the change of NDCG@20 without each part, relative to the whole model; the greatest loss first.

    Args:
        board: all results.
        datasets: their names, one column each.

    Returns:
        Markdown; a cell has the change in per cent for both seen variants, "-" where a part was not taken away.
    """
    titles: dict[str, str] = {}
    changes: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for dataset in datasets:
        whole, without = board.whole(dataset), board.on(dataset, ("ablation",))
        if whole is None or not without:
            continue
        titles |= {part.row: part.title for part in without}
        figures = {seen: whole.figure(HEADLINE, seen).value for seen in SEEN_VARIANTS}
        for (row, seen), contrast in contrasts(whole, without, HEADLINE).items():
            changes.setdefault((row, dataset), {})[seen] = _change(contrast, figures[seen])
    if not titles:
        return NOTHING
    rows = sorted(titles, key=lambda row: _mean(changes, row, datasets))
    cells = [(titles[row], *(_cell(changes.get((row, dataset), {})) for dataset in datasets)) for row in rows]
    return markdown(("model", *datasets), cells)


def _change(contrast: Contrast, whole: float) -> tuple[float, float]:
    """The change without a part, in per cent of the whole model's figure, and its p-value."""
    return -100.0 * contrast.difference.value / whole, contrast.p_value


def _mean(
    changes: Mapping[tuple[str, str], Mapping[str, tuple[float, float]]], row: str, datasets: Sequence[str]
) -> float:
    found = [change for dataset in datasets for change, _ in changes.get((row, dataset), {}).values()]
    return float(np.mean(found)) if found else 0.0


def _cell(change: Mapping[str, tuple[float, float]]) -> str:
    if HIDDEN not in change:
        return "-"
    # Nothing has no sign.
    shown = ((f"{round(value, 1) + 0.0:+.1f}", p_value) for value, p_value in (change[seen] for seen in SEEN_VARIANTS))
    return " / ".join(f"({text})" if p_value >= TOLD else text for text, p_value in shown)
