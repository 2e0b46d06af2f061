"""Passes over scores with a row for each target, compiled by numba. Imported only where numba can be (`nn/scores.py`).

A target that stands alone shares nothing with others, so that its row is made while it lies in the cache.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.number_kernels import ONE, ZERO, compiled, log

_CHUNK: Final = 2048
"""Items of which evidence is added up and read while it is in the nearest cache."""


@compiled
def add_named(scores: Any, indices: Any, values: Any, starts: Any, ends: Any, weights: Any, gate: Any) -> None:
    """Adds gate times log(1 + evidence), the evidence a weighted sum of rows of which few entries are not 0.

    Args:
        scores: `[b, items]`.
        indices: int32 `[entries]`, the items of the entries of all rows.
        values: float32 `[entries]`, at least 0.
        starts: int64 `[b, s]`, where the entries of each row of a history begin.
        ends: int64 `[b, s]`, where they end.
        weights: `[b, s]`, at least 0.
        gate: `[b]`.
    """
    evidence, named = np.zeros(scores.shape[1], np.float32), np.empty(scores.shape[1], np.int32)
    found = np.empty(scores.shape[1], np.float32)
    for b in range(len(scores)):
        own, count = scores[b], 0
        for s in range(starts.shape[1]):
            weight = weights[b, s]
            if weight > 0:
                for e in range(starts[b, s], ends[b, s]):
                    value, item = weight * values[e], indices[e]
                    if value > 0:
                        if evidence[item] == 0:
                            named[count] = item
                            count += 1
                        evidence[item] += value
        for place in range(count):
            found[place], evidence[named[place]] = evidence[named[place]], ZERO
        used = found[:count]
        for place in range(len(used)):
            used[place] = gate[b] * log(ONE + used[place])
        for place in range(count):
            own[named[place]] += used[place]


@compiled
def add_whole(scores: Any, table: Any, rows: Any, weights: Any, gate: Any) -> None:
    """Adds gate times log(1 + evidence), the evidence a weighted sum of whole rows.

    Args:
        scores: `[b, items]`.
        table: float32 `[rows, items]`, at least 0.
        rows: int64 `[b, s]`, the rows of each history.
        weights: `[b, s]`, at least 0.
        gate: `[b]`.
    """
    total, count = np.empty(_CHUNK, np.float32), scores.shape[1]
    for b in range(len(scores)):
        for first in range(0, count, _CHUNK):
            own = scores[b, first : first + _CHUNK]
            evidence = total[: len(own)]
            evidence[:] = ZERO
            for s in range(rows.shape[1]):
                weight = weights[b, s]
                if weight > 0:
                    row = table[rows[b, s], first : first + _CHUNK]
                    for j in range(len(own)):
                        evidence[j] += weight * row[j]
            for j in range(len(own)):
                own[j] += gate[b] * log(ONE + evidence[j])


@compiled
def add_groups(scores: Any, of_item: Any, evidence: Any, gate: Any) -> None:
    """Adds gate times log(1 + evidence) of the group that each item is in.

    Args:
        scores: `[b, items]`.
        of_item: int32 `[items]`, the group of each.
        evidence: `[b, groups]`, at least 0.
        gate: `[b]`.
    """
    values = np.empty(evidence.shape[1], np.float32)
    for b in range(len(scores)):
        own, said = scores[b], evidence[b]
        for group in range(len(values)):
            values[group] = gate[b] * log(ONE + said[group])
        for item in range(len(own)):
            own[item] += values[of_item[item]]
