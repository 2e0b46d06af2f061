"""Files that are whole or not there: writing, replacing, checksums, and JSON from anywhere."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrformer.errors import AttrFormerError, WriteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHECKSUM: Final = "checksum"
"""Key of a JSON object under which the checksum of all its other keys stands."""

IN_FOLDER: Final = ".lock"
"""Name of the lock of a folder."""

_SHOWN: Final = 40
_FULL: Final = ("No space left", "File too large", "quota exceeded")
_DAY: Final = 86_400.0
_OF_LIBRARIES: Final = frozenset({"safetensors", "safetensors_rust", "polars", "usearch", "onnx"})
_FOLDER_OPEN: Final = getattr(os, "O_DIRECTORY", 0)
_LEFTOVER: Final = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$")


def hidden_name(name: str, ending: str) -> str:
    """A hidden name beside `name`, short enough for every file system and different for different names."""
    if len(name) > _SHOWN:
        name = f"{name[:_SHOWN]}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
    return f".{name}.{ending}"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that at every moment, and after a crash, the old or the new one is there whole.

    Args:
        path: the file; its folder is made where needed.
        write: writes the content to the path that it is given.

    Raises:
        WriteError: the disk is full, the folder cannot be written, or `path` is a folder. The old file is as it was.
    """
    with reporting(path):
        require_no_folder(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        write_by_content(path, write, lambda _: path.name)


def write_by_content(path: Path, write: Callable[[Path], object], name_of: Callable[[Path], str]) -> Path:
    """Writes a file, whole or not at all, under a name that may depend on what is in it.

    Args:
        path: its folder, which is there, and its name while it is written.
        write: writes the content to the path that it is given.
        name_of: its name, once the content is at the path that it is given.

    Returns:
        The file.

    Raises:
        OSError: it cannot be written. A file that had the name is as it was.
    """
    unfinished = path.with_name(unfinished_name(path.name))
    try:
        write(unfinished)
        flush(unfinished)
        whole = path.with_name(name_of(unfinished))
        os.replace(unfinished, whole)
        flush_folder(path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return whole


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8; otherwise as `write_atomically`."""
    # Halves of characters, which JSON may hold, are no text that can be written.
    whole = text.encode("utf-8", "backslashreplace")
    write_atomically(path, lambda unfinished: unfinished.write_bytes(whole))


def json_text(value: Any) -> str:
    """A value as the JSON text that files of this library hold."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Writes JSON; otherwise as `write_atomically`."""
    write_text(path, json_text(value))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text of unknown origin.

    Raises:
        ValueError: it is not JSON, not UTF-8, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file of unknown origin.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, not UTF-8, or nested too deeply.
    """
    # Editors of Windows write a byte order mark.
    return parse_json(path.read_text(encoding="utf-8-sig"))


def file_checksum(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def array_checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of arrays with their names, types and shapes, in whatever order they come."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def with_checksum(described: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with the checksum of its content under `CHECKSUM`.

    Args:
        described: plain values.
    """
    # As it will be read again: text keys, lists in place of tuples.
    content = json.loads(json.dumps({key: value for key, value in described.items() if key != CHECKSUM}))
    return {**content, CHECKSUM: _checksum_of(content)}


def has_checksum(described: dict[str, Any]) -> bool:
    """Whether the content of a JSON object that was read has the checksum that it names."""
    content = {key: value for key, value in described.items() if key != CHECKSUM}
    try:
        return bool(described.get(CHECKSUM) == _checksum_of(content))
    except RecursionError:
        return False


def _checksum_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turns what the system says against writing into a `WriteError` about a path.

    Args:
        path: what is written.

    Raises:
        WriteError: where the block could not write.
    """
    try:
        yield
    except AttrFormerError:
        raise
    except Exception as error:
        library = type(error).__module__.partition(".")[0] in _OF_LIBRARIES
        if not isinstance(error, OSError) and not library and "os error" not in str(error).lower():
            raise
        raise WriteError(f"{path} cannot be written ({_reason(error)}). {_advice(error)}") from error


def _reason(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(words.split()).rstrip(".")


def _advice(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(words in str(error) for words in _FULL):
        return "Free some space, or write to another disk. What was there before is as it was."
    if number in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        return "Name another place, or move what lies there."
    return "Check the permissions, or name another place."


def unfinished_name(name: str) -> str:
    """A new hidden name for what will be called `name` once it is whole; it says which process writes it."""
    return hidden_name(name, f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def is_unfinished(name: str) -> bool:
    """Whether a name is one that `unfinished_name` gives."""
    return _LEFTOVER.search(name) is not None


def remove_leftovers(path: Path) -> None:
    """Removes what processes that are gone have left unfinished of a file or folder."""
    start = hidden_name(path.name, "")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            found = _LEFTOVER.search(entry.name)
            if found and entry.name[: found.start() + 1] == start and _is_left(entry, found[1], int(found[2])):
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)


def _is_left(entry: os.DirEntry[str], machine: str, pid: int) -> bool:
    """Whether the process that was writing is gone; of other machines only age tells."""
    if machine != _machine() or sys.platform == "win32":
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    """Eight letters for the machine, or the container, whose process numbers ours are among."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def require_no_folder(path: Path) -> None:
    """Refuses a path where a folder lies.

    Raises:
        IsADirectoryError: it is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder lies there", str(path))


def flush(file: Path) -> None:
    """Waits until the content of a file is on the disk."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def flush_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system offers that."""
    if _FOLDER_OPEN:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | _FOLDER_OPEN)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
