"""Recommendations of many people into one file: in pieces, resumable, and whole or not at all.

Pieces are kept as parquet files in a folder beside the file until all are there, each named by its query and its
checksum. Who asks for the same again after an interruption gets the rest only. The file itself appears by a rename at
the very end. One process at a time writes a file; several may each write a shard of it (`shards.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from attrformer.config import to_dict
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, WriteError
from attrformer.locks import locked_place
from attrformer.recommender.choice import Choice
from attrformer.recommender.packing import pack_relations
from attrformer.recommender.pieces import Piece, PieceFiles, join_pieces, pieces_of
from attrformer.recommender.ranking import recommend
from attrformer.recommender.requests import Request
from attrformer.recommender.shards import Shard, shards_folder, write_manifest
from attrformer.recommender.state import ModelState
from attrformer.training.checkpoint import parameters_of

FORMATS: Final = (".csv", ".parquet")
SAVE_EVERY: Final = 4096
"""People answered between two saves, unless something else is asked for."""

Compute = Callable[[list[Piece], str], Iterable[tuple[Piece, pl.DataFrame]]]
"""Computes the recommendations of pieces, each once, in whatever order; the text is the fingerprint of the query."""


def write_recommendations(
    fitted: ModelState,
    request: Request,
    choice: Choice,
    out: Path,
    *,
    save_every: int = SAVE_EVERY,
    shard: Shard | None = None,
    compute: Compute | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes what `recommend` answers to a file, with no more in memory than the answers of `save_every` people.

    Args:
        fitted: the model.
        request: the users to answer.
        choice: what may be recommended.
        out: a .csv or .parquet file; its folder is made where needed, and a file that lies there is replaced.
        save_every: people answered between two saves.
        shard: the part of the users to answer; it goes into a folder beside the file, for `shards.join_shards`.
        compute: computes the pieces; this process where None.
        progress: told how many are answered, at first and after each save.

    Returns:
        Rows written.

    Raises:
        ConfigurationError: the ending is another one, `save_every` is below 1, there are more shards than pieces, or
            the folder for what is unfinished holds something else.
        BusyError: another process is writing the file, or the shard.
        WriteError: it cannot be written; a file that lies there is as it was, and answers that are there stay.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{out} ends in none of {', '.join(FORMATS)}. Give a file name that does.")
    if save_every < 1:
        raise ConfigurationError(f"save_every is {save_every}. Give 1 or more.")
    if out.is_dir():
        raise WriteError(f"{out} is a folder. Give the name of a file.")
    every = pieces_of(len(request), save_every)
    wanted = every if shard is None else shard.among(every)
    folder = unfinished_folder(out, shard)
    with locked_place(out if shard is None else folder):
        query = fingerprint(fitted, request, choice, save_every)
        pieces = PieceFiles(folder, out, query)
        pieces.open()
        _fill(pieces, wanted, compute or _here(fitted, request, choice), progress or (lambda _: None))
        if shard is not None:
            return write_manifest(folder, shard, query, len(every), pieces, _numerics(fitted))
        rows = join_pieces([path for _, path in sorted(pieces.files.items())], out)
        pieces.remove()
        return rows


def _fill(pieces: PieceFiles, wanted: list[Piece], compute: Compute, tell: Callable[[int], None]) -> None:
    """Computes and keeps the pieces that are not there yet."""
    tell(0)
    done, missing = 0, []
    for piece in wanted:
        if pieces.has(piece.number):
            done += len(piece)
            tell(done)
        else:
            missing.append(piece)
    for piece, answers in compute(missing, pieces.query) if missing else ():
        pieces.keep(piece.number, answers)
        done += len(piece)
        tell(done)


def _here(fitted: ModelState, request: Request, choice: Choice) -> Compute:
    def compute(pieces: list[Piece], query: str) -> Iterator[tuple[Piece, pl.DataFrame]]:
        for piece in pieces:
            yield piece, recommend(fitted, request, choice, np.arange(piece.start, piece.stop))

    return compute


def _numerics(fitted: ModelState) -> dict[str, Any]:
    """What the last bits of scores depend on beside the query."""
    return {
        "device": fitted.device.type,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def unfinished_folder(out: Path, shard: Shard | None = None) -> Path:
    """Where the answers wait until all of them are there."""
    return out.with_name(f".{out.name}.unfinished") if shard is None else shards_folder(out) / shard.name


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
