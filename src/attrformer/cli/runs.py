"""Training folders and dataset folders as the commands name them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attrformer.cli import console, reading
from attrformer.errors import CheckpointError, ConfigurationError, DataError
from attrformer.io import IN_FOLDER, is_unfinished, read_json, write_json

if TYPE_CHECKING:
    from attrformer.data import Dataset, Split
    from attrformer.data.check import CheckReport
    from attrformer.recommender import Config, Recommender

CONFIGURATION = "config.json"
SETTLED = "run.json"
MODEL = "model"
DATA = "data.json"
CHECK = "check.json"
KEPT = {"added.jsonl": "items that were added", "changed.jsonl": "changes of items that were sent"}
SAMPLE = "sample"

_NAME_IT = "Name the dataset folder: --data FOLDER"


def check_free(run: Path, *, resume: bool) -> None:
    """Refuses to write over an earlier run.

    Raises:
        CheckpointError: the folder holds a run that is not to be resumed, or something else.
    """
    if resume or not run.exists() or (run.is_dir() and all(map(_is_of_no_run, run.iterdir()))):
        return
    if (run / CONFIGURATION).is_file():
        raise CheckpointError(f"{run} holds a run already. Continue it with --resume, or name another folder in --out.")
    raise CheckpointError(f"{run} exists and is no training folder. Name a new folder in --out.")


def _is_of_no_run(path: Path) -> bool:
    """Whether a file may be left by a process that was killed before it wrote the options, which make a run."""
    return path.name in (IN_FOLDER, SETTLED) or is_unfinished(path.name)


def free_folder(wanted: Path) -> Path:
    """The folder, or the first of `wanted-2`, `wanted-3`, ... that does not exist yet."""
    folder, number = wanted, 1
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def configuration(file: Path | None, settings: Iterable[str], *, resumed: Path | None = None) -> Config:
    """The configuration of a run: its own where it is resumed, else a file or the defaults, then the settings.

    Args:
        file: a YAML file of options, or None.
        settings: texts such as `training.epochs=5`.
        resumed: the folder of a run that is to be continued.

    Raises:
        ConfigurationError: an option is unknown or has a value that cannot be used.
        CheckpointError: the configuration of the resumed run is damaged.
    """
    from attrformer import earlier_names
    from attrformer.config import from_dict, load_yaml, override
    from attrformer.recommender import Config

    stored = None if resumed is None else resumed / CONFIGURATION
    with console.shown_warnings():
        if stored is not None and stored.is_file():
            if file is not None:
                raise ConfigurationError("A resumed run keeps its options. Leave --config out.")
            return override(from_dict(Config, earlier_names.configuration(_read(stored))), settings)
        return override(Config() if file is None else load_yaml(Config, file), settings)


def open_dataset(folder: Path, config: Config) -> Dataset:
    """The dataset in a folder, read as the options ask for.

    Raises:
        DataError: the folder cannot be used.
    """
    return config.data.load(folder)


def open_split(folder: Path, config: Config) -> tuple[Dataset, Split]:
    """The dataset in a folder, filtered and split as the options ask for; what the split leaves out is said.

    Raises:
        DataError: the folder cannot be used, or its data cannot be split so.
    """
    return split_dataset(open_dataset(folder, config), config)


def split_dataset(dataset: Dataset, config: Config) -> tuple[Dataset, Split]:
    """A dataset filtered and split as the options ask for; what the split leaves out is said.

    Raises:
        DataError: the data cannot be split so.
    """
    dataset = config.data.filtered(dataset)
    split = config.data.split_of(dataset)
    for sentence in split.dropped:
        console.say(f"Note: {sentence}.")
    return dataset, split


def check_data(dataset: Dataset, folder: Path, config: Config, *, quiet: bool = False) -> CheckReport:
    """Says in a few lines what the columns are used as and what the data will do to the figures.

    Args:
        dataset: filtered as the options ask for.
        folder: that it was loaded from.
        config: the options.
        quiet: whether only errors and warnings are said.

    Returns:
        The whole report.
    """
    from attrformer.data.check import Severity, check_loaded

    read = dataset.item_relations if config.relations.edges is None else config.relations.edges
    report = check_loaded(
        dataset,
        folder,
        config.data.tables,
        shuffled=config.data.same_time == "shuffled",
        unread_edges=dataset.item_relations.keys() - set(read),
    )
    if quiet:
        for finding in report.from_on(Severity.WARNING):
            console.say(f"{finding.severity.value.capitalize()}: {finding.title}.")
        return report
    *lines, last = report.short()
    for line in lines:
        console.say(line)
    console.say(f"{last}: attrformer check {folder}{reading.as_words(config)}")
    return report


def remember_check(run: Path, report: CheckReport) -> None:
    """Writes a report on the data into the run, for its page."""
    write_json(run / CHECK, report.to_json())


def open_model(run: Path) -> Recommender:
    """The model of a run.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    from attrformer.recommender import Recommender

    if (run / CONFIGURATION).is_file() and not (run / MODEL).exists():
        raise CheckpointError(
            f"The run in {run} is not finished. Continue it: attrformer train ... --out {run} --resume"
        )
    if not run.is_dir():
        raise CheckpointError(f"{run} is not a folder. Give the folder that `attrformer train --out` wrote.")
    model = Recommender.load(run / MODEL)
    tell_of_kept(run, "this command answers without them")
    return model


def tell_of_kept(run: Path, so: str) -> None:
    """Says what the service of a run has and its model has not.

    Args:
        run: the run folder.
        so: what follows, in words.
    """
    for name, what in KEPT.items():
        if (run / name).is_file():
            console.say(
                f"Note: {run / name} holds {what} to the service of this run (attrformer serve --save-added). "
                f"They are kept there, and {so}."
            )


def remember_data(run: Path, data: Path) -> None:
    """Writes into the run which dataset folder it was trained on, relative to the run."""
    _write_data(run, {"folder": Path(os.path.relpath(data, run)).as_posix()})


def remember_sample(run: Path) -> None:
    """Writes into the run that it was trained on the embedded sample."""
    _write_data(run, {SAMPLE: True})


def _write_data(run: Path, content: dict[str, object]) -> None:
    write_json(run / DATA, content)


def split_of_run(run: Path, given: Path | None, config: Config, told: Collection[str] = ()) -> tuple[Dataset, Split]:
    """The dataset that was given, or the one the run was trained on, filtered and split as the options ask for.

    Args:
        run: the training folder.
        given: a dataset folder, or None.
        config: the options of the run.
        told: names of columns that the command was told. The others are those of the run, and another folder may have
            the library's own names.

    Raises:
        CheckpointError: none was given, and the run knows none or it is no longer there.
        DataError: the folder cannot be used, or its data cannot be split so.
    """
    if given is None and (run / DATA).is_file() and _read(run / DATA, _NAME_IT).get(SAMPLE) is True:
        from attrformer.data.sample import sample_dataset

        return split_dataset(sample_dataset(), config)
    folder = data_folder(run, given)
    try:
        dataset = open_dataset(folder, config)
    except DataError:
        columns = _fitting_columns(folder, config, told) if config.data.columns else {}
        if columns == config.data.columns:
            raise
        config = replace(config, data=replace(config.data, columns=columns))
        dataset = open_dataset(folder, config)
    return split_dataset(dataset, config)


def _fitting_columns(folder: Path, config: Config, told: Collection[str]) -> dict[str, str]:
    """The names of columns of a run that a folder needs, and those that the command was told; the others are said."""
    from attrformer.data.folder import fitting_columns

    given = config.data.columns
    fitting = fitting_columns(folder, config.data.tables)
    for name in given:
        if name not in fitting and name not in told:
            console.say(f"Note: {folder} has no column '{given[name]}', which the run reads as '{name}'.")
    return {name: theirs for name, theirs in given.items() if name in fitting or name in told}


def data_folder(run: Path, given: Path | None) -> Path:
    """The dataset folder that was given, or the one the run was trained on.

    Raises:
        CheckpointError: none was given, and the run knows none or it is no longer there.
    """
    if given is not None:
        return given
    if not (run / DATA).is_file():
        raise CheckpointError(
            f"{run} does not say which data it was trained on: it was fitted in Python. Save the dataset "
            "(dataset.save(FOLDER)) and name its folder: --data FOLDER"
        )
    named = _read(run / DATA, _NAME_IT).get("folder")
    if not isinstance(named, str) or "\0" in named:
        raise CheckpointError(f"{run / DATA} is damaged. {_NAME_IT}")
    folder = Path(os.path.normpath(run / named))
    if not folder.is_dir():
        raise CheckpointError(f"{run} was trained on {folder}, which is no longer there. {_NAME_IT}")
    return folder


def _read(path: Path, advice: str = "Train anew into another folder.") -> dict[str, object]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). {advice}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged (not an object). {advice}")
    return content
