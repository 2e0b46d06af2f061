"""Versions of a model in one folder, and the link that says which of them answers.

`MODELS/20261128T093000Z` is a saved model that is never written to again, and `MODELS/current` a symbolic link to one
of them. The link is replaced by a rename, so whoever reads it finds one version or the other. Services that follow the
folder only read it: any number of them can share it, on a volume that they may not write to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from attrformer.errors import CheckpointError, ConfigurationError, require
from attrformer.folders import new_folder, standing_file
from attrformer.io import file_checksum, flush_folder, remove_leftovers, reporting, unfinished_name
from attrformer.locks import locked_folder
from attrformer.recommender.storage import DESCRIPTION, TENSORS
from attrformer.server import model_store

CURRENT: Final = "current"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TAKEN: Final = (CURRENT, model_store.MODEL, model_store.NEXT, model_store.PREVIOUS, model_store.DISCARDED)
_DIGITS: Final = 12

LONGEST: Final = 300.0
"""Seconds between two tries of a version that cannot be used, at most."""

_DOUBLED: Final = 30


def is_versioned(folder: Path) -> bool:
    """Whether a folder holds versions of a model and not a run."""
    return (folder / CURRENT).is_symlink()


def current(models: Path) -> Path:
    """The folder of the version that is to answer.

    Args:
        models: the folder of versions.

    Raises:
        CheckpointError: the link cannot be read, or leads elsewhere.
    """
    try:
        name = os.readlink(models / CURRENT)
    except OSError as error:
        raise CheckpointError(
            f"{models / CURRENT} cannot be read ({error.strerror or error}). "
            f"Write it with: attrformer publish --to {models} --version VERSION"
        ) from error
    name = name.rstrip("/")
    if not _NAME.fullmatch(name):
        raise CheckpointError(f"{models / CURRENT} leads to {name}. Let it lead to a folder beside it, by its name.")
    return models / name


def version_of(folder: Path) -> str:
    """What answers call a model: the name of its folder among versions, else the start of its description's checksum.

    Args:
        folder: of a saved model.
    """
    if is_versioned(folder.parent):
        return folder.name
    return file_checksum(standing_file(folder, DESCRIPTION))[:_DIGITS]


async def changes(models: Path, seconds: float, known: Callable[[], str]) -> AsyncIterator[tuple[str, bool]]:
    """Versions as they become current, and again, after longer and longer pauses, those that are not taken.

    What one could not use may be whole the next time: on a volume over the network files arrive one after the other.

    Args:
        models: the folder of versions.
        seconds: between two looks at the link.
        known: the version in use.

    Yields:
        The version, and whether it has been named before.
    """
    named, tries, waited = known(), 0, 0.0
    while True:
        await asyncio.sleep(seconds)
        waited += seconds
        # A volume that is gone for a while is no change.
        with contextlib.suppress(CheckpointError):
            # Reading a volume over the network may take long.
            found = (await asyncio.to_thread(current, models)).name
            if found != named:
                named, tries = found, 0
            elif waited < pause_after(tries, seconds):
                continue
            if found != known():
                tries, waited = tries + 1, 0.0
                yield found, tries > 1


def pause_after(tries: int, seconds: float) -> float:
    """Seconds from one try of a version that could not be used to the next.

    Args:
        tries: so far.
        seconds: between two looks at the link.
    """
    return min(seconds * 2.0 ** min(tries, _DOUBLED), max(seconds, LONGEST))


def publish(
    source: Path | None,
    models: Path,
    version: str | None = None,
    *,
    keep: int | None = None,
    check: Callable[[Path], None] = lambda _: None,
) -> str:
    """Adds a version and makes it the current one, or goes back to one that is there.

    Args:
        source: a saved model, or a run that holds one; None goes to a version that is there.
        models: the folder of versions; made where needed.
        version: its name; the time of now in UTC where None.
        keep: newest versions that stay, the current one among them; all where None.
        check: looks at the copy of the model; where it raises, nothing has changed.

    Returns:
        The name of the version.

    Raises:
        ConfigurationError: the name cannot be used, keep is below 2, or the folder is that of a run.
        CheckpointError: there is no model, or no such version.
        BusyError: another process is publishing there.
        WriteError: the folder cannot be written.
    """
    # Services that have not looked yet answer with the version before.
    require(keep is None or keep >= 2, "keep", keep, "2 or more")
    name = version or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    if not _NAME.fullmatch(name) or name in _TAKEN:
        taken = ", ".join(_TAKEN)
        raise ConfigurationError(
            f"version is '{name}'. Give letters, digits, dots, dashes and underscores, 63 at most, and none of {taken}."
        )
    if (models / model_store.MODEL).exists():
        raise ConfigurationError(
            f"{models} is the folder of a run. Give one of its own for versions, such as --to models."
        )
    with locked_folder(models):
        if source is None:
            if not (models / name / DESCRIPTION).is_file():
                there = ", ".join(_names(models)) or "none"
                raise CheckpointError(f"{models} holds no version {name}. Name one that is there: {there}.")
        else:
            _copy(source, models / name, check)
        _point(models, name)
        for old in _names(models)[:-keep] if keep else ():
            if old != name:
                shutil.rmtree(models / old, ignore_errors=True)
    return name


def _copy(source: Path, folder: Path, check: Callable[[Path], None]) -> None:
    if folder.exists():
        raise ConfigurationError(f"{folder} exists already, and a version never changes. Give another --version.")
    inside = source / model_store.MODEL
    model = inside if standing_file(inside, DESCRIPTION).is_file() else source
    if not standing_file(model, DESCRIPTION).is_file():
        raise CheckpointError(f"{source} holds no finished model. Give a folder that `attrformer train` wrote.")
    with new_folder(folder) as staged:
        for name in (DESCRIPTION, TENSORS):
            # Without the permissions of the source: services run as other users.
            shutil.copyfile(standing_file(model, name), staged / name)
        check(staged)


def _point(models: Path, name: str) -> None:
    """Replaces the link at one moment."""
    with reporting(models / CURRENT):
        remove_leftovers(models / CURRENT)
        new = models / unfinished_name(CURRENT)
        os.symlink(name, new)
        try:
            os.replace(new, models / CURRENT)
        except OSError:
            new.unlink()
            raise
        flush_folder(models)


def _names(models: Path) -> list[str]:
    """Versions, the oldest first."""
    found = [path for path in models.iterdir() if not path.is_symlink() and (path / DESCRIPTION).is_file()]
    return [path.name for path in sorted(found, key=lambda path: path.stat().st_mtime_ns) if _NAME.fullmatch(path.name)]
