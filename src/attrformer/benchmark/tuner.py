"""Searches for the options of each row on each dataset, judged on validation alone; Optuna says what to try next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml

from attrformer.benchmark.files import append_line, claim, read_lines
from attrformer.benchmark.jobs import Job, trials_folder
from attrformer.benchmark.options import Overrides, chosen_file, configuration, flat, is_run_of
from attrformer.benchmark.plan import Plan, Range, Row, Settings, Space, data_folder
from attrformer.benchmark.runner import ELSEWHERE, FAILED, Runner
from attrformer.benchmark.workers import carry_out
from attrformer.errors import ConfigurationError
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import SEEN_VARIANTS
from attrformer.io import write_text
from attrformer.recommender import Config

_OF_TEST: Final = frozenset({"test", "slices", "protocol", "repeated_share"})
"""What a line of a trial has nothing to do with."""

ATTEMPTS: Final = 50
"""Draws of Optuna for one trial, until one was not tried before."""


@dataclass(frozen=True, slots=True)
class Tuner:
    """Carries out searches; each trial is a line of the runner's file, and a finished one is not repeated.

    Args:
        plan: the plan.
        runner: carries out the trials.
        overrides: of the command line.
        root: folder of the data, in place of the environment variable.
    """

    plan: Plan
    runner: Runner
    overrides: Overrides
    root: Path | None = None

    def __call__(self, pairs: Iterable[tuple[Row, str]], side: int = 1) -> list[Job]:
        """Searches for each pair of a row with a space and a dataset, the same number of trials for all.

        Args:
            pairs: in the order in which they are begun.
            side: pairs at a time; the trials of one come one after the other, since each learns from those before.

        Returns:
            The trials that failed; each ends the search of its row on its dataset.

        Raises:
            ConfigurationError: the source has changes, or Optuna is not installed.
            KeyboardInterrupt: after an interrupt, once the trials that were running have saved their state.
        """
        load_optuna()
        searched = carry_out(self._search, [(row, source) for row, source in pairs if row.space], side)
        return [failed for outcome in searched for failed in outcome]

    def _search(self, pair: tuple[Row, str]) -> list[Job]:
        """One search; gives back the trial that failed, where one did."""
        row, source = pair
        with claim(trials_folder(Path(self.plan.runs), source, row)) as descriptor:
            if descriptor is None:
                self.runner.say(f"{row.name} on {source}: {ELSEWHERE}")
                return []
            for number in range(self.plan.trials):
                lines = self.trials(row, source)
                if number in lines:
                    continue
                job = self._trial(row, source, number, lines)
                if job is None:
                    self.runner.say(f"{row.name} on {source}: nothing new is left to be tried")
                    break
                if self._take_over(job):
                    continue
                title = f"{row.name} on {source}, trial {number + 1} of {self.plan.trials} {dict(job.notes['options'])}"
                if self.runner.one(job, title) == FAILED:
                    return [job]
            self._choose(row, source)
        return []

    def _take_over(self, job: Job) -> bool:
        """Makes a trial of what the row's finished run of the same options reached; whether there is such a run."""
        line = replace(self.runner, results=Path(self.plan.results)).finished(job)
        if line is None:
            return False
        told = {name: value for name, value in line.items() if name not in _OF_TEST}
        reached = [float(line["validation"][f"seen={seen}"][HEADLINE]["value"]) for seen in SEEN_VARIANTS]
        append_line(self.runner.results, told | dict(job.notes) | {"value": sum(reached) / len(reached)})
        return True

    def trials(self, row: Row, source: str) -> dict[int, dict[str, Any]]:
        """The lines of the trials so far, by number; those of other options than the plan has now do not count."""
        lines = (line for line in read_lines(self.runner.results) if "trial" in line)
        return {
            line["trial"]: line
            for line in lines
            if line["row"] == row.name and line["dataset"] == source and self._still_holds(row, source, line)
        }

    def _still_holds(self, row: Row, source: str, line: dict[str, Any]) -> bool:
        return is_run_of(line, self._configuration(row, source, line["options"]))

    def _configuration(self, row: Row, source: str, options: Settings) -> Config:
        return configuration(self.plan, row, source, self._seed(row), self.overrides, options)

    def _seed(self, row: Row) -> int:
        return (row.seeds or self.plan.seeds)[0]

    def _trial(self, row: Row, source: str, number: int, lines: dict[int, dict[str, Any]]) -> Job | None:
        options: Settings | None = {}
        if number > 0:
            # The first trial is of the defaults, so that a search never ends below them.
            options = suggest(row.space, [_told(row, line) for line in lines.values()], number)
        if options is None:
            return None
        config = self._configuration(row, source, options)
        data = data_folder(self.plan.data[source], self.root)
        notes = {"trial": number, "options": options}
        return Job(
            self.plan.name, row, source, data, self._seed(row), config, Path(self.plan.runs), "validation", notes
        )

    def _choose(self, row: Row, source: str) -> None:
        """Writes the options of the best trial, the first of equal ones."""
        lines = self.trials(row, source)
        best = max(sorted(lines), key=lambda number: float(lines[number]["value"]))
        file = chosen_file(self.plan, row.name, source)
        text = (
            f"# {row.label} on {source}: trial {best + 1} of {len(lines)} of `attrformer benchmark tune`, plan "
            f"{self.plan.name}.\n# Validation {HEADLINE}, mean of both seen variants: {lines[best]['value']:.4f}; "
            f"defaults {lines[min(lines)]['value']:.4f}.\n"
        )
        write_text(file, text + yaml.safe_dump({"set": lines[best]["options"]}))
        self.runner.say(f"{row.name} on {source}: trial {best + 1} is the best, {file}")


def _told(row: Row, line: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The values that a trial had for the options of the space, and its figure."""
    values = flat(line["configuration"])
    return {name: line["options"].get(name, values.get(name)) for name in row.space}, float(line["value"])


def suggest(space: Space, tried: Sequence[tuple[Mapping[str, Any], float]], number: int) -> Settings | None:
    """The options of the next trial; the same for the same trials before it.

    Args:
        space: what may be tried.
        tried: values of the options of the space and the figure they gave, for each trial so far.
        number: of the trial.

    Returns:
        Options by dotted name, none that was tried already; None where nothing new is found.

    Raises:
        ConfigurationError: Optuna is not installed.
    """
    optuna = load_optuna()
    distributions = {name: _distribution(optuna, values) for name, values in space.items()}
    for attempt in range(ATTEMPTS):
        sampler = optuna.samplers.TPESampler(seed=ATTEMPTS * number + attempt)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for options, value in tried:
            _add(optuna, study, dict(options), distributions, value)
        found = {name: _rounded(value, space[name]) for name, value in study.ask(distributions).params.items()}
        if all(found != dict(options) for options, _ in tried):
            return found
    return None


def load_optuna() -> Any:
    """The library of searches.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        optuna: Any = import_module("optuna")
    except ImportError as error:
        raise ConfigurationError('The search needs Optuna. Install it: pip install "attrformer[tune]"') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, values: Range | tuple[Any, ...]) -> Any:
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(values)
    whole = isinstance(values.low, int) and isinstance(values.high, int)
    kind = optuna.distributions.IntDistribution if whole else optuna.distributions.FloatDistribution
    return kind(values.low, values.high, log=values.log)


def _add(optuna: Any, study: Any, options: dict[str, Any], distributions: dict[str, Any], value: float) -> None:
    """Tells a study of an earlier trial; defaults may lie outside of the space, and then teach it nothing."""
    try:
        study.add_trial(optuna.trial.create_trial(params=options, distributions=distributions, value=value))
    except ValueError:
        return


def _rounded(value: Any, values: Range | tuple[Any, ...]) -> Any:
    """Three digits are as fine as a search can tell apart, and can be read."""
    if not isinstance(value, float) or not isinstance(values, Range):
        return value
    return min(max(float(f"{value:.3g}"), float(values.low)), float(values.high))
