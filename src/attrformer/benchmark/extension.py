"""A run that ended at its bound on epochs, or was interrupted, is gone on with where a plan allows more of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from attrformer.benchmark.execute import CONFIGURATION, SESSIONS
from attrformer.benchmark.files import claim, read_object
from attrformer.benchmark.jobs import Job
from attrformer.benchmark.options import is_same
from attrformer.configuration import from_dict
from attrformer.recommender import Config
from attrformer.recommender.run_folder import RunFolder


def begin_from_shorter(job: Job) -> Path | None:
    """Puts the state of the longest run that differs in fewer epochs alone into the folder of a job.

    A run without such a one beside it begins anew, and so does one whose rate falls by its number of epochs.

    Args:
        job: to be started; its folder holds no run.

    Returns:
        The folder of the shorter run, which stays as it is; None where there is none.

    Raises:
        CheckpointError: the shorter run is damaged.
    """
    shorter = [(epochs, folder) for folder in _beside(job) if (epochs := _epochs_of(folder, job)) is not None]
    for _, folder in sorted(shorter, reverse=True):
        with claim(folder) as descriptor:
            if descriptor is None:
                continue
            if (folder / SESSIONS).is_file():
                shutil.copyfile(folder / SESSIONS, job.folder / SESSIONS)
            # It keeps its threads, so that it goes on bit for bit.
            options = _with_epochs(read_object(folder / CONFIGURATION), job.config.training.epochs)
            RunFolder(folder).branch(job.folder, from_dict(Config, options))
            return folder
    return None


def _beside(job: Job) -> list[Path]:
    """The run folders of other options of the same row, dataset and seed."""
    found = job.folder.parent.glob(f"seed-{job.seed}-*")
    return [folder for folder in found if folder != job.folder and (folder / CONFIGURATION).is_file()]


def _epochs_of(folder: Path, job: Job) -> int | None:
    """The epochs of a run that a job could go on from; None where it could not."""
    options = read_object(folder / CONFIGURATION)
    epochs, wanted = int(options["training"]["epochs"]), job.config.training.epochs
    follows = epochs < wanted and job.config.training.schedule == "constant" and RunFolder(folder).checkpoint.exists()
    return epochs if follows and is_same(_with_epochs(options, wanted), job.config) else None


def _with_epochs(options: dict[str, Any], epochs: int) -> dict[str, Any]:
    return {**options, "training": {**options["training"], "epochs": epochs}}
