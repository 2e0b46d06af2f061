"""Recommendations of many people into one file: in blocks, resumable, and whole or not at all.

Blocks are kept as parquet files in a folder beside the file until all are there. Who asks for the same again after an
interruption gets the rest only. The file itself appears by a rename at the very end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.dataset.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.recommender.fitted import Fitted
from attrformer.recommender.ranking import Choice, blocks, recommend, recommend_block
from attrformer.recommender.requests import Request
from attrformer.training.checkpoint import parameters_of

FORMATS: Final = (".csv", ".parquet")
SAVE_EVERY: Final = 4096
"""People answered between two saves, unless something else is asked for."""

_ASKED: Final = "request.json"


def write_recommendations(
    fitted: Fitted,
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
        request: whom to answer.
        choice: what may be recommended.
        out: a .csv or .parquet file; its folder is made where needed, and a file that lies there is replaced.
        save_every: people answered between two saves.
        progress: told how many are answered, at first and after each save.

    Returns:
        Rows written.

    Raises:
        ConfigurationError: the ending is another one, `save_every` is below 1, or the folder for what is unfinished
            holds something else.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{out} ends in none of {', '.join(FORMATS)}. Give a file name that does.")
    if save_every < 1:
        raise ConfigurationError(f"save_every is {save_every}. Give 1 or more.")
    out.parent.mkdir(parents=True, exist_ok=True)
    pieces = _Pieces(unfinished_folder(out))
    pieces.open(fingerprint(fitted, request, choice, save_every))
    tell = progress or (lambda _: None)
    tell(0)
    for number, start in enumerate(range(0, len(request), save_every)):
        stop = min(start + save_every, len(request))
        if not pieces.has(number):
            sizes = blocks(fitted, stop - start)
            pieces.keep(number, pl.concat([recommend_block(fitted, request, start + one, choice) for one in sizes]))
        tell(stop)
    if not len(request):
        pieces.keep(0, recommend(fitted, request, choice))
    rows = pieces.join(out)
    pieces.remove()
    return rows


def unfinished_folder(out: Path) -> Path:
    """Where the answers wait until all of them are there."""
    return out.with_name(f".{out.name}.unfinished")


def fingerprint(fitted: Fitted, request: Request, choice: Choice, save_every: int) -> str:
    """A text that differs where anything differs that an answer depends on."""
    digest = hashlib.sha256(repr((save_every, choice.k, choice.hide_seen, request.names.dtype)).encode())

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
    for name, codes in (request.values or {}).items():
        digest.update(name.encode())
        add(codes)
    add_histories(request.histories)
    add_histories(fitted.knowledge.histories)
    for name, weights in parameters_of(fitted.network).items():
        digest.update(name.encode())
        add(weights.detach().cpu().numpy())
    add(fitted.relations.popularity)
    return digest.hexdigest()


class _Pieces:
    """The answers that are there already, as numbered files.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, asked: str) -> None:
        """Makes the folder; pieces of another question that was given up are thrown away.

        Raises:
            ConfigurationError: the folder holds something else.
        """
        note = self._folder / _ASKED
        if self._folder.exists() and any(self._folder.iterdir()):
            if not note.is_file():
                raise ConfigurationError(
                    f"{self._folder} holds something else than unfinished recommendations. Move it, or give another "
                    "file name."
                )
            if note.read_text(encoding="utf-8") == json.dumps(asked):
                return
            self.remove()
        self._folder.mkdir(exist_ok=True)
        unfinished = self._folder / f"{_ASKED}.tmp"
        unfinished.write_text(json.dumps(asked), encoding="utf-8")
        os.replace(unfinished, note)

    def has(self, number: int) -> bool:
        """Whether a piece is there and whole."""
        path = self._path(number)
        if not path.is_file():
            return False
        try:
            pl.scan_parquet(path).select(pl.len()).collect()
        except pl.exceptions.PolarsError:
            return False
        return True

    def keep(self, number: int, answers: pl.DataFrame) -> None:
        """Writes a piece, whole or not at all."""
        path = self._path(number)
        unfinished = path.with_name(f"{path.name}.tmp")
        answers.write_parquet(unfinished)
        os.replace(unfinished, path)

    def join(self, out: Path) -> int:
        """Writes all pieces into one file, a few in memory at a time, and says how many rows that makes."""
        paths = sorted(self._folder.glob("*.parquet"))
        joined = pl.scan_parquet(paths)
        unfinished = out.with_name(f"{out.name}.tmp")
        if out.suffix.lower() == ".csv":
            joined.sink_csv(unfinished)
        else:
            joined.sink_parquet(unfinished)
        os.replace(unfinished, out)
        return int(pl.scan_parquet(paths).select(pl.len()).collect().item())

    def remove(self) -> None:
        """Removes what this class has written."""
        shutil.rmtree(self._folder)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.parquet"
