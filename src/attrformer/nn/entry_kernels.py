"""Passes over the few items of a block of logits that some relations name, compiled by numba.

Imported only where numba can be (`nn/column_loss.py`). As in `nn/column_kernels.py`, a block has a row for each item
and a column for each target.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.number_kernels import ONE, compiled, log

_NONE: Final = np.float32(0)
_UNNAMED: Final = np.float32(-1)

WIDTH: Final = 8
"""The targets of a history are filled up to a multiple of so many, where they are held apart from the block."""


@compiled
def add_rows(logits: Any, indices: Any, values: Any, named: Any, weights: Any, gate: Any) -> Any:
    """Adds gate times log(1 + evidence), the evidence a weighted sum of rows of which few entries are not 0.

    Args:
        logits: `[items, b t]`.
        indices: int32 `[rows, k]`, the items of the entries.
        values: `[rows, k]`, entries, at least 0.
        named: int64 `[b, s]`, the rows of each history.
        weights: `[b, s, w]`, those of t targets, then 0; w is a multiple of `WIDTH`.
        gate: `[b, t]`.

    Returns:
        Where the items of each history begin, int64 `[b + 1]`; these items, int32 `[u]`; their evidence, `[u, w]`.
    """
    batch, length = named.shape
    targets, entries = gate.shape[1], indices.shape[1]
    slots = np.full(len(logits), -1, np.int32)
    offsets = np.zeros(batch + 1, np.int64)
    items = np.empty(batch * min(len(logits), length * entries), np.int32)
    used = 0
    for b in range(batch):
        for s in range(length):
            row = named[b, s]
            for e in range(entries):
                item = indices[row, e]
                if values[row, e] > 0 and slots[item] < 0:
                    slots[item], items[used] = used, item
                    used += 1
        offsets[b + 1] = used
        for place in range(offsets[b], used):
            slots[items[place]] = -1
    width = weights.shape[2]
    evidence, logs = np.zeros((used, width), np.float32), np.empty(width, np.float32)
    for b in range(batch):
        for place in range(offsets[b], offsets[b + 1]):
            slots[items[place]] = place
        for s in range(length):
            weight, row = weights[b, s], named[b, s]
            if not weight.any():
                continue
            for e in range(entries):
                value = values[row, e]
                if value > 0:
                    own = evidence[slots[indices[row, e]]]
                    for c in range(width):
                        own[c] += value * weight[c]
        first = b * targets
        for place in range(offsets[b], offsets[b + 1]):
            item = items[place]
            slots[item] = -1
            for c in range(width):
                logs[c] = log(ONE + evidence[place, c])
            for c in range(targets):
                logits[item, first + c] += gate[b, c] * logs[c]
    return offsets, items[:used].copy(), evidence


@compiled
def rows_gradients(
    block: Any, indices: Any, values: Any, named: Any, found: Any, of_weights: Any, of_gate: Any
) -> None:
    """The gradients of what `add_rows` has added.

    Args:
        block: gradient of the logits, `[items, b t]`.
        indices: as for `add_rows`.
        values: as for `add_rows`.
        named: as for `add_rows`.
        found: what `add_rows` gave; the evidence is used up.
        of_weights: `[b, s, w]`, 0 at the start.
        of_gate: `[b, t]`, filled in.
    """
    offsets, items, evidence = found
    batch, length = named.shape
    targets, entries = of_gate.shape[1], indices.shape[1]
    slots = np.zeros(len(block), np.int64)
    width = evidence.shape[1]
    taken, own_gate = np.zeros(width, np.float32), np.empty(width, np.float32)
    for b in range(batch):
        first = b * targets
        own_gate[:] = 0
        for place in range(offsets[b], offsets[b + 1]):
            slots[items[place]] = place
            for c in range(targets):
                taken[c] = block[items[place], first + c]
            for c in range(width):
                scaled = ONE + evidence[place, c]
                own_gate[c] += taken[c] * log(scaled)
                evidence[place, c] = taken[c] / scaled
        for c in range(targets):
            of_gate[b, c] = own_gate[c]
        for s in range(length):
            row, out = named[b, s], of_weights[b, s]
            for e in range(entries):
                value = values[row, e]
                if value > 0:
                    own = evidence[slots[indices[row, e]]]
                    for c in range(width):
                        out[c] += value * own[c]


@compiled
def add_entries(logits: Any, items: Any, weights: Any, gate: Any) -> None:
    """Adds gate times log(1 + evidence), the evidence the sum of a target's entries of an item.

    Args:
        logits: `[items, b t]`.
        items: int64 `[b, t, e]`; t may be 1.
        weights: `[b, t, e]`, at least 0.
        gate: `[b, t]`.
    """
    evidence, distinct = np.full(len(logits), _UNNAMED), np.empty(items.shape[2] + 1, np.int64)
    batch, targets = gate.shape
    for b in range(batch):
        for t in range(targets):
            count = _gather(items[b, min(t, items.shape[1] - 1)], weights[b, t], evidence, distinct)
            for place in range(count):
                item = distinct[place]
                logits[item, b * targets + t] += gate[b, t] * log(ONE + evidence[item])
                evidence[item] = _UNNAMED


@compiled
def _gather(named: Any, weight: Any, evidence: Any, distinct: Any) -> Any:
    """Adds up the entries of a target in `evidence`, -1 before; how many items it names, which `distinct` lists."""
    count = 0
    # No branch, as nobody could foresee which way it goes; `distinct` has room for one more.
    for e in range(len(named)):
        item, before = named[e], evidence[named[e]]
        distinct[count] = item
        count += int(before < 0)
        evidence[item] = max(before, _NONE) + weight[e]
    return count


@compiled
def entry_gradients(block: Any, items: Any, weights: Any, of_weights: Any, of_gate: Any) -> None:
    """The gradients of what `add_entries` has added.

    Args:
        block: gradient of the logits, `[items, b t]`.
        items: int64 `[b, t, e]`; t may be 1.
        weights: `[b, t, e]`, at least 0.
        of_weights: `[b, t, e]`, filled in.
        of_gate: `[b, t]`, 0 at the start.
    """
    evidence, distinct = np.full(len(block), _UNNAMED), np.empty(items.shape[2] + 1, np.int64)
    batch, targets = of_gate.shape
    for b in range(batch):
        for t in range(targets):
            column, named = b * targets + t, items[b, min(t, items.shape[1] - 1)]
            count = _gather(named, weights[b, t], evidence, distinct)
            for place in range(count):
                item = distinct[place]
                scaled, own = ONE + evidence[item], block[item, column]
                of_gate[b, t] += own * log(scaled)
                evidence[item] = own / scaled
            out = of_weights[b, t]
            for e in range(len(named)):
                out[e] = evidence[named[e]]
            for place in range(count):
                evidence[distinct[place]] = _UNNAMED
