"""Passes over a block of logits, compiled by numba. Imported only where numba can be (`nn/column_loss.py`).

A block has a row for each item and a column for each target, so that what targets have in common is done for many of
them by one instruction. Sums over the catalogue are made in parts, as rounding grows with the terms of a sum.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.number_kernels import ONE, compiled, exp, log, read, rounded_as

_PART: Final = 64
"""Items whose terms are added up before they join the sum of all."""

LANES: Final = 16
"""Columns are filled up to a multiple of so many, so that no loop over them has a rest; these count for nothing."""


@compiled
def add_listed(values: Any, slots: Any, shares: Any, out: Any) -> None:
    """Adds shares `[m, groups]` times the rows slots `[m, groups]` of values `[v, n]` to `out` `[groups, n]`."""
    for group in range(len(out)):
        for m in range(len(slots)):
            share, row, own = shares[m, group], values[slots[m, group]], out[group]
            if share != 0:
                for c in range(len(own)):
                    own[c] += share * row[c]


@compiled
def add_to_listed(gradient: Any, slots: Any, shares: Any, of_values: Any) -> None:
    """The gradient of the values of `add_listed`, added to `of_values` `[v, n]`, from that of its result."""
    for group in range(len(gradient)):
        for m in range(len(slots)):
            share, row, own = shares[m, group], of_values[slots[m, group]], gradient[group]
            if share != 0:
                for c in range(len(own)):
                    row[c] += share * own[c]


@compiled
def group_values(evidence: Any, gate: Any, values: Any) -> None:
    """Gate `[n]` times log(1 + evidence), `[groups, n]`, into `values`."""
    for group in range(len(evidence)):
        for c in range(evidence.shape[1]):
            values[group, c] = gate[c] * log(ONE + evidence[group, c])


@compiled
def group_gradients(evidence: Any, of_values: Any, of_gate: Any) -> None:
    """The gradients of `group_values`: `of_values` ends as that of the evidence but for the gate; `of_gate` is 0."""
    for group in range(len(evidence)):
        for c in range(evidence.shape[1]):
            scaled = ONE + evidence[group, c]
            of_gate[c] += of_values[group, c] * log(scaled)
            of_values[group, c] /= scaled


@compiled
def add_parts(logits: Any, content: Any, groups: Any, values: Any, dense: Any, gates: Any) -> None:
    """Content, what groups of items have in common, and gate times log(1 + evidence), added up.

    Args:
        logits: `[items, n]`, filled in; n is a multiple of `LANES` here and below.
        content: `[items, n]`, float32 or the bits of bfloat16.
        groups: int32 `[items, g]`, rows of `values`.
        values: `[rows, n]`.
        dense: evidence `[r, items, n]`, float32 or the bits of bfloat16.
        gates: `[r, n]`.
    """
    count = logits.shape[1]
    for item in range(len(logits)):
        row, own = logits[item], content[item]
        for c in range(count):
            row[c] = read(own[c])
        for k in range(groups.shape[1]):
            value = values[groups[item, k]]
            for c in range(count):
                row[c] += value[c]
        for r in range(len(dense)):
            evidence, gate = dense[r, item], gates[r]
            for c in range(count):
                row[c] += gate[c] * log(ONE + read(evidence[c]))


@compiled
def softmax(logits: Any, correction: Any, weights: Any, peak: Any, total: Any, weighted: Any) -> None:
    """Turns logits into exp(logit + correction - peak), and adds these up by target.

    Args:
        logits: `[items, n]`.
        correction: `[items]`.
        weights: `[w, items]`; each target's logits, without the correction, are added up with them.
        peak: of each target, `[n]`, filled in.
        total: `[n]`, 0 at the start.
        weighted: `[w, n]`, 0 at the start.
    """
    items, count = logits.shape
    part = np.empty(count, np.float32)
    peak[:] = -np.inf
    for item in range(items):
        for c in range(count):
            peak[c] = max(peak[c], logits[item, c] + correction[item])
    for w in range(len(weights)):
        for first in range(0, items, _PART):
            part[:] = 0
            for item in range(first, min(first + _PART, items)):
                for c in range(count):
                    part[c] += weights[w, item] * logits[item, c]
            for c in range(count):
                weighted[w, c] += part[c]
    for first in range(0, items, _PART):
        part[:] = 0
        for item in range(first, min(first + _PART, items)):
            for c in range(count):
                value = exp(logits[item, c] + correction[item] - peak[c])
                logits[item, c] = value
                part[c] += value
        for c in range(count):
            total[c] += part[c]


@compiled
def subtract_outer(block: Any, left: Any, right: Any) -> None:
    """Takes the products of `left` `[w, items]` and `right` `[w, n]` off a block `[items, n]`."""
    for item in range(len(block)):
        for w in range(len(left)):
            for c in range(block.shape[1]):
                block[item, c] -= left[w, item] * right[w, c]


@compiled
def subtract_evidence(block: Any, evidence: Any, times: Any) -> None:
    """Takes evidence `[items, n]` times `[n]` off a block `[items, n]`."""
    for item in range(len(block)):
        for c in range(block.shape[1]):
            block[item, c] -= read(evidence[item, c]) * times[c]


@compiled
def evidence_sums(logits: Any, evidence: Any, spoken: Any, value: Any) -> None:
    """Adds up evidence `[items, n]`, and its product with the logits, by target; both `[n]`, 0 at the start."""
    items, count = logits.shape
    part, other = np.empty(count, np.float32), np.empty(count, np.float32)
    for first in range(0, items, _PART):
        part[:], other[:] = 0, 0
        for item in range(first, min(first + _PART, items)):
            for c in range(count):
                part[c] += read(evidence[item, c])
                other[c] += read(evidence[item, c]) * logits[item, c]
        for c in range(count):
            spoken[c] += part[c]
            value[c] += other[c]


@compiled
def take_gradients(block: Any, low: Any, groups: Any, of_values: Any, dense: Any, of_gates: Any) -> None:
    """The gradients of what `add_parts` has added.

    Args:
        block: gradient of the logits, `[items, n]`.
        low: filled with the same, as the content is held.
        groups: int32 `[items, g]`, rows of `of_values`.
        of_values: `[rows, n]`, added to.
        dense: evidence `[r, items, n]`; ends as the gradient over 1 + evidence.
        of_gates: `[r, n]`, 0 at the start.
    """
    items, count = block.shape
    part = np.empty((len(dense), count), np.float32)
    for first in range(0, items, _PART):
        part[:] = 0
        for item in range(first, min(first + _PART, items)):
            row, copy = block[item], low[item]
            for c in range(count):
                copy[c] = rounded_as(copy[c], row[c])
            for k in range(groups.shape[1]):
                of_value = of_values[groups[item, k]]
                for c in range(count):
                    of_value[c] += row[c]
            for r in range(len(dense)):
                evidence, own = dense[r, item], part[r]
                for c in range(count):
                    scaled = ONE + read(evidence[c])
                    own[c] += row[c] * log(scaled)
                    evidence[c] = rounded_as(evidence[c], row[c] / scaled)
        for r in range(len(dense)):
            for c in range(count):
                of_gates[r, c] += part[r, c]


@compiled
def at_targets(logits: Any, items: Any, shares: Any, value: Any) -> None:
    """Adds shares `[n, w]` times the logits of items `[n, w]` to `value` `[n]`."""
    for c in range(len(items)):
        for w in range(items.shape[1]):
            value[c] += logits[items[c, w], c] * shares[c, w]


@compiled
def subtract_targets(block: Any, items: Any, shares: Any, total: Any) -> None:
    """Takes shares `[n, w]` times the total `[n]` off the block at items `[n, w]`."""
    for c in range(len(items)):
        for w in range(items.shape[1]):
            block[items[c, w], c] -= shares[c, w] * total[c]


@compiled
def add_table(total: Any, own: Any) -> None:
    """Adds a table `[items, d]` as the content is held to one in float32."""
    for item in range(len(total)):
        row, other = total[item], own[item]
        for c in range(len(row)):
            row[c] += read(other[c])
