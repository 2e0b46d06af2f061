"""What an earlier run of the same options has learned is not trained again.

A run that ended at its bound on epochs is gone on with where a plan allows more of them. A search takes its trial of
the defaults from the row's own run, and a row whose options a search chose takes what that trial has learned. A row
that asks for what another one asked for already, by whatever name, takes it from there; where it came to its end, its
line is taken (`Runner`), whether its folder is still there or not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrformer import earlier_names
from attrformer.benchmark.execute import ACCELERATOR, CONFIGURATION, LINE, MEMORY, SESSIONS
from attrformer.benchmark.files import claim, read_object
from attrformer.benchmark.jobs import Job
from attrformer.benchmark.options import MACHINE, flat, is_same, nested
from attrformer.config import from_dict, to_dict
from attrformer.io import write_json
from attrformer.recommender import Config
from attrformer.recommender.run_folder import RunFolder


def begin_from_earlier(job: Job) -> Path | None:
    """Puts the state of the longest run that differs in nothing, or in fewer epochs alone, into the folder of a job.

    Without such a run the job begins anew; so it does after one whose rate falls by its number of epochs, where that
    number is another.

    Args:
        job: to be started; its folder holds no run.

    Returns:
        The folder of the earlier run, which stays as it is; None where there is none.

    Raises:
        CheckpointError: the earlier run is damaged.
    """
    earlier = [(epochs, folder) for folder in _kin(job) if (epochs := _epochs_of(folder, job)) is not None]
    for _, folder in sorted(earlier, reverse=True):
        with claim(folder) as descriptor:
            if descriptor is None:
                continue
            if (folder / SESSIONS).is_file():
                write_json(job.folder / SESSIONS, {"sessions": _sittings(folder)})
            RunFolder(folder).branch(job.folder, _as_computed(job.config, read_object(folder / CONFIGURATION)))
            return folder
    return None


def _kin(job: Job) -> list[Path]:
    """The folders of all other runs and trials on the same dataset."""
    found = [folder for parent in job.kin for folder in parent.glob("*/*")]
    return [folder for folder in found if folder != job.folder and (folder / CONFIGURATION).is_file()]


def _epochs_of(folder: Path, job: Job) -> int | None:
    """The bound on epochs of a run that a job could go on from; None where it could not."""
    options = read_object(folder / CONFIGURATION)
    epochs, wanted = int(options["training"]["epochs"]), job.config.training.epochs
    follows = epochs == wanted or (epochs < wanted and job.config.training.schedule == "constant")
    if not follows or not RunFolder(folder).checkpoint.exists():
        return None
    return epochs if is_same(_with_epochs(options, wanted), job.config) else None


def _sittings(folder: Path) -> list[dict[str, Any]]:
    """The sittings of a run; where it came to its end, with the memory that its line says it took."""
    sittings: list[dict[str, Any]] = read_object(folder / SESSIONS)["sessions"]
    known = read_object(folder / LINE)["cost"] if (folder / LINE).is_file() else {}
    return [one | {name: known[name] for name in (MEMORY, ACCELERATOR) if known.get(name)} for one in sittings]


def _with_epochs(options: dict[str, Any], epochs: int) -> dict[str, Any]:
    return {**options, "training": {**options["training"], "epochs": epochs}}


def _as_computed(config: Config, earlier: dict[str, Any]) -> Config:
    """The options of a job, with the threads of an earlier run, so that it goes on bit for bit."""
    before = flat(earlier_names.configuration(earlier))
    kept = {name: before[name] for name in MACHINE if name in before}
    return from_dict(Config, nested([flat(to_dict(config)), kept]))
