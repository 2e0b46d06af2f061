"""The model folder of a run, and how a new model takes its place without a moment in which none could be read.

A new model is saved beside the one in use, as `RUN/next`. Once it has been read and tried it is moved in by renames
alone: `previous` to `discarded`, `model` to `previous`, `next` to `model`. Only then is `discarded` deleted. A process
that dies between two of these steps leaves all three models whole, and the next start sees how far it came.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from attrformer.io import flush_folder

MODEL: Final = "model"
NEXT: Final = "next"
PREVIOUS: Final = "previous"
DISCARDED: Final = "discarded"


def recover(run: Path) -> bool:
    """Undoes a move that was cut off before the new model was in its place, and tidies up after one that was not.

    Args:
        run: the run folder.

    Returns:
        Whether there was something to do.
    """
    undone = False
    if not _there(run / MODEL) and _there(run / PREVIOUS):
        os.replace(run / PREVIOUS, run / MODEL)
        undone = True
    if _there(run / DISCARDED):
        if _there(run / PREVIOUS):
            _delete(run / DISCARDED)
        else:
            os.replace(run / DISCARDED, run / PREVIOUS)
        undone = True
    if undone:
        flush_folder(run)
    return undone


def waiting(run: Path) -> Path:
    """The folder that a reload reads: `next` where there is one, else `model`."""
    return run / NEXT if _there(run / NEXT) else run / MODEL


def state(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """What the files of a folder are at this moment, which differs once one of them has been written or replaced."""
    told = [(path.name, path.stat()) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in told)


def promote(run: Path) -> None:
    """Makes `next` the model of the run; the one before is kept as `previous`.

    Args:
        run: the run folder.

    Raises:
        OSError: the folder cannot be changed; the models are then where they were.
    """
    recover(run)
    if not _there(run / NEXT):
        raise FileNotFoundError(2, "there is no such folder", str(run / NEXT))
    if _there(run / PREVIOUS):
        os.replace(run / PREVIOUS, run / DISCARDED)
    try:
        os.replace(run / MODEL, run / PREVIOUS)
        os.replace(run / NEXT, run / MODEL)
    except OSError:
        recover(run)
        raise
    flush_folder(run)
    _delete(run / DISCARDED)


def _there(path: Path) -> bool:
    # A link whose target is gone is still in the way.
    return path.is_symlink() or path.exists()


def _delete(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
