"""Results as Markdown tables, each with its command, commits, machine and protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from attrformer.benchmark.contrasts import Contrast, contrasts
from attrformer.benchmark.outsiders import PaperTable
from attrformer.benchmark.results import Board, Result
from attrformer.benchmark.wording import (
    NOTHING,
    commits,
    duration,
    interval,
    markdown,
    p_value,
    percent,
    training,
    with_caption,
)
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.metrics import in_brief, is_own
from attrformer.evaluation.protocol import HIDDEN, RANKED, SEEN_VARIANTS

RECALL: Final = "Recall@20"
_GROUPS: Final = {
    "history_length": "history length",
    "item_popularity": "item popularity",
    "last_target": "target of its user",
    "new_items": "item of the target",
    "new_users": "user of the target",
}


class Tables:
    """The tables that a document can ask for.

    Args:
        board: all results.
        paper: the published figures.
    """

    def __init__(self, board: Board, paper: PaperTable) -> None:
        self.board, self.paper = board, paper

    def leaderboard(self, dataset: str, sort: str = HIDDEN, metrics: Sequence[str] | None = None) -> str:
        """Every model on a dataset, the best first.

        Args:
            dataset: its name.
            sort: the seen variant whose NDCG@20 orders the rows.
            metrics: further columns, such as `Hit@20`; the reported metrics of one's own, at the longest, where None.
        """
        found = sorted(self.board.on(dataset), key=lambda result: -result.figure(HEADLINE, sort).value)
        further = (RECALL, *(_own_metrics(found) if metrics is None else metrics))
        header = (
            "model",
            *(f"{HEADLINE} `seen={seen}`" for seen in SEEN_VARIANTS),
            *(f"{name} hidden / ranked" for name in further),
            *((f"paper's {HEADLINE}", "ours / paper's, hidden / ranked") if self.paper.models else ()),
            "seeds",
            "epochs, best",
            "parameters",
            "training",
            "peak memory",
            "commit",
        )
        return with_caption(header, [self._entry(result, further) for result in found], found)

    def _entry(self, result: Result, further: Sequence[str]) -> tuple[str, ...]:
        title = f"**{result.title}**" if result.group == "ours" else result.title
        epochs = result.line["selected"].get("epoch")
        return (
            title,
            *(_spread(result, seen) for seen in SEEN_VARIANTS),
            *(_both(result, name) for name in further),
            *(self._beside_the_paper(result) if self.paper.models else ()),
            str(len(result.lines)),
            "-" if epochs is None else f"{result.line['cost']['epochs']}, {epochs}",
            f"{result.cost('parameters'):,.0f}",
            training(result),
            f"{result.cost('peak_memory_mib'):,.0f} MiB",
            ", ".join(commits([result])),
        )

    def _beside_the_paper(self, result: Result) -> tuple[str, str]:
        published = self.paper.figure(result.dataset, result.row, HEADLINE)
        if published is None:
            return "-", "-"
        values = [result.figure(HEADLINE, seen).value for seen in SEEN_VARIANTS]
        return f"{published:.4f}", " / ".join(f"{value / published:.2f}" for value in values)

    def significance(self, dataset: str, metric: str = HEADLINE) -> str:
        """The model of this project against every other one: relative gain and paired bootstrap test.

        Args:
            dataset: its name.
            metric: a metric of ranks, such as `NDCG@20`.
        """
        own = self.board.own(dataset)
        if own is None:
            return NOTHING
        others = [result for result in self.board.on(dataset) if result.row != own.row]
        others.sort(key=lambda result: -result.figure(metric, HIDDEN).value)
        found = contrasts(own, others, metric)
        header = ("against", *(text for seen in SEEN_VARIANTS for text in (f"gain `seen={seen}`", "p")))
        rows = [
            (other.title, *(text for seen in SEEN_VARIANTS for text in _gain_cells(found.get((other.row, seen)))))
            for other in others
        ]
        if not rows:
            return NOTHING
        return "\n\n".join([*self._best(dataset, metric, found), markdown(header, rows)])

    def _best(self, dataset: str, metric: str, found: dict[tuple[str, str], Contrast]) -> list[str]:
        """A sentence for each seen variant: against the best of the paper's baselines."""
        own, whose = self.board.own(dataset), "paper's " if self.paper.models else ""
        sentences = []
        for seen in SEEN_VARIANTS:
            rival = self.board.rival(dataset, metric, seen)
            contrast = None if rival is None else found.get((rival.row, seen))
            if own is None or rival is None or contrast is None:
                continue
            sentences.append(
                f"{metric} `seen={seen}` of {own.title} relative to {rival.title}, the best of the {whose}baselines "
                f"here: {percent(contrast.gain)}, p {p_value(contrast.p_value)}."
            )
        published = self.paper.gain(dataset, "attrformer", metric)
        if sentences and published is not None:
            sentences.append(f"In the paper's own table it is {100 * published:+.1f} % above its best baseline.")
        return [" ".join(sentences)] if sentences else []

    def ablations(self, dataset: str) -> str:
        """What is lost when a part of the model is taken away."""
        full = self.board.whole(dataset)
        parts = self.board.on(dataset, ("ablation",))
        if full is None or not parts:
            return NOTHING
        found = contrasts(full, parts, HEADLINE)
        parts.sort(key=lambda part: part.figure(HEADLINE, HIDDEN).value)
        header = (
            "model",
            *(text for seen in SEEN_VARIANTS for text in (f"{HEADLINE} `seen={seen}`", "difference", "p")),
            "training",
        )
        rows = [(f"**{full.title}**", *_plain_cells(full), training(full))]
        for part in parts:
            cells = [
                text
                for seen in SEEN_VARIANTS
                for text in (_spread(part, seen), *_loss_cells(found.get((part.row, seen))))
            ]
            rows.append((part.title, *cells, training(part)))
        return with_caption(header, rows, [full, *parts])

    def slices(self, dataset: str, seen: str = HIDDEN) -> str:
        """The model of this project and the best of the paper's baselines by history length, item popularity and more.

        Earlier targets of a user, new items and new users are there where a dataset has any.
        """
        own, rival = self.board.own(dataset), self.board.rival(dataset, HEADLINE, seen)
        if own is None or rival is None:
            return NOTHING
        tables = []
        for kind, title in _GROUPS.items():
            pairs = _matching(own, rival, kind, seen)
            if not pairs:
                continue
            header = (title, "targets", f"{own.title}, {HEADLINE} `seen={seen}`", rival.title, "gain")
            rows = [
                (first["label"], f"{first['targets']:,}", interval(first), interval(second), _ratio(first, second))
                for first, second in pairs
            ]
            tables.append(markdown(header, rows))
        return "\n\n".join(tables)

    def lengths(self, dataset: str) -> str:
        """Accuracy and cost by how much of a history is read."""
        found = sorted(self.board.on(dataset, ("length",)), key=_model_and_length)
        header = (
            "model",
            *(f"{HEADLINE} `seen={seen}`" for seen in SEEN_VARIANTS),
            "seconds per epoch",
            "evaluation",
            "peak memory",
        )
        rows = [
            (
                result.title,
                *(_spread(result, seen) for seen in SEEN_VARIANTS),
                f"{result.cost('seconds_per_epoch'):.1f}",
                duration(result.cost("evaluation_seconds")),
                f"{result.cost('peak_memory_mib'):,.0f} MiB",
            )
            for result in found
        ]
        return with_caption(header, rows, found)

    def tuning(self, dataset: str) -> str:
        """What a search tried and chose, on validation alone."""
        by_row: dict[str, dict[int, dict[str, Any]]] = {}
        for line in self.board.trials:
            if line["dataset"] == dataset:
                by_row.setdefault(line["title"], {})[line["trial"]] = line
        header = ("model", "trials", f"defaults, validation {HEADLINE}", "best", "options chosen")
        rows = []
        for title, trials in by_row.items():
            lines = [trials[number] for number in sorted(trials)]
            first, best = lines[0], max(lines, key=lambda line: float(line["value"]))
            options = ", ".join(f"`{name}={value}`" for name, value in best["options"].items())
            rows.append(
                (title, str(len(lines)), f"{first['value']:.4f}", f"{best['value']:.4f}", options or "defaults")
            )
        return markdown(header, rows) if rows else NOTHING

    def functions(self) -> dict[str, Any]:
        """Every table by the name that documents call it."""
        names = ("leaderboard", "significance", "ablations", "slices", "lengths", "tuning")
        return {name: getattr(self, name) for name in names}


def _own_metrics(found: Sequence[Result]) -> list[str]:
    """Metrics of somebody's own that any of some results reports, at their longest list."""
    reported = dict.fromkeys(name for result in found for name in result.line["test"][f"seen={HIDDEN}"])
    return in_brief(filter(is_own, reported))


def _both(result: Result, name: str) -> str:
    """A figure of both seen variants without its intervals, or - where it is not known."""
    try:
        return " / ".join(f"{result.figure(name, seen).value:.4f}" for seen in SEEN_VARIANTS)
    except (ConfigurationError, CheckpointError):
        return "-"


def _spread(result: Result, seen: str) -> str:
    """NDCG@20 with its interval, and its standard deviation over seeds where there are several."""
    values = result.values(HEADLINE, seen)
    figure = result.figure(HEADLINE, seen)
    if len(values) == 1:
        return str(figure)
    return f"{figure.value:.4f} ± {np.std(values, ddof=1):.4f} [{figure.low:.4f}, {figure.high:.4f}]"


def _model_and_length(result: Result) -> tuple[str, int]:
    model = result.line["configuration"]["model"]
    return str(model["name"]), int(model["max_length"])


def _gain_cells(contrast: Contrast | None) -> tuple[str, str]:
    return ("-", "-") if contrast is None else (percent(contrast.gain), p_value(contrast.p_value))


def _plain_cells(result: Result) -> list[str]:
    return [text for seen in (HIDDEN, RANKED) for text in (_spread(result, seen), "", "")]


def _loss_cells(contrast: Contrast | None) -> tuple[str, str]:
    if contrast is None:
        return "-", "-"
    lost = Interval(-contrast.difference.value, -contrast.difference.high, -contrast.difference.low)
    return f"{lost.value:+.4f} [{lost.low:+.4f}, {lost.high:+.4f}]", p_value(contrast.p_value)


def _matching(own: Result, rival: Result, kind: str, seen: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Groups of both results, of the first seed, that hold the same targets."""
    firsts, seconds = (result.line["slices"][f"seen={seen}"].get(kind, ()) for result in (own, rival))
    theirs = {(part["label"], part["targets"]): part for part in seconds}
    found = ((part, theirs.get((part["label"], part["targets"]))) for part in firsts)
    return [(first, second) for first, second in found if second is not None]


def _ratio(first: dict[str, Any], second: dict[str, Any]) -> str:
    return "-" if not second["value"] else f"{100 * (first['value'] / second['value'] - 1):+.0f} %"
