"""Prepared interactions written to a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import COUNT
from attrformer.csr import offsets_of
from attrformer.data.duplicates import COUNTED
from attrformer.data.prepared.coding import Arrays
from attrformer.data.prepared.folder import FLOAT, TYPES
from attrformer.data.prepared.names import BEHAVIOUR, FILES, ITEMS, MANIFEST, TIMES
from attrformer.data.prepared.plan import Plan
from attrformer.io import CHECKSUM, file_checksum, json_text, with_checksum

_HEADER: Final = 128
_READERS: Final = 4
"""Threads that read files for their checksums."""


class Ordered(NamedTuple):
    """A range of users whose interactions are in the files of `make_room`.

    Args:
        first: where they begin.
        lengths: interactions of each user, int64 `[users of the range]`.
    """

    first: int
    lengths: NDArray[np.int64]


def _files(plan: Plan) -> dict[str, tuple[str, np.dtype[Any]]]:
    """Name and type of the file of each array."""
    names = [*(column.name for column in plan.columns), *([COUNT] if plan.duplicates == COUNTED else [])]
    timed = {} if plan.times is None else {TIMES: ("times.npy", TYPES[TIMES])}
    numbers = {f"{BEHAVIOUR}{name}": (f"behaviour-{number}.npy", FLOAT) for number, name in enumerate(names)}
    return {ITEMS: ("items.npy", TYPES[ITEMS]), **timed, **numbers}


def _header(kind: np.dtype[Any], count: int) -> bytes:
    words = f"{{'descr': '{kind.str}', 'fortran_order': False, 'shape': ({count},), }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + words.ljust(_HEADER - 11).encode() + b"\n"


def make_room(folder: Path, plan: Plan, done: Iterable[Path]) -> None:
    """Makes a file for each array, with room for every row of the table.

    Args:
        folder: for the files.
        plan: what was decided.
        done: files that say which ranges were written; they go where an array is missing.

    Raises:
        OSError: the disk is full.
    """
    missing = [(folder / name, kind) for name, kind in _files(plan).values() if not (folder / name).exists()]
    if missing:
        # Before there is room: an interrupt in between must not leave empty arrays that seem to be written.
        for file in done:
            file.unlink()
    for file, kind in missing:
        unfinished = file.with_suffix(".new")
        with unfinished.open("wb") as opened:
            opened.write(_header(kind, plan.rows))
            opened.truncate(_HEADER + plan.rows * kind.itemsize)
        os.replace(unfinished, file)


def put_range(folder: Path, plan: Plan, first: int, arrays: Arrays) -> None:
    """Writes the interactions of a range of users where those of earlier ranges end.

    Args:
        folder: of the files of `make_room`.
        plan: what was decided.
        first: how many rows of the table belong to earlier ranges.
        arrays: what `order_range` gave.

    Raises:
        OSError: the disk is full.
    """
    for name, (file, kind) in _files(plan).items():
        with open(folder / file, "wb", buffering=0, opener=_only_to_write) as opened:
            opened.seek(_HEADER + first * kind.itemsize)
            left = np.ascontiguousarray(arrays[name], dtype=kind).view(np.uint8).data
            while len(left):
                left = left[opened.write(left) :]
            _begin_writing(opened.fileno(), _HEADER + first * kind.itemsize, arrays[name].size * kind.itemsize)


def _only_to_write(path: str, flags: int) -> int:
    """Opens a file that stays as it is.

    On a volume over the network a file that is open for reading too is written in whole pages, and with its own range a
    machine would write back what it had read of the range beside it.
    """
    return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC))


def _begin_writing(file: int, start: int, size: int) -> None:
    """Has the disk begin while there is more to compute: in the end the files are flushed."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, start, size, os.POSIX_FADV_DONTNEED)


def write_prepared(
    place: Path,
    folder: Path,
    plan: Plan,
    users: pl.Series,
    items: pl.Series,
    ranges: list[Ordered],
    about: Mapping[str, Any],
) -> None:
    """Writes prepared interactions.

    Args:
        place: an empty folder.
        folder: of the files of `make_room`, which are moved from there.
        plan: what was decided.
        users: every user.
        items: every item of the catalogue.
        ranges: of users, in order.
        about: the manifest without what depends on the ranges.

    Raises:
        OSError: the disk is full.
    """
    for name, ids in (("users", users), ("items", items)):
        pl.DataFrame({"id": ids}).write_ipc(place / f"{name}.arrow", compression="uncompressed")
    offsets = offsets_of(np.concatenate([ordered.lengths for ordered in ranges]))
    for name, kind in _files(plan).values():
        if offsets[-1] == plan.rows:
            os.replace(folder / name, place / name)
        else:
            _join(folder / name, place / name, kind, ranges)
    np.save(place / "offsets.npy", offsets, allow_pickle=False)
    files = sorted(place.iterdir())
    with ThreadPoolExecutor(_READERS) as pool:
        described = zip(files, pool.map(file_checksum, files), strict=True)
        held = {file.name: {"bytes": file.stat().st_size, CHECKSUM: found} for file, found in described}
    whole = with_checksum({**about, "interactions": int(offsets[-1]), FILES: held})
    (place / MANIFEST).write_text(json_text(whole), encoding="utf-8")


def _join(source: Path, file: Path, kind: np.dtype[Any], ranges: Iterable[Ordered]) -> None:
    """Copies an array without the gaps that repeated rows have left behind ranges."""
    count = sum(int(ordered.lengths.sum()) for ordered in ranges)
    with source.open("rb") as old, file.open("wb") as new:
        new.write(_header(kind, count))
        for ordered in ranges:
            old.seek(_HEADER + ordered.first * kind.itemsize)
            new.write(old.read(int(ordered.lengths.sum()) * kind.itemsize))


def described_columns(columns: Mapping[str, tuple[str, ...] | None], counted: bool) -> list[dict[str, Any]]:
    """Behaviour attributes as the manifest has them.

    Args:
        columns: name to the values of a category, None for a number.
        counted: whether repeated rows are counted in one more.
    """
    every = {**columns, **({COUNT: None} if counted else {})}
    return [{"name": name, "labels": None if labels is None else list(labels)} for name, labels in every.items()]
