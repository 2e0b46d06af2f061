"""Items that were added to a running service, in a file of the run that outlives it; changes of items likewise.

Each request that adds items becomes one line of `RUN/added.jsonl`, on the disk before the request is answered. One that
changes items becomes a line of `RUN/changed.jsonl`. No model
folder is touched: neither a new model that waits in `RUN/next` nor the one to go back to can be lost. Whatever model
is read later, by a start or a reload, gets the items of the file that it does not know.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

from attrformer.columns import ITEM
from attrformer.errors import CheckpointError
from attrformer.io import CHECKSUM, flush_folder, has_checksum, parse_json, with_checksum

FILE: Final = "added.jsonl"
CHANGED_FILE: Final = "changed.jsonl"
ITEMS: Final = "items"
CHANGES: Final = "changes"

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Added:
    """The file of a run.

    Args:
        run: the run folder.
        name: of the file.
        holds: what its lines hold, ITEMS or CHANGES.
    """

    run: Path
    name: str = FILE
    holds: str = ITEMS

    @property
    def path(self) -> Path:
        """Where it is, once something has been added."""
        return self.run / self.name

    def read(self) -> list[Rows]:
        """The items of each request that was answered, the oldest first.

        Raises:
            CheckpointError: the file is damaged otherwise than by a process that died while it wrote.
        """
        return self.since(0)[0]

    def since(self, start: int) -> tuple[list[Rows], int]:
        """What another process may have added meanwhile.

        Args:
            start: bytes that have been read before; where the file is shorter it is another one, and read as a whole.

        Returns:
            The items of each request, the oldest first, and the bytes that have been read now.

        Raises:
            CheckpointError: the file is damaged otherwise than by a process that died while it wrote.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return [], 0
        except OSError as error:
            raise CheckpointError(
                f"{self.path} cannot be read ({error.strerror or error}). Let the service read it."
            ) from error
        found, start = [], start if start <= len(text) else 0
        # What stands behind the last end of a line was never answered.
        end = text.rfind(b"\n") + 1
        for number, line in enumerate(text[start:end].split(b"\n")[:-1], 1 + text.count(b"\n", 0, start)):
            try:
                found.append(_rows(parse_json(line), self.holds))
            except ValueError as error:
                raise CheckpointError(
                    f"Line {number} of {self.path} is damaged ({error}). Restore the file from a copy, or take the "
                    "line out."
                ) from error
        return found, end

    def append(self, rows: Rows) -> int:
        """Keeps items; when this returns, they are on the disk.

        Args:
            rows: item_id, title and attributes of each, as JSON can hold them.

        Returns:
            Bytes of the file with them.

        Raises:
            CheckpointError: they cannot be written; the file then holds what it held before.
        """
        line = json.dumps(with_checksum({self.holds: rows}), ensure_ascii=True, allow_nan=False).encode() + b"\n"
        try:
            new = not self.path.exists()
            # Without a buffer, which would write once more what could not be written.
            with open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0) as file:
                _lock(file)
                end = _end(file)
                try:
                    _write(file, line)
                except OSError:
                    file.truncate(end)
                    raise
            if new:
                flush_folder(self.run)
            return end + len(line)
        except OSError as error:
            raise CheckpointError(
                f"The {self.holds} cannot be kept in {self.path} ({error.strerror or error}). "
                "Let the service write there, or start it without --save-added."
            ) from error


def _rows(content: Any, holds: str) -> Rows:
    """The items or changes in the content of a line.

    Raises:
        ValueError: it holds none, or another checksum; lines of earlier versions have none.
    """
    rows = content.get(holds) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and _is_id(row.get(ITEM)) for row in rows):
        raise ValueError(f"it holds no {holds}")
    if (CHECKSUM in content and not has_checksum(content)) or content.keys() - {holds, CHECKSUM}:
        raise ValueError("it does not have the checksum that it names")
    return rows


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _lock(file: FileIO) -> None:
    """Keeps other services of the same run from writing until the file is closed, where the system can do so."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_EX)


def _write(file: FileIO, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _end(file: FileIO) -> int:
    """Goes to the end of the last whole line, and cuts off what a process that died left behind it."""
    size = file.seek(0, os.SEEK_END)
    end, step = size, 1 << 16
    while end > 0:
        start = max(0, end - step)
        file.seek(start)
        place = file.read(end - start).rfind(b"\n")
        if place >= 0:
            end = start + place + 1
            break
        end = start
    if end < size:
        file.truncate(end)
    file.seek(end)
    return end
