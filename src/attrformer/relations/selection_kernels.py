"""The largest of many numbers, compiled by numba. Imported only by `pair_kernels.py`.

Numba keeps compiled functions by the time of the file that they are in: after a change here, change that file too.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.compiled import compiler

TINY: Final = np.float32(1e-45)
"""The smallest number above 0."""

_SLACK: Final = np.float32(1 - 1e-4)
"""What falls short by no more than rounding may bring about is kept."""

_BINS: Final = 1 << 9
_STRIP: Final = 64
_SAMPLED: Final = 16


compiled: Final = compiler()


@compiled
def _selected(values: Any, place: int) -> Any:
    """The value at a place of the ascending order; the values change places, and equal ones do not slow it down."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot, left, right = values[(low + high) // 2], low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if place <= right:
            high = right
        elif place >= left:
            low = left
        else:
            break
    return values[place]


@compiled
def kth_largest(values: Any, k: int, work: Any) -> Any:
    """The k-th largest of values, of which at least k are above 0 and none is below; `work` is as long as they are."""
    # The bits of such numbers, read as integers, are in the same order.
    codes = values.view(np.uint32)
    low, high, shift = np.uint32(0xFFFFFFFF), np.uint32(0), 0
    for code in codes:
        low, high = min(low, code - np.uint32(1)), max(high, code)
    low += np.uint32(1)
    while (high - low) >> shift >= _BINS:
        shift += 1
    bins = np.zeros(_BINS, np.int32)
    for code in codes:
        if code:
            bins[(code - low) >> shift] += 1
    place, above = _BINS, 0
    while above < k:
        place -= 1
        above += bins[place]
    found = 0
    for n in range(len(codes)):
        work[found] = values[n]
        found += codes[n] > 0 and (codes[n] - low) >> shift == place
    return _selected(work[:found], above - k)


@compiled
def without(own: Any, listed: Any, fold: int, scale: Any, values: Any, left: Any) -> None:
    """Writes the counts of all folds but one, added up as `FoldEntries.without` does it, times those of the columns."""
    folds = len(own)
    first = 1 if fold == 0 and folds > 1 else 0
    values[:] = own[first]
    for other in range(first + 1, folds):
        if other != fold:
            values += own[other]
    for n in range(len(values)):
        values[n] = values[n] * left * scale[listed[n]]


@compiled
def reaching(most: Any, least: Any, found: Any) -> Any:
    """Writes the places of the values that reach a number above 0; returns how many."""
    count = 0
    for start in range(0, len(most), _STRIP):
        part, any_ = most[start : start + _STRIP], False
        for value in part:
            any_ |= value >= least
        if any_:
            for n in range(len(part)):
                found[count] = start + n
                count += part[n] >= least
    return count


@compiled
def _first_look(most: Any, k: int, found: Any, work: Any) -> Any:
    """Writes the places of at least k of the largest values, of which there are about 2 k; returns how many."""
    step = len(most) // (k * _SAMPLED)
    if step > 1:
        sample = most[::step].copy()
        wanted = 3 * k // step
        if wanted > 0 and (sample > 0).sum() > wanted:
            count = reaching(most, kth_largest(sample, wanted, work), found)
            if count >= k:
                return count
    return reaching(most, kth_largest(most, 2 * k, work), found)


@compiled
def strong(own: Any, listed: Any, most: Any, scale: Any, k: int, found: Any) -> Any:
    """Writes the places of the entries that can be among the k largest in any fold; returns how many."""
    work = np.empty_like(most)
    count = _first_look(most, k, found, work)
    some, columns = np.empty((len(own), count), np.float32), np.empty(count, np.int32)
    for n in range(count):
        columns[n] = listed[found[n]]
        for fold in range(len(own)):
            some[fold, n] = own[fold, found[n]]
    values, least = np.empty(count, np.float32), np.float32(np.inf)
    first = len(own) + 1 - len(scale)
    for table in range(len(scale)):
        without(some, columns, first + table, scale[table], values, np.float32(1))
        if (values > 0).sum() < k:
            least = np.float32(0)
            break
        least = min(least, kth_largest(values, k, work))
    # What k of some entries come to without any fold, the others must at least come to; rounding aside.
    return reaching(most, max(least * _SLACK, TINY), found)
