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


def nearest_neighbours(vectors: Vectors, k: int) -> tuple[Neighbours, Vectors]:
    """The k nearest other items of each, by cosine; only those with a cosine above 0.

    Args:
        vectors: float32 `[items, d]`, rows of length 1, or zeros for items that are near to none.
        k: most neighbours of an item.

    Returns:
        int32 `[items, k]`, ascending, behind unused places that hold `NONE`; and float32 `[items]`, the reach of each
        item: the cosine of the farthest of k neighbours, 0 for an item with fewer.
    """
    found, reach = np.full((len(vectors), k), NONE, dtype=np.int32), np.zeros(len(vectors), np.float32)
    there = np.flatnonzero(vectors.any(axis=1))
    for rows, columns in _searches(vectors, there):
        found[rows], reach[rows] = _nearest(vectors, rows, columns, k, k)
    return found, reach


def with_new_neighbours(neighbours: Neighbours, reach: Vectors, vectors: Vectors, k: int) -> tuple[Neighbours, Vectors]:
    """Neighbours in a catalogue that has grown.

    A new item gets its k nearest items. A known item keeps its neighbours, and beside them gets the k nearest of the
    new items within its reach. Of more than 2 k in all the nearest are kept.

    Args:
        neighbours: int32 `[known, w]`, of the items that were there.
        reach: float32 `[known]`, of the same items.
        vectors: float32 `[items, d]`, of all items, the known ones first.
        k: most neighbours of a new item.

    Returns:
        int32 `[items, v]`, v from w to the larger of w and 2 k, and the reach of all items.
    """
    known, total = len(neighbours), len(vectors)
    width = max(neighbours.shape[1], 2 * k)
    found = np.full((total, width), NONE, dtype=np.int32)
    found[:known, width - neighbours.shape[1] :] = neighbours
    reach = np.concatenate([reach, np.zeros(total - known, np.float32)])
    new = np.arange(known, total)
    for rows in _within_reach(reach[:known], vectors, new):
        for cut in _cuts(len(rows), max(len(new), width * vectors.shape[1])):
            found[rows[cut]], reach[rows[cut]] = _widened(found[rows[cut]], vectors, rows[cut], new, k)
    for cut in _cuts(len(new), total):
        found[new[cut]], reach[new[cut]] = _nearest(vectors, new[cut], np.arange(total), k, width)
    used = int((found != NONE).sum(axis=1).max(initial=0))
    return found[:, width - max(used, neighbours.shape[1]) :], reach


def _within_reach(reach: Vectors, vectors: Vectors, new: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Known items that a new one may join."""
    for cut in _cuts(len(reach), len(new)):
        cosine = vectors[: len(reach)][cut] @ vectors[new].T
        joined = ((cosine > 0) & (cosine >= reach[cut, None])).any(axis=1)
        yield np.flatnonzero(joined) + cut.start


def _widened(
    neighbours: Neighbours, vectors: Vectors, rows: NDArray[np.int64], new: NDArray[np.int64], k: int
) -> tuple[Neighbours, Vectors]:
    """Rows of known items, `[b, width]`, with the new items within their reach, and their reach."""
    own = vectors[rows]
    cosine = np.einsum("bd,bnd->bn", own, vectors[np.maximum(neighbours, 0)])
    cosine[neighbours == NONE] = -np.inf
    added = own @ vectors[new].T
    added[(added <= 0) | (added < _reach(cosine, k)[:, None])] = -np.inf
    joining, added = _largest(np.broadcast_to(new.astype(np.int32), added.shape), added, k)
    codes, cosine = np.concatenate([neighbours, joining], axis=1), np.concatenate([cosine, added], axis=1)
    codes, cosine = _largest(codes, cosine, neighbours.shape[1])
    return _ascending(codes, cosine, neighbours.shape[1]), _reach(cosine, k)


def _nearest(
    vectors: Vectors, rows: NDArray[np.int64], columns: NDArray[np.int64], k: int, width: int
) -> tuple[Neighbours, Vectors]:
    """The k nearest of some items to some others, `[b, width]`, and their reach."""
    cosine = vectors[rows] @ vectors[columns].T
    cosine[(cosine <= 0) | (rows[:, None] == columns)] = -np.inf
    codes, cosine = _largest(np.broadcast_to(columns.astype(np.int32), cosine.shape), cosine, k)
    return _ascending(codes, cosine, width), _reach(cosine, k)


def _reach(cosine: Vectors, k: int) -> Vectors:
    """The smallest cosine above -inf of each row that has at least k of them, otherwise 0, `[b]`."""
    used = cosine > -np.inf
    least = np.where(used, cosine, np.inf).min(axis=1, initial=np.inf)
    found: Vectors = np.where(used.sum(axis=1) >= k, least, 0.0).astype(np.float32)
    return found


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
