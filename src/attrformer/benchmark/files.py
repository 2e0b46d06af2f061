"""Files that several processes share: claims on run folders, and JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attrformer import earlier_names
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.io import parse_json, read_json, reporting

LOCK: Final = "benchmark.lock"


@contextmanager
def claim(folder: Path) -> Iterator[int | None]:
    """Holds a folder for this process and the children that inherit the descriptor.

    The system gives the lock back when the last of them ends, however it ends, so no claim outlives its owner.

    Args:
        folder: made where needed.

    Yields:
        The descriptor to be passed to a child, or None where somebody else holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _file_locks()
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            lock.flock(descriptor, lock.LOCK_EX | lock.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Adds one JSON line, whole, whoever else adds lines at the same time.

    Raises:
        WriteError: it cannot be written; the lines before are as they were.
    """
    lock = _file_locks()
    with reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            lock.flock(file, lock.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            # Half a line of a writer that was killed stays a line of its own.
            start = b"\n" if end and os.pread(file.fileno(), 1, end - 1) != b"\n" else b""
            try:
                _write_all(file.fileno(), start + json.dumps(line, ensure_ascii=False).encode() + b"\n")
                os.fsync(file.fileno())
            except OSError:
                # A full disk takes half a line, which nobody is to read.
                file.truncate(end)
                raise


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, none where there is no file; half a line of a killed writer is left out.

    Raises:
        CheckpointError: the file cannot be read.
    """
    if not path.exists():
        return []
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). Restore it from a copy.") from error
    found: list[dict[str, Any]] = []
    for text in texts:
        try:
            line = parse_json(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            found.append(_with_names_of_today(line))
    return found


def _with_names_of_today(line: dict[str, Any]) -> dict[str, Any]:
    """A line whose options, of the run and of a trial, have the names of today."""
    if isinstance(line.get("configuration"), dict):
        line = {**line, "configuration": earlier_names.configuration(line["configuration"])}
    if isinstance(line.get("options"), dict):
        line = {**line, "options": {earlier_names.option(name): value for name, value in line["options"].items()}}
    return line


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        CheckpointError: the file is missing, damaged or holds something else.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). Remove its folder and run the plan again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no object. Remove its folder and run the plan again.")
    return content


def _file_locks() -> Any:
    try:
        import fcntl
    except ImportError as error:
        raise ConfigurationError(
            "Plans need file locks of a kind that this system lacks. Run them on Linux or macOS."
        ) from error
    return fcntl
