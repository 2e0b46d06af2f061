"""Results of many users in pieces: who is in which piece, and the pieces that are there already, as files.

Where users are cut decides who is computed together, and with that the last bits of scores. So everything that
computes a part of a query, an interrupted command, a shard or a task of a cluster, computes whole pieces of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from attrformer.errors import ConfigurationError
from attrformer.io import (
    file_checksum,
    read_json,
    remove_leftovers,
    reporting,
    write_atomically,
    write_by_content,
    write_json,
)

MANIFEST: Final = "manifest.json"
"""What a finished folder of pieces holds, for those that read it later."""

_ASKED: Final = "request.json"
_ENDING: Final = ".parquet"
_MARK: Final = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive users of a query who are computed and saved together.

    Args:
        number: of the piece, from 0 on.
        start: place in the query of the first user.
        stop: place after the last user.
    """

    number: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def pieces_of(users: int, save_every: int) -> list[Piece]:
    """All pieces of a query, at least one.

    Args:
        users: of the query.
        save_every: users of a piece; the last one may have fewer.
    """
    starts = range(0, max(users, 1), save_every)
    return [Piece(number, start, min(start + save_every, users)) for number, start in enumerate(starts)]


class PieceFiles:
    """The pieces of a query that are there already, as numbered files named by their query and their content.

    Args:
        folder: that they lie in.
        out: the file that is made of them, for messages.
        query: fingerprint of the query.
    """

    def __init__(self, folder: Path, out: Path, query: str) -> None:
        self._folder, self._out, self.query = folder, out, query
        self._found: dict[int, list[Path]] = {}
        self.files: dict[int, Path] = {}
        self.checksums: dict[int, str] = {}

    def open(self) -> None:
        """Makes the folder and finds the pieces; those of another query that was given up are thrown away.

        Raises:
            ConfigurationError: the folder holds something else.
        """
        note = self._folder / _ASKED
        there = self._folder.exists()
        if there and (not self._folder.is_dir() or any(self._folder.iterdir())):
            if not note.is_file() and not (self._folder.is_dir() and all(map(_is_own, self._folder.iterdir()))):
                raise ConfigurationError(
                    f"{self._folder} holds something else than unfinished recommendations. Move it, or give another "
                    "file name."
                )
            if self._is_of_this_query(note):
                remove_leftovers(self._folder / f"0{_ENDING}")
                self._find()
                return
            self.remove()
        with reporting(self._out):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_json(note, self.query)

    def has(self, number: int) -> bool:
        """Whether a piece is there and whole."""
        for path in self._found.get(number, ()):
            if path.name == self._name(number, path):
                self.files[number] = path
                return True
        return False

    def keep(self, number: int, answers: pl.DataFrame) -> None:
        """Writes a piece, whole or not at all."""
        with reporting(self._out):
            self.files[number] = write_by_content(
                self._folder / f"0{_ENDING}", answers.write_parquet, partial(self._name, number)
            )

    def remove(self) -> None:
        """Removes what this class has written."""
        shutil.rmtree(self._folder)

    def _is_of_this_query(self, note: Path) -> bool:
        try:
            return bool(read_json(note) == self.query)
        except (OSError, ValueError):
            return False

    def _find(self) -> None:
        for path in sorted(self._folder.glob(f"????????-{self.query[:_MARK]}-*{_ENDING}")):
            number = path.name.partition("-")[0]
            if number.isdigit():
                self._found.setdefault(int(number), []).append(path)

    def _name(self, number: int, content: Path) -> str:
        self.checksums[number] = file_checksum(content)
        return f"{number:08d}-{self.query[:_MARK]}-{self.checksums[number][:_MARK]}{_ENDING}"


def join_pieces(paths: Iterable[Path], out: Path) -> int:
    """Writes pieces into one file, a few in memory at a time.

    The bytes depend on what the pieces hold, on their order and on where they are cut, and on nothing else.

    Args:
        paths: of the pieces, in their order.
        out: a .csv or .parquet file.

    Returns:
        Rows written.

    Raises:
        WriteError: the file cannot be written; one that lies there is as it was.
    """
    joined = pl.scan_parquet(list(paths))
    write: Any = joined.sink_csv if out.suffix.lower() == ".csv" else joined.sink_parquet
    write_atomically(out, write)
    return rows_of(joined)


def rows_of(table: pl.LazyFrame) -> int:
    """Rows of a table in files."""
    return int(table.select(pl.len()).collect().item())


def _is_own(path: Path) -> bool:
    """Whether a file is one that a killed writer may leave before it has noted its query."""
    return path.name.startswith(f".{_ASKED}.") and path.suffix == ".tmp"
