"""Figures from elsewhere: what papers have published, and what `benchmarks/peers` measured of other libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attrformer.benchmark.environment import MIB
from attrformer.benchmark.files import read_lines
from attrformer.benchmark.wording import NOTHING, distinct, duration, interval, markdown, processor
from attrformer.errors import require
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import SEEN_VARIANTS

PEERS: Final = "peers.jsonl"
TITLES: Final = {"attrformer": "this project", "rectools": "RecTools", "recbole": "RecBole"}


@dataclass(frozen=True)
class PaperTable:
    """A published table of results.

    Args:
        citation: where it was published.
        models: names of rows, as plans call them.
        figures: for each dataset and metric a figure of each model, in their order.

    Raises:
        ConfigurationError: a row of figures is longer or shorter than the row of models.
    """

    citation: str = ""
    models: tuple[str, ...] = ()
    figures: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for source, metrics in self.figures.items():
            for metric, values in metrics.items():
                wanted = f"{len(self.models)}, one for each model"
                require(len(values) == len(self.models), f"figures.{source}.{metric}", f"{len(values)} long", wanted)

    def figure(self, source: str, row: str, metric: str) -> float | None:
        """The published figure of a row, None where there is none."""
        values = self.figures.get(source, {}).get(metric)
        return values[self.models.index(row)] if values and row in self.models else None

    def gain(self, source: str, row: str, metric: str) -> float | None:
        """How far a row is above the best other one, relative to that; None where it has no figure."""
        values, own = self.figures.get(source, {}).get(metric, ()), self.figure(source, row, metric)
        others = [value for name, value in zip(self.models, values, strict=True) if name != row] if values else []
        return None if own is None or not others else own / max(others) - 1


def outsiders(results: Path) -> str:
    """One table of all libraries on all datasets, the latest run of each, the best first on each dataset.

    Args:
        results: folder with `peers.jsonl`.
    """
    latest = {(line["figures"]["protocol"]["dataset"], line["peer"]): line for line in read_lines(results / PEERS)}
    if not latest:
        return NOTHING
    header = (
        "data",
        "SASRec of",
        *(f"{HEADLINE} `seen={seen}`" for seen in SEEN_VARIANTS),
        "epochs, best",
        "an epoch",
        "training",
        "peak memory",
        "parameters",
    )
    ordered = sorted(latest.items(), key=lambda entry: (entry[0][0], -_figure(entry[1], SEEN_VARIANTS[0])["value"]))
    table = markdown(header, [_row(dataset, line) for (dataset, _), line in ordered])
    return f"{table}\n\n{_caption([line for _, line in ordered])}"


def _row(dataset: str, line: dict[str, Any]) -> tuple[str, ...]:
    peer, versions = line["peer"], line["versions"]
    return (
        dataset,
        f"{TITLES.get(peer, peer)} {versions.get(peer, '')}".rstrip(),
        *(interval(_figure(line, seen)) for seen in SEEN_VARIANTS),
        f"{line['epochs']}, {line['best_epoch']}",
        duration(line["seconds_per_epoch"]),
        duration(line["seconds"]["train"]),
        f"{line['peak_memory_bytes'] / MIB:,.0f} MiB",
        f"{line['parameters']:,}",
    )


def _figure(line: dict[str, Any], seen: str) -> dict[str, Any]:
    found: dict[str, Any] = line["figures"][f"seen={seen}"][HEADLINE]
    return found


def _caption(lines: list[dict[str, Any]]) -> str:
    commands = distinct(f"`{line['command']}`" for line in lines)
    commits = distinct(line["hardware"]["commit"] for line in lines)
    return "  \n".join(
        [
            f"Command: {'; '.join(commands)}. Commits: {', '.join(commits)}.",
            f"Hardware: {'; '.join(distinct(processor(line['hardware']) for line in lines))}.",
            f"Seeds: {', '.join(distinct(str(line['seed']) for line in lines))}.",
        ]
    )
