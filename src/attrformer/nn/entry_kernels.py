"""Passes over the few items of a block of logits that some relations name, compiled by numba.

Imported only where numba can be (`nn/column_loss.py`). As in `nn/column_kernels.py`, a block has a row for each item
and a column for each target.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.number_kernels import ONE, ZERO, compiled, log

WIDTH: Final = 8
"""The targets of a history are filled up to a multiple of so many, where they are held apart from the block."""

_TOGETHER: Final = 32
"""Items of which logarithms are made at once: those of the few targets of a history would be made one by one."""


@compiled
def _union(indices: Any, values: Any, counts: Any, named: Any, slots: Any) -> Any:
    """The items that the rows of each history name, each once: where they begin, int64 `[b + 1]`, and int32 `[u]`."""
    batch, length = named.shape
    most = indices.shape[1]
    offsets = np.zeros(batch + 1, np.int64)
    items = np.empty(batch * min(len(slots), length * most), np.int32)
    used = 0
    for b in range(batch):
        for s in range(length):
            row = named[b, s]
            for e in range(counts[row] if len(counts) else most):
                item = indices[row, e]
                if values[row, e] > 0 and slots[item] == 0:
                    slots[item], items[used] = 1, item
                    used += 1
        offsets[b + 1] = used
        for place in range(offsets[b], used):
            slots[items[place]] = 0
    return offsets, items[:used].copy()


@compiled
def _evidence(indices: Any, values: Any, counts: Any, named: Any, weights: Any, slots: Any, union: Any) -> Any:
    """The evidence of the items that histories name, `[1 + u, w]`, the first row that of none; see `add_rows`."""
    offsets, items = union
    most, width = indices.shape[1], weights.shape[2]
    evidence = np.zeros((1 + len(items), width), np.float32)
    for b in range(len(named)):
        for place in range(offsets[b], offsets[b + 1]):
            slots[items[place]] = 1 + place
        for s in range(named.shape[1]):
            row, weight = named[b, s], weights[b, s]
            # An unused entry adds nothing to the item that it names, or to the row of none.
            for e in range(counts[row] if len(counts) else most):
                own, value = evidence[slots[indices[row, e]]], values[row, e]
                for c in range(width):
                    own[c] += value * weight[c]
        for place in range(offsets[b], offsets[b + 1]):
            slots[items[place]] = 0
    return evidence


@compiled
def add_rows(logits: Any, indices: Any, values: Any, counts: Any, named: Any, weights: Any, gate: Any) -> Any:
    """Adds gate times log(1 + evidence), the evidence a weighted sum of rows of which few entries are not 0.

    Args:
        logits: `[items, b t]`.
        indices: int32 `[rows, k]`, the items of the entries.
        values: `[rows, k]`, entries, at least 0.
        counts: int32 `[rows]`, entries of each row, which come first; `[0]` where all have k.
        named: int64 `[b, s]`, the rows of each history.
        weights: `[b, s, w]`, those of t targets, then 0; w is a multiple of `WIDTH`.
        gate: `[b, t]`.

    Returns:
        Where the items of each history begin, int64 `[b + 1]`; these items, int32 `[u]`; their evidence, `[1 + u, w]`,
        the first row that of none.
    """
    targets, slots = gate.shape[1], np.zeros(len(logits), np.int32)
    offsets, items = _union(indices, values, counts, named, slots)
    evidence = _evidence(indices, values, counts, named, weights, slots, (offsets, items))
    logs = np.empty((_TOGETHER, weights.shape[2]), np.float32)
    for b in range(len(named)):
        own_gate = gate[b]
        for first in range(offsets[b], offsets[b + 1], _TOGETHER):
            last = min(first + _TOGETHER, offsets[b + 1])
            flat, made = evidence[1 + first : 1 + last].ravel(), logs.ravel()
            for place in range(len(flat)):
                made[place] = log(ONE + flat[place])
            for place in range(first, last):
                own, row = logs[place - first], logits[items[place], b * targets : (b + 1) * targets]
                for c in range(targets):
                    row[c] += own_gate[c] * own[c]
    return offsets, items, evidence


@compiled
def rows_gradients(
    block: Any, indices: Any, values: Any, counts: Any, named: Any, found: Any, of_weights: Any, of_gate: Any
) -> None:
    """The gradients of what `add_rows` has added.

    Args:
        block: gradient of the logits, `[items, b t]`.
        indices: as for `add_rows`.
        values: as for `add_rows`.
        counts: as for `add_rows`.
        named: as for `add_rows`.
        found: what `add_rows` gave; the evidence is used up.
        of_weights: `[b, s, w]`, 0 at the start.
        of_gate: `[b, t]`, 0 at the start.
    """
    offsets, items, evidence = found
    targets, most = of_gate.shape[1], indices.shape[1]
    slots = np.zeros(len(block), np.int32)
    width = evidence.shape[1]
    # What fills up the targets stays 0.
    taken, logs = np.zeros((_TOGETHER, width), np.float32), np.empty((_TOGETHER, width), np.float32)
    for b in range(len(named)):
        own_gate = of_gate[b]
        for first in range(offsets[b], offsets[b + 1], _TOGETHER):
            last = min(first + _TOGETHER, offsets[b + 1])
            for place in range(first, last):
                own, row = taken[place - first], block[items[place], b * targets : (b + 1) * targets]
                slots[items[place]] = 1 + place
                for c in range(targets):
                    own[c] = row[c]
            flat, made, by = evidence[1 + first : 1 + last].ravel(), logs.ravel(), taken.ravel()
            for place in range(len(flat)):
                scaled = ONE + flat[place]
                made[place], flat[place] = by[place] * log(scaled), by[place] / scaled
            for place in range(last - first):
                own = logs[place]
                for c in range(targets):
                    own_gate[c] += own[c]
        for s in range(named.shape[1]):
            row, out = named[b, s], of_weights[b, s]
            for e in range(counts[row] if len(counts) else most):
                own, value = evidence[slots[indices[row, e]]], values[row, e]
                for c in range(width):
                    out[c] += value * own[c]
        for place in range(offsets[b], offsets[b + 1]):
            slots[items[place]] = 0


@compiled
def add_entries(logits: Any, items: Any, weights: Any, gate: Any) -> Any:
    """Adds gate times log(1 + evidence), the evidence the sum of a target's entries of an item.

    Args:
        logits: `[items, b t]`.
        items: int32 or int64 `[b, t, e]`, -1 for entries that do not count.
        weights: `[b, t, e]`, at least 0.
        gate: `[b, t]`.

    Returns:
        How many items each target names, int32 `[b, t]`; these items, int32 `[b, t, e]`; their evidence, same shape.
        An item may be named again with an evidence of 0.
    """
    batch, targets, entries = items.shape
    counts, sums = np.empty((batch, targets), np.int32), np.zeros(len(logits), np.float32)
    distinct, evidence = np.empty(items.shape, np.int32), np.empty(items.shape, np.float32)
    logs = np.empty(entries, np.float32)
    for b in range(batch):
        for t in range(targets):
            named, own, count = distinct[b, t], evidence[b, t], 0
            for e in range(entries):
                item = items[b, t, e]
                if item >= 0:
                    named[count] = item
                    count += sums[item] == ZERO
                    sums[item] += weights[b, t, e]
            counts[b, t] = count
            for place in range(count):
                own[place], sums[named[place]] = sums[named[place]], ZERO
            used = own[:count]
            for place in range(len(used)):
                logs[place] = log(ONE + used[place])
            for place in range(count):
                logits[named[place], b * targets + t] += gate[b, t] * logs[place]
    return counts, distinct, evidence


@compiled
def entry_gradients(block: Any, items: Any, found: Any, of_weights: Any, of_gate: Any) -> None:
    """The gradients of what `add_entries` has added.

    Args:
        block: gradient of the logits, `[items, b t]`.
        items: as for `add_entries`.
        found: what `add_entries` gave.
        of_weights: `[b, t, e]`, filled in.
        of_gate: `[b, t]`, filled in.
    """
    counts, distinct, evidence = found
    batch, targets = of_gate.shape
    taken, of_item = np.empty(evidence.shape[2], np.float32), np.empty(len(block), np.float32)
    for b in range(batch):
        for t in range(targets):
            named, there, out = distinct[b, t], items[b, t], of_weights[b, t]
            own, total = evidence[b, t, : counts[b, t]], ZERO
            for place in range(len(own)):
                taken[place] = block[named[place], b * targets + t]
            for place in range(len(own)):
                scaled = ONE + own[place]
                total += taken[place] * log(scaled)
                taken[place] /= scaled
            of_gate[b, t] = total
            # The evidence of an item stands where it is named first.
            for place in range(len(own) - 1, -1, -1):
                of_item[named[place]] = taken[place]
            for e in range(len(out)):
                value = of_item[max(there[e], 0)]
                out[e] = value if there[e] >= 0 else ZERO
