"""Training folders and dataset folders as the commands name them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrformer.cli import console
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.io import read_json, write_json
from attrformer.locks import IN_FOLDER

if TYPE_CHECKING:
    from attrformer.dataset import Dataset, Split
    from attrformer.recommender import Config, Recommender

CONFIGURATION = "config.json"
MODEL = "model"
DATA = "data.json"


def check_free(run: Path, *, resume: bool) -> None:
    """Refuses to write over an earlier run.

    Raises:
        CheckpointError: the folder holds a run that is not to be resumed, or something else.
    """
    if resume or not run.exists() or (run.is_dir() and all(path.name == IN_FOLDER for path in run.iterdir())):
        return
    if (run / CONFIGURATION).is_file():
        raise CheckpointError(f"{run} holds a run already. Continue it with --resume, or name another folder in --out.")
    raise CheckpointError(f"{run} exists and is no training folder. Name a new folder in --out.")


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
    from attrformer.configuration import from_dict, load_yaml, override
    from attrformer.recommender import Config

    stored = None if resumed is None else resumed / CONFIGURATION
    if stored is not None and stored.is_file():
        if file is not None:
            raise ConfigurationError("A resumed run keeps its options. Leave --config out.")
        return override(from_dict(Config, _read(stored)), settings)
    return override(Config() if file is None else load_yaml(Config, file), settings)


def open_dataset(folder: Path, config: Config) -> Dataset:
    """The dataset in a folder, with the catalogue that the options ask for.

    Raises:
        DataError: the folder cannot be used.
    """
    from attrformer.dataset import Dataset

    return Dataset.load(folder, catalogue=config.data.catalogue)


def open_split(folder: Path, config: Config) -> tuple[Dataset, Split]:
    """The dataset in a folder, filtered and split as the options ask for; what the split leaves out is said.

    Raises:
        DataError: the folder cannot be used, or its data cannot be split so.
    """
    dataset = config.data.filtered(open_dataset(folder, config))
    split = config.data.split_of(dataset)
    for sentence in split.dropped:
        console.say(f"Note: {sentence}.")
    return dataset, split


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
    return Recommender.load(run / MODEL)


def remember_data(run: Path, data: Path) -> None:
    """Writes into the run which dataset folder it was trained on, relative to the run."""
    path = os.path.relpath(data, run)
    write_json(run / DATA, {"folder": Path(path).as_posix()})


def data_folder(run: Path, given: Path | None) -> Path:
    """The dataset folder that was given, or the one the run was trained on.

    Raises:
        CheckpointError: none was given and the run knows none.
    """
    if given is not None:
        return given
    if not (run / DATA).is_file():
        raise CheckpointError(f"{run} does not say which data it was trained on. Give the dataset folder in --data.")
    folder = _read(run / DATA).get("folder")
    if not isinstance(folder, str):
        raise CheckpointError(f"{run / DATA} is damaged. Give the dataset folder in --data.")
    return Path(os.path.normpath(run / folder))


def _read(path: Path) -> dict[str, object]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Train anew into another folder.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged (not an object). Train anew into another folder.")
    return content
