"""Figures for targets that have the time of the interaction before them, and for later ones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.benchmark.contrasts import Contrast, contrasts
from attrformer.benchmark.results import Board, Result
from attrformer.benchmark.wording import NOTHING, markdown
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import HIDDEN, SEEN_VARIANTS

OTHERS: Final = 8


def same_time(board: Board, dataset: str) -> str:
    """The model of this project and the best of all others, apart for the two groups of targets.

    Args:
        board: all results.
        dataset: its name.
    """
    own = board.own(dataset)
    if own is None:
        return NOTHING
    same = _known(board, own)
    if same is None:
        return NOTHING
    others = [result for result in board.on(dataset) if result.row != own.row and own.comparable(result)]
    others.sort(key=lambda result: -result.figure(HEADLINE, HIDDEN).value)
    groups = {text: inside for text, inside in (("at the same time", same), ("later", ~same)) if inside.any()}
    found = {text: contrasts(own, others[:OTHERS], HEADLINE, inside) for text, inside in groups.items()}
    header = ["model"]
    for text, inside in groups.items():
        header += [f"{HEADLINE} hidden / ranked of {inside.sum():,} targets {text}", f"gain of {own.title}"]
    rows = [
        [result.title, *(cell for text, inside in groups.items() for cell in _cells(result, inside, found[text]))]
        for result in (own, *others[:OTHERS])
    ]
    rows[0][0] = f"**{own.title}**"
    return markdown(header, rows)


def _known(board: Board, own: Result) -> NDArray[np.bool_] | None:
    """Which targets have the time of the interaction before them; whoever was asked for the same ones may know."""
    for result in board.results:
        if result.dataset == own.dataset and result.ranks is not None and own.comparable(result):
            known = result.ranks[0].same_time
            if known is not None:
                return known
    return None


def _cells(result: Result, inside: NDArray[np.bool_], found: dict[tuple[str, str], Contrast]) -> tuple[str, str]:
    means = [result.per_target(HEADLINE, seen)[inside].mean() for seen in SEEN_VARIANTS]
    gains = [found[result.row, seen].gain.value for seen in SEEN_VARIANTS if (result.row, seen) in found]
    return " / ".join(f"{mean:.4f}" for mean in means), " / ".join(f"{100 * gain:+.1f} %" for gain in gains) or "-"
