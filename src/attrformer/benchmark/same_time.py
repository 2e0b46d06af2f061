"""Figures apart: targets at the time of the interaction before them and later ones, repeated ones and others."""

from __future__ import annotations

from collections.abc import Mapping
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
    same = _known(board, own, "same_time")
    if same is None:
        return NOTHING
    return apart(board, own, {"at the same time": same, "later": ~same})


def repeats(board: Board, dataset: str) -> str:
    """The same for repeated targets and for those that the history does not hold, where there are repeated ones.

    Args:
        board: all results.
        dataset: its name.
    """
    own = board.own(dataset)
    repeated = None if own is None else _known(board, own, "repeats")
    if own is None or repeated is None or not repeated.any():
        return NOTHING
    return apart(board, own, {"that do not repeat": ~repeated, "that repeat": repeated})


def apart(board: Board, own: Result, groups: Mapping[str, NDArray[np.bool_]]) -> str:
    """A model and the best of all others with figures for each of some groups of targets.

    Args:
        board: all results.
        own: the model.
        groups: bool `[n]` by what is said of these targets; empty ones are left out.
    """
    others = [result for result in board.on(own.dataset) if result.row != own.row and own.comparable(result)]
    others.sort(key=lambda result: -result.figure(HEADLINE, HIDDEN).value)
    groups = {text: inside for text, inside in groups.items() if inside.any()}
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


def _known(board: Board, own: Result, what: str) -> NDArray[np.bool_] | None:
    """Which targets are of a kind; whoever was asked for the same ones may know."""
    for result in board.results:
        if result.dataset == own.dataset and result.ranks is not None and own.comparable(result):
            known: NDArray[np.bool_] | None = getattr(result.ranks[0], what)
            if known is not None:
                return known
    return None


def _cells(result: Result, inside: NDArray[np.bool_], found: dict[tuple[str, str], Contrast]) -> tuple[str, str]:
    means = [result.per_target(HEADLINE, seen)[inside].mean() for seen in SEEN_VARIANTS]
    gains = [found[result.row, seen].gain.value for seen in SEEN_VARIANTS if (result.row, seen) in found]
    return " / ".join(f"{mean:.4f}" for mean in means), " / ".join(map(_gain, gains)) or "-"


def _gain(gain: float) -> str:
    return f"{100 * gain:+.1f} %" if np.isfinite(gain) else "-"
