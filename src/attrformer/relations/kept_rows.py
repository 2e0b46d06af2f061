"""Rows of a relation as they are counted, block by block: the k largest entries of each."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of, positions_in_rows
from attrformer.relations.scratch import scratch_array

MOST_PLACES: Final = 1 << 27
"""Entries, 1 GiB of them, up to which all rows are equally long: beyond, most rows of a catalogue are mostly empty."""


class KeptRows:
    """Takes the largest entries of rows in any order.

    Args:
        blocks: of rows, one for each fold and one for inference.
        items: rows of each.
        k: entries of a row.
    """

    def __init__(self, blocks: int, items: int, k: int) -> None:
        self._items, self._k = items, k
        self.short = blocks * items * k > MOST_PLACES
        rows = 0 if self.short else items
        self._indices = scratch_array((blocks, rows, k), np.int32)
        self._values = scratch_array((blocks, rows, k), np.float32)
        self._lengths = np.zeros((blocks, items), dtype=np.int32)
        self._pieces: list[tuple[int, NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]] = []

    def put(self, block: int, rows: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32]) -> None:
        """Keeps some rows of a block.

        Args:
            block: its number.
            rows: int64 `[n]`.
            indices: int32 `[n, k]`, ascending, unused places first.
            values: float32 `[n, k]`, 0 in unused places.
        """
        if not self.short:
            self._indices[block, rows], self._values[block, rows] = indices, values
            return
        used = values > 0
        self._lengths[block, rows] = used.sum(1)
        self._pieces.append((block, rows, indices[used], values[used]))

    def tables(self) -> dict[str, NDArray[Any]]:
        """All rows as `RowRelation` takes them; to be asked once."""
        if not self.short:
            return {"indices": self._indices.reshape(-1, self._k), "values": self._values.reshape(-1, self._k)}
        starts = offsets_of(self._lengths.ravel())
        found = scratch_array((int(starts[-1]),), np.int32), scratch_array((int(starts[-1]),), np.float32)
        while self._pieces:
            block, rows, indices, values = self._pieces.pop()
            lengths = self._lengths[block, rows]
            places = np.repeat(starts[block * self._items + rows], lengths) + positions_in_rows(lengths)
            found[0][places], found[1][places] = indices, values
        return {"indices": found[0], "values": found[1], "starts": starts}


def equally_long(
    starts: NDArray[np.int64], ends: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Rows of different lengths with unused places before their entries.

    Args:
        starts: int64 `[n]`, where the entries of each row begin.
        ends: int64 `[n]`, where they end.
        indices: int32 `[m]`.
        values: float32 `[m]`.

    Returns:
        int32 indices and float32 values, both `[n, k]`, 0 in unused places.
    """
    lengths = ends - starts
    k = max(1, int(lengths.max(initial=0)))
    rows, within = np.repeat(np.arange(len(lengths)), lengths), positions_in_rows(lengths)
    columns, places = np.repeat(k - lengths, lengths) + within, np.repeat(starts, lengths) + within
    found = np.zeros((len(lengths), k), dtype=np.int32), np.zeros((len(lengths), k), dtype=np.float32)
    found[0][rows, columns], found[1][rows, columns] = indices[places], values[places]
    return found
