"""The runs that a plan asks for, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attrformer.benchmark.options import Overrides, configuration, fingerprint
from attrformer.benchmark.plan import Plan, Row, data_folder
from attrformer.errors import ConfigurationError
from attrformer.recommender import Config


@dataclass(frozen=True, slots=True)
class Job:
    """One training run.

    Args:
        plan: name of the plan.
        row: what is run.
        source: name of the dataset.
        data: its folder.
        seed: of the run.
        config: all options.
        runs: folder of all runs of the plan.
        part: the part that is evaluated, "test", or "validation" for a trial, which never reads test interactions.
        notes: further fields of its line.
    """

    plan: str
    row: Row
    source: str
    data: Path
    seed: int
    config: Config
    runs: Path
    part: str = "test"
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kin(self) -> tuple[Path, Path]:
        """Where the runs of all rows on the same dataset lie, and where their trials do."""
        return self.runs / self.source, trials_folder(self.runs, self.source, self.row).parent

    @property
    def folder(self) -> Path:
        """Of this run; one with other options has another."""
        tested, tried = (folder / self.row.name for folder in self.kin)
        mark = fingerprint(self.config)
        return tested / f"seed-{self.seed}-{mark}" if self.part == "test" else tried / mark

    @property
    def key(self) -> str:
        """What files and lines of this run are called."""
        return f"{self.source}.{self.row.name}.{self.seed}.{fingerprint(self.config)}"

    def __str__(self) -> str:
        return f"{self.row.name} on {self.source}, seed {self.seed}"


def trials_folder(runs: Path, source: str, row: Row) -> Path:
    """Where the trials of a search for a row on a dataset lie."""
    return runs / "trials" / source / row.name


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs of a plan are wanted; None for all.

    Args:
        rows: names of rows.
        data: names of datasets.
        seeds: seeds, in place of those of the plan.
    """

    rows: Sequence[str] | None = None
    data: Sequence[str] | None = None
    seeds: Sequence[int] | None = None

    def of(self, plan: Plan) -> list[tuple[Row, str]]:
        """The wanted pairs of row and dataset, in the order of the plan.

        Raises:
            ConfigurationError: the plan has no row or dataset of that name.
        """
        _check_known("row", self.rows, [row.name for row in plan.rows])
        _check_known("dataset", self.data, plan.data)
        return [
            (row, source)
            for row in plan.rows
            for source in plan.data
            if (self.rows is None or row.name in self.rows)
            and (self.data is None or source in self.data)
            and plan.runs_on(row, source)
        ]


EVERYTHING: Final = Selection()


def jobs(
    plan: Plan,
    selection: Selection = EVERYTHING,
    overrides: Overrides | None = None,
    *,
    order: str = "rows",
    root: Path | None = None,
) -> list[Job]:
    """The runs of a plan.

    Args:
        plan: the plan.
        selection: which of them.
        overrides: of the command line; None for none.
        order: what changes slowest: "rows", "data" or "seeds".
        root: folder of the data, in place of the environment variable.

    Raises:
        ConfigurationError: an option, a name or a folder cannot be used.
    """
    found = []
    for row, source in selection.of(plan):
        folder = data_folder(plan.data[source], root)
        for seed in selection.seeds or row.seeds or plan.seeds:
            config = configuration(plan, row, source, seed, overrides)
            found.append(Job(plan.name, row, source, folder, seed, config, Path(plan.runs)))
    sources = list(plan.data)
    slowest: dict[str, Callable[[Job], Any]] = {
        "rows": lambda job: 0,
        "data": lambda job: sources.index(job.source),
        "seeds": lambda job: job.seed,
    }
    return sorted(found, key=slowest[order])


def _check_known(kind: str, wanted: Sequence[str] | None, known: Iterable[str]) -> None:
    for name in wanted or ():
        if name not in known:
            raise ConfigurationError(f"The plan has no {kind} '{name}'. It has {', '.join(known)}.")
