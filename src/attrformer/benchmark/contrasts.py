"""One model against others on the same targets: paired tests, also for groups of targets and without each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.benchmark.results import Board, Result
from attrformer.benchmark.wording import NOTHING, markdown
from attrformer.evaluation import bootstrap
from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import HIDDEN, SEEN_VARIANTS

OTHERS: Final = 8
"""Rows beside the model of this project, where targets are taken in groups."""

TOLD: Final = 0.05
"""A difference whose p-value is at least this much stands in brackets."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """One model less another.

    Args:
        difference: of the means, with its interval.
        gain: difference relative to the other's mean, with its interval.
        p_value: two-sided, of a paired bootstrap test.
    """

    difference: Interval
    gain: Interval
    p_value: float


def contrasts(
    own: Result, others: Sequence[Result], name: str, among: NDArray[np.bool_] | None = None
) -> dict[tuple[str, str], Contrast]:
    """Compares one result with others; those without ranks of the same targets are left out.

    All are averaged over the same resamples of users, as `evaluation.bootstrap.paired_test` does for two.

    Args:
        own: whose gains are wanted.
        others: on the same dataset.
        name: a metric of ranks, such as `NDCG@20`.
        among: bool `[n]`, the targets that count; None for all of them.

    Returns:
        By row and seen variant.
    """
    others = [other for other in others if own.comparable(other)]
    if not others or own.ranks is None:
        return {}
    protocol = own.ranks[0].protocol
    columns = [result.per_target(name, seen) for seen in SEEN_VARIANTS for result in (own, *others)]
    table = np.stack(columns, axis=1)
    users = own.ranks[0].users
    if among is not None:
        table, users = table[among], None if users is None else users[among]
    means = bootstrap.resampled_means(table, users, protocol.resamples, 0)
    found: dict[tuple[str, str], Contrast] = {}
    for number, seen in enumerate(SEEN_VARIANTS):
        first = number * (1 + len(others))
        for column, other in enumerate(others, start=first + 1):
            values = table[:, [first, column]].mean(axis=0)
            found[other.row, seen] = _contrast(values, means[:, [first, column]], protocol.confidence)
    return found


def _contrast(values: NDArray[np.float64], means: NDArray[np.float64], confidence: float) -> Contrast:
    """From the means `[2]` of both models and those of each resample `[resamples, 2]`."""
    difference, swings = values[0] - values[1], means[:, 0] - means[:, 1]
    # Sums of the same numbers in another order differ in the last bits.
    extreme = int((np.abs(swings - difference) >= abs(difference) - 1e-12).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = _interval(values[0] / values[1] - 1, means[:, 0] / means[:, 1] - 1, confidence)
    return Contrast(
        difference=_interval(difference, swings, confidence),
        gain=gain,
        p_value=(extreme + 1) / (len(means) + 1),
    )


def _interval(value: float, resampled: NDArray[np.float64], confidence: float) -> Interval:
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


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
