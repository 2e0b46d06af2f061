"""Products of a block of logits with a few rows over the items, compiled by numba.

Imported only where numba can be (`nn/column_loss.py`). Columns are a multiple of those of `nn/block_products.py`.
"""

from __future__ import annotations

from typing import Any

from attrformer.nn.block_products import COLUMNS, ROWS, add_product
from attrformer.nn.number_kernels import compiled


@compiled
def add_outer(block: Any, rows: Any, columns: Any) -> None:
    """Adds products of rows `[k, items]` and columns `[k, n]` to a block `[items, n]`."""
    whole = len(block) - len(block) % ROWS
    for item in range(0, whole, ROWS):
        for column in range(0, block.shape[1], COLUMNS):
            add_product(block, rows.T, columns, item, column, 0, len(rows))
    for item in range(whole, len(block)):
        for k in range(len(rows)):
            for c in range(block.shape[1]):
                block[item, c] += rows[k, item] * columns[k, c]


@compiled
def product(rows: Any, block: Any, out: Any) -> None:
    """Adds products of rows `[k, items]`, k a multiple of `ROWS`, and a block `[items, n]` to `out` `[k, n]`."""
    for row in range(0, len(rows), ROWS):
        for column in range(0, block.shape[1], COLUMNS):
            add_product(out, rows, block, row, column, 0, len(block))
