"""Counts of pairs of items, compiled by numba. Imported only where that is used (`compiled.py`).

Counts are added up in the order of `PairCounts` and in its precision, so that what is kept is equal to the bit.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from attrformer.relations.selection_kernels import TINY, compiled, kth_largest, reaching, strong, without

_NEAR: Final = 9
"""Columns are noted as met one by one, and by parts of so many bits, so that what is not met is skipped."""

_WHOLE: Final = 6
"""Rows with a pair for so many cells, or more, are counted as whole rows."""

_FEW: Final = 2
"""Rows of up to so many times k entries are cut once for each fold, longer ones before as well."""

_AHEAD: Final = 6
"""Windows that the processor is asked for ahead."""

_LINE: Final = 16
"""Items in a line of the processor's cache."""


def _added_up(function: Any) -> Any:
    """Likewise, with sums in any order, as of numbers whose sum needs no rounding."""
    return numba.njit(function, nogil=True, fastmath={"reassoc", "nsz"})


@intrinsic
def _prefetch(context: Any, array: Any, index: Any) -> Any:
    """Asks the processor for a value that is read soon: places of an item are far from each other."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        called = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [place.type], called)
        builder.call(ask, [place, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@compiled
def _count(counts: Any, noted: Any, padded: Any, places: Any, end: int, around: Any) -> None:
    """Adds what stands around the first places, up to `end`, to the counts of a fold, and notes the columns."""
    weights, before, met, of_row = around
    at, near = noted
    for n in range(end):
        if n + _AHEAD < len(places):
            for step in range(0, len(weights) + _LINE - 1, _LINE):
                _prefetch(padded, places[n + _AHEAD] - before + step)  # type: ignore[call-arg]
        first = places[n] - before
        for step in range(len(weights)):
            weight = weights[step]
            if len(met):
                weight *= met[first + step]
            if len(of_row):
                weight *= of_row[places[n]]
            counts[np.uint32(padded[first + step])] += weight
        if len(near):
            for step in range(len(weights)):
                column = np.uint32(padded[first + step])
                at[column] = 1
                near[column >> _NEAR] = 1


@compiled
def _listed(noted: Any, listed: Any, items: int) -> Any:
    """The columns that were noted, ascending; returns how many. They are no longer noted."""
    found, (at, near) = 0, noted
    words = at.view(np.uint64)
    for part in range(len(near)):
        if near[part]:
            near[part] = 0
            for word in range(part << (_NEAR - 3), (part + 1) << (_NEAR - 3)):
                if words[word]:
                    for column in range(word << 3, (word + 1) << 3):
                        listed[found] = column
                        found += at[column]
                    words[word] = 0
    return found - (found > 0 and listed[found - 1] == items)


@_added_up
def _sum(own: Any, most: Any) -> Any:
    """The sum of the counts of a fold, which are added to those of the others as well."""
    total = 0.0
    for n in range(len(own)):
        most[n] += own[n]
        total += np.float64(own[n])
    return total


@compiled
def _take(counts: Any, listed: Any, own: Any) -> None:
    """Moves the counts of the listed columns of a fold to one place."""
    for n in range(len(listed)):
        own[n] = counts[listed[n]]
        counts[listed[n]] = 0
    counts[-1] = 0


@compiled
def _keep(own: Any, listed: Any, most: Any, scale: Any, k: int, columns: Any, kept: Any) -> Any:
    """Writes the entries of a row that can be among the k largest in any fold; returns how many."""
    found, count = np.empty(len(most), np.int32), 0
    for value in most:
        count += value > 0
    count = strong(own, listed, most, scale, k, found) if 0 < _FEW * k < count else reaching(most, TINY, found)
    for n in range(count):
        columns[n] = listed[found[n]]
        for fold in range(len(own)):
            kept[fold, n] = own[fold, found[n]]
    return count


@compiled
def _longer(columns: Any, kept: Any, size: int, length: int) -> Any:
    """The same entries with room for more."""
    longer, more = np.empty(length, np.int32), np.empty((len(kept), length), np.float32)
    longer[:size], more[:, :size] = columns[:size], kept[:, :size]
    return longer, more


@compiled
def _row(scratch: Any, padded: Any, places: Any, runs: Any, around: Any, degrees: Any) -> Any:
    """The columns that an item meets, its counts there in each fold, and their sum over folds."""
    counts, clean, taken, most, listed, each, at, near = scratch
    folds, items = taken.shape
    if (runs[folds] - runs[0]) * len(around[0]) * _WHOLE > items:
        most[:] = 0
        for fold in range(folds):
            counts[fold] = 0
            _count(counts[fold], (at, near[:0]), padded, places[runs[fold] :], runs[fold + 1] - runs[fold], around)
            # At once, while the processor has them at hand.
            degrees[fold] = _sum(counts[fold, :items], most)
        return each, counts[:, :items], most
    for fold in range(folds):
        _count(clean[fold], (at, near), padded, places[runs[fold] :], runs[fold + 1] - runs[fold], around)
    found = _listed((at, near), listed, items)
    most[:found] = 0
    for fold in range(folds):
        _take(clean[fold], listed[:found], taken[fold])
        degrees[fold] = _sum(taken[fold, :found], most)
    return listed[:found], taken[:, :found], most[:found]


@compiled
def _scratch(folds: int, items: int) -> Any:
    near = np.zeros((items >> _NEAR) + 1, np.uint8)
    return (
        np.zeros((folds, items + 1), np.float32),
        np.zeros((folds, items + 1), np.float32),
        np.empty((folds, items), np.float32),
        np.empty(items, np.float32),
        np.empty(items + 8, np.int32),
        np.arange(items).astype(np.int32),
        np.zeros(len(near) << _NEAR, np.uint8),
        near,
    )


@compiled
def entries(padded: Any, places: Any, runs: Any, folds: int, around: Any, scale: Any, best: Any, k: int) -> Any:
    """The entries of some items that can be among the k largest of their row in any fold; see `fold_entries`.

    Args:
        padded: int32, items of histories with gaps between them; a gap holds the number of items.
        places: integers, places of the items in `padded`, by item and fold.
        runs: int64 `[items of the block * folds + 1]`, cuts `places` by item and fold.
        folds: how many there are.
        around: float32 weights of what stands around a place, and how many places lie before the first of it; how much
            each place of `padded` counts as the one that is met, and as the one whose row it is, empty for 1 each.
        scale: float32 `[wanted, items]`, what each column is multiplied by.
        best: float32 `[items]`, the largest of these.
        k: entries that are to be kept in the end; 0 keeps all.

    Returns:
        What `FoldEntries` takes.
    """
    items, rows = scale.shape[1], (len(runs) - 1) // folds
    scratch = _scratch(folds, items)
    starts, degrees = np.zeros(rows + 1, np.int64), np.zeros((rows, folds), np.float64)
    columns, kept = np.empty(1 << 12, np.int32), np.empty((folds, 1 << 12), np.float32)
    for row in range(rows):
        mine = runs[row * folds : (row + 1) * folds + 1]
        listed, own, most = _row(scratch, padded, places, mine, around, degrees[row])
        for n in range(len(listed)):
            most[n] *= best[listed[n]]
        size = starts[row]
        if size + len(listed) > len(columns):
            columns, kept = _longer(columns, kept, size, 2 * size + len(listed))
        starts[row + 1] = size + _keep(own, listed, most, scale, k, columns[size:], kept[:, size:])
    size = starts[rows]
    return starts, columns[:size].copy(), kept[:, :size].copy(), degrees.T.copy()


@compiled
def strongest(starts: Any, columns: Any, counts: Any, left: Any, scale: Any, indices: Any, values: Any) -> None:
    """Writes the largest values of each row without each fold, as `normalised` and `keep_top` find them.

    Args:
        starts: of the entries, see `FoldEntries`.
        columns: likewise.
        counts: likewise.
        left: float32 `[wanted, rows]`, what each row is multiplied by.
        scale: float32 `[wanted, items]`, what each column is multiplied by.
        indices: int32 `[wanted, rows, k]` of zeros, written.
        values: float32 `[wanted, rows, k]` of zeros, written.
    """
    k, first, longest = values.shape[2], len(counts) + 1 - len(scale), (starts[1:] - starts[:-1]).max()
    whole, work = np.empty(longest, np.float32), np.empty(longest, np.float32)
    for row in range(len(starts) - 1):
        start, stop = starts[row], starts[row + 1]
        found, own, listed = whole[: stop - start], counts[:, start:stop], columns[start:stop]
        for table in range(len(scale)):
            without(own, listed, first + table, scale[table], found, left[table, row])
            least, free, there = np.float32(0), 0, (found > 0).sum()
            if there > k:
                least = kth_largest(found, k, work)
                free = k - (found > least).sum()
            place = k - min(there, k)
            for n in range(len(found)):
                value = found[n]
                if value > least or (value == least and free > 0):
                    free -= value == least
                    indices[table, row, place] = listed[n]
                    values[table, row, place] = value
                    place += 1
