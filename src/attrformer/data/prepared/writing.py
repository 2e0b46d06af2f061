"""Prepared interactions written to a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import COUNT
from attrformer.data.prepared.coding import Arrays
from attrformer.data.prepared.folder import FLOAT, TYPES
from attrformer.data.prepared.names import BEHAVIOUR, ITEMS, LENGTHS, MANIFEST, TIMES
from attrformer.io import json_text, with_checksum


def write_prepared(
    place: Path, users: pl.Series, items: pl.Series, ranges: Iterator[Arrays], manifest: Mapping[str, Any]
) -> None:
    """Writes prepared interactions.

    Args:
        place: an empty folder.
        users: every user.
        items: every item of the catalogue.
        ranges: what `order_range` gave for each range of users, in order.
        manifest: what was decided; what depends on the ranges is added.

    Raises:
        OSError: the disk is full.
    """
    for name, ids in (("users", users), ("items", items)):
        pl.DataFrame({"id": ids}).write_ipc(place / f"{name}.arrow", compression="uncompressed")
    columns = [column["name"] for column in manifest["behaviours"]]
    files = {ITEMS: "items.npy", **({TIMES: "times.npy"} if manifest["timed"] else {})}
    files |= {f"{BEHAVIOUR}{name}": f"behaviour-{number}.npy" for number, name in enumerate(columns)}
    lengths = [np.zeros(1, np.int64)]
    writers = {name: _Growing(place / file, TYPES.get(name, FLOAT)) for name, file in files.items()}
    try:
        for arrays in ranges:
            lengths.append(arrays[LENGTHS])
            for name, writer in writers.items():
                writer.append(arrays[name])
    finally:
        for writer in writers.values():
            writer.close()
    np.save(place / "offsets.npy", np.cumsum(np.concatenate(lengths), dtype=np.int64), allow_pickle=False)
    whole = with_checksum({**manifest, "interactions": writers[ITEMS].count})
    (place / MANIFEST).write_text(json_text(whole), encoding="utf-8")


class _Growing:
    """A file of NumPy to which an array is written piece by piece."""

    _HEADER: Final = 128

    def __init__(self, file: Path, kind: np.dtype[Any]) -> None:
        self._file, self._kind, self.count = file.open("wb"), kind, 0
        self._file.write(self._header())

    def _header(self) -> bytes:
        words = f"{{'descr': '{self._kind.str}', 'fortran_order': False, 'shape': ({self.count},), }}"
        return b"\x93NUMPY\x01\x00\x76\x00" + words.ljust(self._HEADER - 11).encode() + b"\n"

    def append(self, piece: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(piece, dtype=self._kind).data)
        self.count += len(piece)

    def close(self) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()


def described_columns(columns: Mapping[str, tuple[str, ...] | None], counted: bool) -> list[dict[str, Any]]:
    """Behaviour attributes as the manifest has them.

    Args:
        columns: name to the values of a category, None for a number.
        counted: whether repeated rows are counted in one more.
    """
    every = {**columns, **({COUNT: None} if counted else {})}
    return [{"name": name, "labels": None if labels is None else list(labels)} for name, labels in every.items()]
