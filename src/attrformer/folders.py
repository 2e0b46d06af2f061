"""Folders that change at once: several files of one together, or the whole of it."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from attrformer.io import (
    IN_FOLDER,
    flush,
    flush_folder,
    hidden_name,
    remove_leftovers,
    reporting,
    require_no_folder,
    unfinished_name,
)

_COMPLETE: Final = ".complete"
_HERE: Final = -100
_EXCHANGE: Final = 2


@contextmanager
def files_together(folder: Path) -> Iterator[Path]:
    """Replaces several files of a folder at one moment; other files of the folder stay.

    The block writes into the folder that it is given. When it ends, that folder is renamed to one name, from which on
    readers (`standing_file`) take its files; they are then moved to their places, which the next writer completes if
    this one is killed.

    Args:
        folder: made where needed; held by the caller against other writers.

    Raises:
        WriteError: the files could not be written. The old ones are as they were.
    """
    with reporting(folder):
        folder.mkdir(parents=True, exist_ok=True)
        complete_move(folder)
        remove_leftovers(folder / _COMPLETE)
        staged = folder / unfinished_name(_COMPLETE)
        staged.mkdir()
        try:
            yield staged
            for file in staged.iterdir():
                require_no_folder(folder / file.name)
            _flush_tree(staged)
            os.rename(staged, folder / _COMPLETE)
            flush_folder(folder)
            complete_move(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def complete_move(folder: Path) -> None:
    """Completes what a killed `files_together` had begun; the caller holds the folder against other writers."""
    complete = folder / _COMPLETE
    if not complete.is_dir():
        return
    for file in sorted(complete.iterdir()):
        os.replace(file, folder / file.name)
    flush_folder(folder)
    complete.rmdir()


def standing_file(folder: Path, name: str) -> Path:
    """Where a file that `files_together` writes is to be read."""
    complete = folder / _COMPLETE / name
    return complete if complete.is_file() else folder / name


def standing_files(folder: Path) -> list[Path]:
    """Every file of a folder in the order of names, each where it is to be read; see `standing_file`."""
    places = (folder, folder / _COMPLETE)
    names = {file.name for place in places if place.is_dir() for file in place.iterdir() if file.is_file()}
    return [standing_file(folder, name) for name in sorted(names)]


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Replaces a whole folder at one moment.

    Args:
        folder: made where needed; held by the caller against other writers. Nothing of the old one is kept.

    Yields:
        An empty folder to write into, which takes the place of the old one when the block ends without an error.

    Raises:
        WriteError: it could not be written. The old one is as it was.
    """
    with reporting(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(folder)
        remove_leftovers(folder)
        staged = folder.with_name(unfinished_name(folder.name))
        staged.mkdir()
        try:
            yield staged
            _flush_tree(staged)
            _take_lock(folder, staged)
            swap_folder(staged, folder)
            flush_folder(folder.parent)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _take_lock(folder: Path, staged: Path) -> None:
    """Gives the new folder the lock of the old one, under the same lock file, so that whoever holds one holds both."""
    lock = folder / IN_FOLDER
    with suppress(FileNotFoundError):
        try:
            os.link(lock, staged / IN_FOLDER)
        except OSError:
            # A file system without links: for a moment the old folder is there without its lock.
            os.rename(lock, staged / IN_FOLDER)


def swap_folder(new: Path, folder: Path) -> None:
    """Puts a folder in the place of another, which is removed; at every moment one of them is there.

    Where the system cannot exchange two names at once, there is a moment without either. `standing_folder` then finds
    the old one, and `recover_folder` puts it back.

    Args:
        new: takes the place; beside the other on the same file system.
        folder: to be replaced; need not exist.

    Raises:
        OSError: the system refuses; the old folder is where it was.
    """
    if not folder.exists():
        os.rename(new, folder)
        return
    if _exchanged(new, folder):
        shutil.rmtree(new, ignore_errors=True)
        return
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError:
        os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def standing_folder(folder: Path) -> Path:
    """Where a folder is to be read that `swap_folder` may have been killed at."""
    return _old(folder) if not folder.exists() and _old(folder).is_dir() else folder


def recover_folder(folder: Path) -> None:
    """Puts back what a killed `swap_folder` has left without its name; the caller holds the folder."""
    if not folder.exists() and _old(folder).is_dir():
        os.rename(_old(folder), folder)


def _old(folder: Path) -> Path:
    return folder.with_name(hidden_name(folder.name, "old"))


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two names at once; False where the system cannot."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _flush_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            flush(Path(place) / name)
        flush_folder(Path(place))
