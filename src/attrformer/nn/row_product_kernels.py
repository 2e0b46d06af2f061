"""Products with rows of a table that are read where they lie, in bfloat16; where `block_products.PAIRS` holds.

A target reads the positions before it alone, so that a product ends there. `nn/column_parts.py` has the same by torch's
products of copies of the rows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.block_products import COLUMNS, ROWS, add_pairs, add_row_pairs
from attrformer.nn.number_kernels import compiled, read, rounded_as

_ITEMS: Final = 128
"""Items that are worked on together, a multiple of the rows of a block."""

_HALF: Final = np.uint32(16)


@compiled
def _pack(low: Any, high: Any, out: Any) -> None:
    """Two rows of bits as one of pairs."""
    for c in range(len(low)):
        out[c] = np.uint32(low[c]) | (np.uint32(high[c]) << _HALF)


@compiled
def _pairs(rows: Any, out: Any) -> None:
    """Rows `[s, t]` of bits as pairs, uint32 `[half s, w]`; an odd last one is paired with nothing."""
    nothing = np.zeros(rows.shape[1], np.uint16)
    for k in range((len(rows) + 1) // 2):
        _pack(rows[2 * k], rows[2 * k + 1] if 2 * k + 1 < len(rows) else nothing, out[k, : rows.shape[1]])


@compiled
def evidence(table: Any, named: Any, weights: Any, ends: Any, out: Any) -> None:
    """Rows added up with the weights of each target.

    Args:
        table: bits of bfloat16, uint16 `[rows, items]`.
        named: int64 `[b, s]`, rows of the positions of each history.
        weights: bits `[b, s, t]`.
        ends: int64 `[b, tiles]`, the positions that each `COLUMNS` targets may read.
        out: bits `[items, n]`, filled in; the columns after those of all targets with 0.
    """
    (batch, length), targets, items = named.shape, weights.shape[2], table.shape[1]
    half, wide = (length + 1) // 2, -(-targets // COLUMNS) * COLUMNS
    pairs, panel = np.zeros((half, wide), np.uint32), np.zeros((half, _ITEMS), np.uint32)
    found, nothing = np.empty((_ITEMS, wide), np.float32), np.zeros(items, np.uint16)
    out[:, batch * targets :] = 0
    for b in range(batch):
        _pairs(weights[b], pairs)
        last = (ends[b].max() + 1) // 2
        for item in range(0, items, _ITEMS):
            width = min(_ITEMS, items - item)
            for k in range(last):
                high = table[named[b, 2 * k + 1]] if 2 * k + 1 < length else nothing
                _pack(table[named[b, 2 * k], item : item + width], high[item : item + width], panel[k, :width])
            found[:] = 0
            for row in range(0, width, ROWS):
                for column in range(0, wide, COLUMNS):
                    add_pairs(found, panel.T, pairs, row, column, 0, (ends[b, column // COLUMNS] + 1) // 2)
            for i in range(width):
                own, sums = out[item + i, b * targets : (b + 1) * targets], found[i]
                for t in range(targets):
                    own[t] = rounded_as(own[t], sums[t])


@compiled
def of_weights(table: Any, named: Any, gradient: Any, ends: Any, out: Any) -> None:
    """The gradient of the weights of `evidence`, 0 at positions that no target of a tile may read.

    Args:
        table: as for `evidence`.
        named: int64 `[b, m]`, m the positions filled up to a multiple of `ROWS`.
        gradient: bits `[items, n]`.
        ends: as for `evidence`.
        out: float32 `[b, m, w]`, 0 at the start, w the targets filled up to a multiple of `COLUMNS`.
    """
    items, (batch, tiles) = table.shape[1], ends.shape
    targets = gradient.shape[1] // batch if batch else 0
    pairs = np.zeros((items // 2, out.shape[2]), np.uint32)
    for b in range(batch):
        _pairs(gradient[: items - items % 2, b * targets : (b + 1) * targets], pairs)
        for row in range(0, ends[b].max(), ROWS):
            for tile in range(tiles):
                if row < ends[b, tile]:
                    add_row_pairs(out[b], table, named[b], pairs, row, tile * COLUMNS, 0, items // 2)
        if items % 2:
            own = gradient[items - 1, b * targets : (b + 1) * targets]
            for s in range(ends[b].max()):
                value, row = read(table[named[b, s], items - 1]), out[b, s]
                for t in range(targets):
                    row[t] += value * read(own[t])
