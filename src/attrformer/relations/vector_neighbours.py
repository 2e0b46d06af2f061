"""The nearest neighbours of items by the cosine of their vectors, for catalogues too large for whole rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Neighbours = NDArray[np.int32]

NONE: Final = -1
"""Stands in unused places of a row, which come first."""

EXACT_ITEMS: Final = 40_000
"""Catalogues up to this size are searched whole; larger ones in the cells near an item."""

_ELEMENTS: Final = 1 << 23
"""Cosines that are in memory at a time."""

_CELL: Final = 512
"""About so many items share a cell."""

_CELLS_SEARCHED: Final = 24
"""Cells near its own in which the neighbours of an item are looked for."""

_SAMPLED: Final = 64
"""Items a cell of which the centres are found."""

_STEPS: Final = 5
"""Steps of k-means."""


def nearest_neighbours(vectors: Vectors, k: int) -> Neighbours:
    """The k nearest other items of each, by cosine; only those with a cosine above 0.

    Args:
        vectors: float32 `[items, d]`, rows of length 1, or zeros for items that are near to none.
        k: most neighbours of an item.

    Returns:
        int32 `[items, k]`, ascending; unused places come first and hold `NONE`.
    """
    found = np.full((len(vectors), k), NONE, dtype=np.int32)
    there = np.flatnonzero(vectors.any(axis=1))
    for rows, columns in _searches(vectors, there):
        found[rows] = _nearest(vectors, rows, columns, k)
    return found


def with_new_neighbours(neighbours: Neighbours, vectors: Vectors, k: int) -> Neighbours:
    """Neighbours in a catalogue that has grown.

    A new item gets its k nearest items. A known item keeps its neighbours, and beside them gets the k nearest of the
    new items that are at least as near as the farthest of these. Of more than 2 k in all the nearest are kept.

    Args:
        neighbours: int32 `[known, w]`, of the items that were there.
        vectors: float32 `[items, d]`, of all items, the known ones first.
        k: most neighbours of a new item.

    Returns:
        int32 `[items, v]`, v from w to the larger of w and 2 k.
    """
    known, total = len(neighbours), len(vectors)
    new = np.arange(known, total)
    width = max(neighbours.shape[1], 2 * k)
    entries = max(len(new), neighbours.shape[1] * vectors.shape[1])
    rows = [_widened(neighbours[cut], vectors, cut, new, k, width) for cut in _cuts(known, entries)]
    rows += [_nearest(vectors, new[cut], np.arange(total), width, keep=k) for cut in _cuts(len(new), total)]
    found = np.concatenate([np.empty((0, width), np.int32), *rows])
    used = int((found != NONE).sum(axis=1).max(initial=0))
    return found[:, width - max(used, neighbours.shape[1]) :]


def _widened(
    neighbours: Neighbours, vectors: Vectors, cut: slice, new: NDArray[np.int64], k: int, width: int
) -> Neighbours:
    """Rows of known items with the new items that are near enough, `[b, width]`."""
    own = vectors[cut]
    cosine = np.einsum("bd,bnd->bn", own, vectors[np.maximum(neighbours, 0)])
    cosine[neighbours == NONE] = -np.inf
    full = (neighbours != NONE).sum(axis=1) >= k
    least = np.where(full, np.where(neighbours == NONE, np.inf, cosine).min(axis=1, initial=np.inf), 0.0)
    added = own @ vectors[new].T
    added[(added <= 0) | (added < least[:, None])] = -np.inf
    joining, added = _largest(np.broadcast_to(new.astype(np.int32), added.shape), added, k)
    codes, cosine = np.concatenate([neighbours, joining], axis=1), np.concatenate([cosine, added], axis=1)
    return _ascending(*_largest(codes, cosine, width), width)


def _nearest(
    vectors: Vectors, rows: NDArray[np.int64], columns: NDArray[np.int64], width: int, keep: int | None = None
) -> Neighbours:
    """The nearest of some items to some others, `[b, width]`, at most `keep` of them."""
    cosine = vectors[rows] @ vectors[columns].T
    cosine[(cosine <= 0) | (rows[:, None] == columns)] = -np.inf
    codes = np.broadcast_to(columns.astype(np.int32), cosine.shape)
    return _ascending(*_largest(codes, cosine, width if keep is None else keep), width)


def _largest(codes: Neighbours, cosine: Vectors, keep: int) -> tuple[Neighbours, Vectors]:
    """The codes with the largest cosines, and these, at most `keep` in each row, in any order."""
    if codes.shape[1] <= keep:
        return codes, cosine
    place = np.argpartition(-cosine, keep - 1, axis=1)[:, :keep]
    return np.take_along_axis(codes, place, 1), np.take_along_axis(cosine, place, 1)


def _ascending(codes: Neighbours, cosine: Vectors, width: int) -> Neighbours:
    """The codes with a cosine above -inf, ascending within a row, behind unused places, `[b, width]`."""
    kept = np.sort(np.where(cosine > -np.inf, codes, NONE).astype(np.int32), axis=1)
    return np.pad(kept, ((0, 0), (width - kept.shape[1], 0)), constant_values=NONE)


def _cuts(rows: int, columns: int) -> list[slice]:
    """Slices of rows whose products with all columns fit into memory."""
    step = max(1, _ELEMENTS // max(columns, 1))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _searches(vectors: Vectors, there: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Items, and among which their neighbours are looked for."""
    if len(there) <= EXACT_ITEMS:
        for cut in _cuts(len(there), len(there)):
            yield there[cut], there
        return
    centres = _centres(vectors, there)
    cell = _cells(vectors, there, centres)
    order = np.argsort(cell, kind="stable")
    members = np.split(there[order], np.cumsum(np.bincount(cell, minlength=len(centres)))[:-1])
    near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :_CELLS_SEARCHED]
    for number, mine in enumerate(members):
        columns = np.sort(np.concatenate([members[other] for other in near[number]]))
        for cut in _cuts(len(mine), len(columns)):
            yield mine[cut], columns


def _centres(vectors: Vectors, there: NDArray[np.int64]) -> Vectors:
    """Directions around which items lie, by a few steps of k-means on a sample, `[cells, d]`."""
    count = len(there) // _CELL
    sample = there[np.linspace(0, len(there) - 1, min(_SAMPLED * count, len(there))).astype(np.int64)]
    centres = vectors[sample[np.linspace(0, len(sample) - 1, count).astype(np.int64)]]
    for _ in range(_STEPS):
        cell = _cells(vectors, sample, centres)
        total = np.zeros_like(centres)
        np.add.at(total, cell, vectors[sample])
        length = np.linalg.norm(total, axis=1, keepdims=True)
        centres = np.where(length > 0, total / np.where(length > 0, length, 1.0), centres).astype(np.float32)
    return centres


def _cells(vectors: Vectors, items: NDArray[np.int64], centres: Vectors) -> NDArray[np.int64]:
    """The nearest centre of each item."""
    return np.concatenate([(vectors[items[cut]] @ centres.T).argmax(1) for cut in _cuts(len(items), len(centres))])
