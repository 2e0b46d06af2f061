"""What plans left behind: a result for each row and dataset, over its seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.benchmark.files import read_lines
from attrformer.benchmark.options import MACHINE, flat, is_run_of
from attrformer.benchmark.rank_table import RankTable
from attrformer.benchmark.ranks import Ranks, load_ranks
from attrformer.config import from_dict
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.evaluation.bootstrap import Interval, mean_intervals
from attrformer.recommender import Config

MAIN: Final = ("paper", "ours", "reference")
EVALUATIONS: Final = "evaluations"
RANK_TABLE: Final = "ranks.npz"
SINCE: Final = "since"
"""Field of a line that stands for earlier ones of its row, which are not kept: the date of the first."""

CPU, ACCELERATED, MIXED = "cpu", "accelerator", "both"
PLACES: Final = (CPU, ACCELERATED, MIXED)
"""Where a run was trained; its time is comparable with those of the same kind of place alone."""


@dataclass(frozen=True, slots=True)
class Training:
    """How long a row was trained.

    Args:
        place: one of `PLACES`.
        seconds: the mean over seeds.
        complete: whether that is all of it; no where a sitting was killed and left no time.
    """

    place: str
    seconds: float
    complete: bool = True


@dataclass(frozen=True, eq=False)
class Result:
    """One row on one dataset.

    Args:
        lines: one JSON line for each seed, in the order of seeds.
        folder: of the files of ranks.
        table: the ranks of runs that have no file of their own any more; None for none.
    """

    lines: tuple[dict[str, Any], ...]
    folder: Path
    table: RankTable | None = None

    @property
    def line(self) -> dict[str, Any]:
        """The line of the first seed."""
        return self.lines[0]

    @property
    def row(self) -> str:
        """Name of the row."""
        return str(self.line["row"])

    @property
    def title(self) -> str:
        """What tables call it."""
        return str(self.line["title"])

    @property
    def group(self) -> str:
        """Which tables it belongs to."""
        return str(self.line["group"])

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return str(self.line["dataset"])

    @property
    def selected(self) -> float:
        """The mean over seeds of the validation figure that training selected on; 0 for models that do not train."""
        return float(np.mean([line["selected"].get("value", 0.0) for line in self.lines]))

    def cost(self, name: str) -> float:
        """A cost such as `training_seconds`, the mean over seeds."""
        return float(np.mean([line["cost"][name] for line in self.lines]))

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        """How long it was trained, the mean over the seeds of each kind of place, those of a CPU first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.lines:
            found.setdefault(_place(line), []).append(line["cost"])
        return tuple(
            Training(
                place,
                float(np.mean([cost["training_seconds"] for cost in found[place]])),
                all(cost.get("complete", True) for cost in found[place]),
            )
            for place in PLACES
            if place in found
        )

    def values(self, name: str, seen: str) -> list[float]:
        """A figure of each seed."""
        stored = [line["test"][f"seen={seen}"].get(name) for line in self.lines]
        if None not in stored:
            return [float(figure["value"]) for figure in stored]
        self.per_target(name, seen)
        return [float(ranks.per_target(name, seen).mean()) for ranks in self.ranks or ()]

    def figure(self, name: str, seen: str) -> Interval:
        """A figure with its interval over users, of the mean over seeds where there are several.

        Raises:
            ConfigurationError: the metric is unknown, or was not reported and looks at more than ranks.
            CheckpointError: it was not reported, and the ranks are missing.
        """
        stored = self.line["test"][f"seen={seen}"].get(name)
        # A metric that came after the run is made from its ranks.
        if stored is not None and (len(self.lines) == 1 or self.ranks is None):
            return Interval(stored["value"], stored["low"], stored["high"])
        values = self.per_target(name, seen)
        assert self.ranks is not None
        protocol = self.ranks[0].protocol
        (interval,) = mean_intervals(
            values,
            users=self.ranks[0].users,
            resamples=protocol.resamples,
            confidence=protocol.confidence,
        )
        return interval

    @cached_property
    def ranks(self) -> tuple[Ranks, ...] | None:
        """The ranks of each seed; None where they are missing or not of the same targets."""
        try:
            found = tuple(self._ranks_of(line["key"]) for line in self.lines)
        except CheckpointError:
            return None
        return found if len({ranks.targets for ranks in found}) == 1 else None

    def _ranks_of(self, key: str) -> Ranks:
        file = self.folder / f"{key}.npz"
        # A file is of a run that came after the table was made.
        return load_ranks(file) if self.table is None or file.is_file() else self.table[key]

    def per_target(self, name: str, seen: str) -> NDArray[np.float64]:
        """A metric of ranks for each target, the mean over seeds, float64 `[n]`.

        Raises:
            CheckpointError: the ranks are missing.
        """
        if self.ranks is None:
            raise CheckpointError(f"The ranks of {self.row} on {self.dataset} are missing. Run it with --again.")
        mean: NDArray[np.float64] = np.mean([ranks.per_target(name, seen) for ranks in self.ranks], axis=0)
        return mean

    def comparable(self, other: Result) -> bool:
        """Whether both have ranks of the same targets, and of one rule for repeated ones where there are any."""
        own, others = self.ranks, other.ranks
        if own is None or others is None or own[0].targets != others[0].targets:
            return False
        repeated = any(one.repeats is not None and one.repeats.any() for one in (own[0], others[0]))
        return not repeated or own[0].protocol.seen == others[0].protocol.seen


@dataclass(frozen=True, eq=False)
class Board:
    """All results.

    Args:
        results: one for each row and dataset.
        trials: lines of searches.
    """

    results: tuple[Result, ...]
    trials: tuple[dict[str, Any], ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that have results, in the order in which they came."""
        return tuple(dict.fromkeys(result.dataset for result in self.results))

    def on(self, dataset: str, groups: Iterable[str] = MAIN) -> list[Result]:
        """The results on a dataset in some groups."""
        groups = tuple(groups)
        return [result for result in self.results if result.dataset == dataset and result.group in groups]

    def own(self, dataset: str) -> Result | None:
        """The model that is compared with all others: of the group `ours` the one that validation prefers."""
        return max(self.on(dataset, ("ours",)), key=lambda result: result.selected, default=None)

    def whole(self, dataset: str) -> Result | None:
        """The model that ablations are compared with: one trained as they were, else that of `own`."""
        return next(iter(self.on(dataset, ("whole",))), None) or self.own(dataset)

    def rival(self, dataset: str, name: str, seen: str, groups: Iterable[str] = ("paper",)) -> Result | None:
        """The best result of some groups by its own test figure, the hardest one to compare with."""
        return max(self.on(dataset, groups), key=lambda result: result.figure(name, seen).value, default=None)


def _place(line: Mapping[str, Any]) -> str:
    if len(line["cost"].get("devices", ())) > 1:
        return MIXED
    return ACCELERATED if line["hardware"]["accelerator"] else CPU


def load_board(folder: Path, shown: Callable[[Mapping[str, Any]], bool] = lambda line: True) -> Board:
    """Reads every file of JSON lines in a folder.

    Of several lines of one row, dataset and seed the latest counts, and of other seeds only those with its options.

    Args:
        folder: where plans leave their results.
        shown: whether a line counts.

    Raises:
        CheckpointError: a file cannot be read, or there is no result.
    """
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in read_lines(path) if "configuration" in line]
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        if "test" in line and shown(line):
            found.setdefault((line["dataset"], line["row"]), []).append(line)
    for group in found.values():
        group.sort(key=lambda line: str(line["date"]))
    if not found:
        raise CheckpointError(f"{folder} holds no results. Run a plan: attrformer benchmark PLAN.yaml")
    table = RankTable(folder / RANK_TABLE)
    # In the order in which rows were first run, also where the lines of their first runs are no longer kept.
    groups = sorted(found.values(), key=lambda group: min(str(line.get(SINCE, line["date"])) for line in group))
    results = tuple(Result(_of_one_kind(group), folder / EVALUATIONS, table) for group in groups)
    return Board(results, tuple(line for line in lines if "trial" in line))


def _of_one_kind(lines: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The latest line of each seed, of those that were the run of the very latest line with another seed."""
    seeds = {line["seed"]: line for line in lines if _alike(line, lines[-1])}
    return tuple(seeds[seed] for seed in sorted(seeds))


def _alike(line: dict[str, Any], latest: dict[str, Any]) -> bool:
    if _options(line) == _options(latest):
        return True
    try:
        asked = from_dict(Config, {**latest["configuration"], "seed": line["seed"]})
    except ConfigurationError:
        return False
    return is_run_of(line, asked)


def _options(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flat(line["configuration"]).items() if name not in {"seed", *MACHINE}}
