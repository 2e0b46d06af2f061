"""One writer at a time to a folder or file: locks that end with the process that holds them."""

from __future__ import annotations

import errno
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from attrformer.errors import BusyError, WriteError
from attrformer.io import IN_FOLDER, hidden_name

_TRIES: Final = 5
_MOMENT: Final = 0.2
"""Seconds that a lock is tried for at least, since one that is just being given back cannot be told from one held."""

_WORDS: Final = 120


@contextmanager
def locked_folder(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Holds a folder against all other writers, in this process and others.

    The operating system gives the lock back when the process ends, however it ends. A thread that holds a folder may
    take it again. The folder is made where needed; if it is then empty at the end, it is removed.

    Args:
        folder: that is written to and stays in its place.
        wait: seconds to wait for another writer.

    Raises:
        BusyError: another writer holds it.
        WriteError: the folder cannot be made or locked.
    """
    created = not folder.exists()
    try:
        with _held(folder.resolve() / IN_FOLDER, folder, wait):
            yield
    finally:
        if created:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def locked_place(path: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Holds a file, or a folder that is replaced as a whole, by a lock beside it; otherwise as `locked_folder`.

    Args:
        path: the file or folder; it need not exist.
        wait: seconds to wait for another writer.

    Raises:
        BusyError: another writer holds it.
        WriteError: the folder around it cannot be made or locked.
    """
    whole = path.resolve()
    with _held(whole.with_name(hidden_name(whole.name, "lock")), path, wait):
        yield


@contextmanager
def _held(file: Path, shown: Path, wait: float) -> Iterator[None]:
    lock = _acquired(file, shown, wait)
    outermost = lock.lock_counter == 1
    try:
        if outermost:
            with suppress(OSError):
                file.write_text(json.dumps(_myself()), encoding="utf-8")
        yield
    finally:
        if outermost:
            # Removed while it is held: who opened it meanwhile finds it without a name and tries again.
            with suppress(OSError):
                file.unlink()
        lock.release()


def _acquired(file: Path, shown: Path, wait: float) -> FileLock:
    lacking: Exception = FileNotFoundError(errno.ENOENT, "no such folder")
    for _ in range(_TRIES):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Where locks are lacking, a file whose owner was killed would shut everybody out for good.
            lock = FileLock(file, is_singleton=True, fallback_to_soft=False)
            lock.acquire(timeout=max(wait, _MOMENT), poll_interval=0.02)
            return lock
        except Timeout:
            if file.exists():
                raise BusyError(
                    f"{shown} is being written by {_holder(file)}. Wait until that ends, or name another place."
                ) from None
        except FileNotFoundError as error:
            # Another writer may just have removed the folder that it had made.
            lacking = error
            time.sleep(0.01)
        except (OSError, NotImplementedError) as error:
            raise _unlockable(shown, error) from error
    raise _unlockable(shown, lacking)


def _unlockable(shown: Path, error: Exception) -> WriteError:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return WriteError(f"{shown} cannot be written: a file is where a folder is needed. Name another place.")
    said = getattr(error, "strerror", None) or error
    return WriteError(
        f"{shown} cannot be locked for writing ({said}). "
        "Check its permissions; on a network file system without locks, write to a local folder and copy."
    )


def _myself() -> dict[str, object]:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) if sys.argv else ""
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": command[:_WORDS]}


def _holder(file: Path) -> str:
    """Who wrote itself into a lock that is held; the words of a moment ago may be missing."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        pid, host, command = told["pid"], told["host"], told["command"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
    where = "" if host == socket.gethostname() else f" on {host}"
    return f"process {pid}{where}{f' ({command})' if command else ''}"
