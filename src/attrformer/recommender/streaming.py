"""Recommendations of many people into one file: in blocks, resumable, and whole or not at all.

Blocks are kept as parquet files in a folder beside the file until all are there, each named by its question and its
checksum. Who asks for the same again after an interruption gets the rest only. The file itself appears by a rename at
the very end. One process at a time writes a file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.config import to_dict
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, WriteError
from attrformer.io import (
    file_checksum,
    read_json,
    remove_leftovers,
    reporting,
    write_atomically,
    write_by_content,
    write_json,
)
from attrformer.locks import locked_place
from attrformer.recommender.choice import Choice
from attrformer.recommender.packing import pack_relations
from attrformer.recommender.ranking import recommend
from attrformer.recommender.requests import Request
from attrformer.recommender.state import ModelState
from attrformer.training.checkpoint import parameters_of

FORMATS: Final = (".csv", ".parquet")
SAVE_EVERY: Final = 4096
"""People answered between two saves, unless something else is asked for."""

_ASKED: Final = "request.json"
_ENDING: Final = ".parquet"


def write_recommendations(
    fitted: ModelState,
    request: Request,
    choice: Choice,
    out: Path,
    *,
    save_every: int = SAVE_EVERY,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes what `recommend` answers to a file, with no more in memory than the answers of `save_every` people.

    Args:
        fitted: the model.
        request: the users to answer.
        choice: what may be recommended.
        out: a .csv or .parquet file; its folder is made where needed, and a file that lies there is replaced.
        save_every: people answered between two saves.
        progress: told how many are answered, at first and after each save.

    Returns:
        Rows written.

    Raises:
        ConfigurationError: the ending is another one, `save_every` is below 1, or the folder for what is unfinished
            holds something else.
        BusyError: another process is writing the file.
        WriteError: it cannot be written; a file that lies there is as it was, and answers that are there stay.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{out} ends in none of {', '.join(FORMATS)}. Give a file name that does.")
    if save_every < 1:
        raise ConfigurationError(f"save_every is {save_every}. Give 1 or more.")
    if out.is_dir():
        raise WriteError(f"{out} is a folder. Give the name of a file.")
    with locked_place(out):
        return _write(fitted, request, choice, out, save_every, progress or (lambda _: None))


def _write(
    fitted: ModelState, request: Request, choice: Choice, out: Path, save_every: int, tell: Callable[[int], None]
) -> int:
    pieces = _Pieces(out, fingerprint(fitted, request, choice, save_every))
    pieces.open()
    tell(0)
    for number, start in enumerate(range(0, len(request), save_every)):
        stop = min(start + save_every, len(request))
        if not pieces.has(number):
            pieces.keep(number, recommend(fitted, request, choice, np.arange(start, stop)))
        tell(stop)
    if not len(request) and not pieces.has(0):
        pieces.keep(0, recommend(fitted, request, choice))
    rows = pieces.join()
    pieces.remove()
    return rows


def unfinished_folder(out: Path) -> Path:
    """Where the answers wait until all of them are there."""
    return out.with_name(f".{out.name}.unfinished")


def fingerprint(fitted: ModelState, request: Request, choice: Choice, save_every: int) -> str:
    """A text that differs where anything differs that an answer depends on."""
    asked = (save_every, choice.k, choice.hide_seen, request.as_of, request.names.dtype, to_dict(fitted.config))
    digest = hashlib.sha256(repr(asked).encode())

    def add(array: NDArray[Any] | None) -> None:
        described = None if array is None else (array.dtype.str, array.shape)
        digest.update(repr(described).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())

    def add_histories(histories: Sequences) -> None:
        for array in (histories.offsets, histories.items, histories.times, *histories.behaviours.values()):
            add(array)

    for text in (request.names, fitted.knowledge.item_ids.values):
        digest.update("\0".join(text.cast(pl.String)).encode())
    for array in (choice.candidates, choice.excluded, request.users, request.stored, request.given):
        add(array)
    for own in (choice.own_candidates, choice.own_excluded):
        for told in () if own is None else (own.offsets, own.items, own.named):
            add(told)
    for name, array in ({} if choice.rules is None else choice.rules.arrays()).items():
        digest.update(name.encode())
        add(array)
    for name, codes in (request.values or {}).items():
        digest.update(name.encode())
        add(codes)
    add_histories(request.histories)
    add_histories(fitted.knowledge.histories)
    for name, weights in parameters_of(fitted.network).items():
        digest.update(name.encode())
        add(weights.detach().cpu().numpy())
    arrays, layout = pack_relations(fitted.relations)
    digest.update(json.dumps(layout, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(name.encode())
        add(array)
    return digest.hexdigest()


class _Pieces:
    """The answers that are there already, as numbered files.

    Args:
        out: the file that is made of them.
        asked: mark of the question.
    """

    def __init__(self, out: Path, asked: str) -> None:
        self._out, self._folder, self._asked = out, unfinished_folder(out), asked
        self._files: dict[int, Path] = {}

    def open(self) -> None:
        """Makes the folder and finds the pieces; those of another question that was given up are thrown away.

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
            if self._is_of_this_question(note):
                remove_leftovers(self._folder / f"0{_ENDING}")
                return
            self.remove()
        with reporting(self._out):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_json(note, self._asked)

    def has(self, number: int) -> bool:
        """Whether a piece is there and whole."""
        for path in self._folder.glob(f"{self._start(number)}-*{_ENDING}"):
            if path.name == self._name(number, path):
                self._files[number] = path
                return True
        return False

    def keep(self, number: int, answers: pl.DataFrame) -> None:
        """Writes a piece, whole or not at all."""
        with reporting(self._out):
            self._files[number] = write_by_content(
                self._folder / f"0{_ENDING}", answers.write_parquet, partial(self._name, number)
            )

    def join(self) -> int:
        """Writes all pieces into one file, a few in memory at a time, and says how many rows that makes."""
        paths = [self._files[number] for number in sorted(self._files)]
        joined = pl.scan_parquet(paths)
        csv = self._out.suffix.lower() == ".csv"
        write_atomically(self._out, joined.sink_csv if csv else joined.sink_parquet)
        return int(joined.select(pl.len()).collect().item())

    def remove(self) -> None:
        """Removes what this class has written."""
        shutil.rmtree(self._folder)

    def _is_of_this_question(self, note: Path) -> bool:
        try:
            return bool(read_json(note) == self._asked)
        except (OSError, ValueError):
            return False

    def _start(self, number: int) -> str:
        return f"{number:08d}-{self._asked[:16]}"

    def _name(self, number: int, content: Path) -> str:
        return f"{self._start(number)}-{file_checksum(content)[:16]}{_ENDING}"


def _is_own(path: Path) -> bool:
    """Whether a file is one that a killed writer may leave before it has noted its question."""
    return path.name.startswith(f".{_ASKED}.") and path.suffix == ".tmp"
