"""A plan: models by data sets by seeds, as a YAML file says it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from attrformer import earlier_names
from attrformer.config import load_yaml
from attrformer.config.schema import warn_of
from attrformer.errors import ConfigurationError, require
from attrformer.plugins import load_plugins

Scalar = bool | int | float | str | None
Entry = dict[str, Scalar | tuple[Scalar, ...]]
"""One of several things with options of their own, such as a relation of `relations.own`."""

Value = Scalar | tuple[Scalar | Entry, ...]
Settings = dict[str, Value]
T = TypeVar("T")

DATA_ROOT: Final = "ATTRFORMER_DATA"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Range:
    """Numbers that a search may try; whole ones where both ends are whole."""

    low: int | float
    high: int | float
    log: bool = field(default=False, metadata={"help": "whether the logarithm is drawn evenly"})

    def __post_init__(self) -> None:
        require(self.low < self.high, "low", self.low, f"a number below high ({self.high})")
        require(not self.log or self.low > 0, "low", self.low, "a number above 0, since the range is logarithmic")


Space = dict[str, Range | tuple[Scalar, ...]]


@dataclass(frozen=True)
class DataSource:
    """A dataset folder and the options that every model gets on it."""

    folder: str = field(metadata={"help": "dataset folder; ${NAME} stands for an environment variable"})
    set: Settings = field(default_factory=dict, metadata={"help": "options by dotted name"})
    chosen_on: str | None = field(
        default=None, metadata={"help": "dataset whose search also counts here, where none was made on this one"}
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "set", _under_names_of_today(self.set))


@dataclass(frozen=True)
class Row:
    """A model with its options, one row of a table."""

    name: str = field(metadata={"help": "short name, part of file names"})
    title: str = field(default="", metadata={"help": "what tables call it; the name where left out"})
    group: Literal["paper", "ours", "reference", "whole", "ablation", "length"] = field(
        default="reference",
        metadata={
            "help": "which tables it belongs to; whole: what ablations are compared with, where that is not the row of "
            "group ours"
        },
    )
    set: Settings = field(default_factory=dict, metadata={"help": "options by dotted name"})
    on: dict[str, Settings] = field(default_factory=dict, metadata={"help": "further options on one dataset"})
    only: tuple[str, ...] | None = field(default=None, metadata={"help": "datasets it is run on; null: all"})
    seeds: tuple[int, ...] | None = field(default=None, metadata={"help": "its seeds; null: those of the plan"})
    like: str | None = field(
        default=None, metadata={"help": "row whose chosen options it starts from; its own options win over them"}
    )
    space: Space = field(default_factory=dict, metadata={"help": "what a search may try, by dotted name"})

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        require(all(self.space.values()), "space", "without values", "a range or a list for each option")
        for part in ("set", "space"):
            object.__setattr__(self, part, _under_names_of_today(getattr(self, part)))
        object.__setattr__(self, "on", {name: _under_names_of_today(told) for name, told in self.on.items()})

    @property
    def label(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name


@dataclass(frozen=True)
class Plan:
    """What is to be run, and where it is kept. Paths are relative to the working directory."""

    data: dict[str, DataSource]
    rows: tuple[Row, ...]
    name: str = field(default="", metadata={"help": "of the plan; the name of its file where left out"})
    results: str = field(default="benchmarks/results/leaderboard.jsonl", metadata={"help": "a line for each run"})
    trials_file: str = field(default="benchmarks/results/trials.jsonl", metadata={"help": "a line for each trial"})
    runs: str = field(default="runs/benchmark", metadata={"help": "folder of run folders"})
    chosen: str = field(default="benchmarks/chosen", metadata={"help": "folder of options that a search chose"})
    seeds: tuple[int, ...] = field(default=(0,), metadata={"help": "seeds of every row"})
    models: tuple[str, ...] = field(
        default=(), metadata={"help": "another name for `plugins`, from when models alone could be registered"}
    )
    plugins: tuple[str, ...] = field(
        default=(), metadata={"help": "files, packages or modules that register what is one's own"}
    )
    trials: int = field(default=4, metadata={"help": "trials of a search, the same number for every row"})

    def __post_init__(self) -> None:
        require(self.trials >= 1, "trials", self.trials, "1 or more")
        for name in self.data:
            _check_name("data", name)
        names = [row.name for row in self.rows]
        for name in names:
            require(names.count(name) == 1, "rows", f"naming '{name}' twice", "every row a name of its own")
        known = ", ".join(self.data)
        for name, data in self.data.items():
            elsewhere = data.chosen_on
            require(
                elsewhere is None or elsewhere in self.data, f"data: '{name}': chosen_on", elsewhere, f"one of {known}"
            )
        for row in self.rows:
            for source in (*(row.only or ()), *row.on):
                require(source in self.data, f"rows: '{row.name}'", f"on unknown data '{source}'", f"one of {known}")

    def runs_on(self, row: Row, source: str) -> bool:
        """Whether a row is run on a dataset."""
        return row.only is None or source in row.only


@dataclass(frozen=True)
class Chosen:
    """Options that a search chose for one row on one dataset."""

    set: Settings = field(default_factory=dict, metadata={"help": "options by dotted name"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "set", _under_names_of_today(self.set))


def load_plan(path: Path | str) -> Plan:
    """Reads a plan, and imports the files of one's own that it names.

    Raises:
        ConfigurationError: the file cannot be read, or says something that cannot be used.
    """
    plan = load_yaml(Plan, path)
    load_plugins((*plan.models, *plan.plugins))
    return plan if plan.name else replace(plan, name=Path(path).stem)


def data_folder(source: DataSource, root: Path | None = None) -> Path:
    """The folder of a dataset.

    Args:
        source: as the plan says it.
        root: stands for `${ATTRFORMER_DATA}`; the environment variable where None.

    Raises:
        ConfigurationError: the environment variable is not set, or there is no such folder.
    """
    known = os.environ | ({} if root is None else {DATA_ROOT: str(root)})
    missing = [name for name in re.findall(r"\$\{(\w+)\}", source.folder) if name not in known]
    if missing:
        advice = "or give --data-root FOLDER" if missing[0] == DATA_ROOT else "and run the plan again"
        raise ConfigurationError(
            f"The plan names the folder {source.folder}, and {missing[0]} is not set. Set it to the folder that holds "
            f"the data, {advice}."
        )
    folder = Path(re.sub(r"\$\{(\w+)\}", lambda match: known[match[1]], source.folder))
    if not folder.is_dir():
        raise ConfigurationError(f"The plan names the dataset folder {folder}, which does not exist. Correct the plan.")
    return folder


def _under_names_of_today(settings: dict[str, T]) -> dict[str, T]:
    """Options of a plan by the names of today, with a warning where earlier ones are given."""
    names = {name: earlier_names.option(name) for name in settings}
    for earlier, name in names.items():
        if name != earlier:
            warn_of(earlier, name)
    return {names[name]: value for name, value in settings.items()}


def _check_name(option: str, name: str) -> None:
    require(
        _NAME.fullmatch(name) is not None,
        option,
        f"'{name}'",
        "small letters, digits, - and _, since files are named after it",
    )
