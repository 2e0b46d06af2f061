"""The model folder of a run, and how a new model takes its place without a moment in which none could be read.

A new model is saved beside the one in use, as `RUN/next`. Once it has been read and tried it is moved in by two
renames, `model` to `previous` and `next` to `model`. A process that dies between them leaves no `model`, which the next
start sees and undoes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

MODEL: Final = "model"
NEXT: Final = "next"
PREVIOUS: Final = "previous"


def recover(run: Path) -> bool:
    """Puts the old model back where a move was cut off.

    Args:
        run: the run folder.

    Returns:
        Whether there was something to put back.
    """
    if (run / MODEL).exists() or not (run / PREVIOUS).exists():
        return False
    os.replace(run / PREVIOUS, run / MODEL)
    return True


def waiting(run: Path) -> Path:
    """The folder that a reload reads: `next` where there is one, else `model`."""
    return run / NEXT if (run / NEXT).exists() else run / MODEL


def promote(run: Path) -> None:
    """Makes `next` the model of the run; the one before is kept as `previous`.

    Args:
        run: the run folder.

    Raises:
        OSError: the folder cannot be changed; the old model is then still in its place.
    """
    if (run / PREVIOUS).is_symlink():
        (run / PREVIOUS).unlink()
    elif (run / PREVIOUS).exists():
        shutil.rmtree(run / PREVIOUS)
    os.replace(run / MODEL, run / PREVIOUS)
    try:
        os.replace(run / NEXT, run / MODEL)
    except OSError:
        os.replace(run / PREVIOUS, run / MODEL)
        raise
