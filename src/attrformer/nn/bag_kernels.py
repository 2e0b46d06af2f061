"""Weighted sums of rows and their gradients, compiled by numba. Imported only where numba can be (`nn/bags.py`)."""

from __future__ import annotations

from typing import Any, Final

from attrformer.compiled import compiler
from attrformer.nn.number_kernels import ONE, ZERO, compiled

summing: Final = compiler(fastmath={"contract", "nsz", "arcp", "reassoc"}, error_model="numpy")
"""Sums are made of vectors, in another order."""


@summing
def gradients(rows: Any, table: Any, weights: Any, gradient: Any, of_table: Any, of_weights: Any) -> None:
    """Gradients of weighted sums.

    Args:
        rows: int32 or int64 `[n, k]`.
        table: `[m, d]`.
        weights: `[n, k]`.
        gradient: of the sums, `[n, d]`.
        of_table: `[m, d]`, added to; `[0, d]` where nobody asks.
        of_weights: `[n, k]`, filled in; `[0, k]` where nobody asks.
    """
    for n in range(len(rows)):
        own = gradient[n]
        for k in range(rows.shape[1]):
            row, weight = rows[n, k], weights[n, k]
            if len(of_table) and weight != 0:
                of_row = of_table[row]
                for c in range(len(own)):
                    of_row[c] += weight * own[c]
            if len(of_weights):
                other, total = table[row], ZERO
                for c in range(len(own)):
                    total += own[c] * other[c]
                of_weights[n, k] = total


@compiled
def shares(rows: Any, share: Any, out: Any) -> None:
    """`share` for rows `[n, d]` that are 0 throughout and 1 for others, into `out` `[n]`."""
    for n in range(len(rows)):
        out[n] = ONE if rows[n].any() else share


@compiled
def add_values(out: Any, items: Any, each: Any, codes: Any, weights: Any, embedding: Any) -> None:
    """Adds embeddings of the values of some items.

    Args:
        out: `[n, d]`, added to.
        items: int64 `[n]`.
        each: `[n]`, by what all weights of an item are multiplied.
        codes: int64 `[items, k]`, values.
        weights: `[items, k]`.
        embedding: `[values, d]`.
    """
    for n in range(len(items)):
        row = out[n]
        for k in range(codes.shape[1]):
            weight, value = weights[items[n], k] * each[n], embedding[codes[items[n], k]]
            if weight != 0:
                for c in range(len(row)):
                    row[c] += weight * value[c]


@compiled
def add_to_values(gradient: Any, items: Any, each: Any, codes: Any, weights: Any, of_embedding: Any) -> None:
    """Gradients of the embeddings of `add_values`.

    Args:
        gradient: of its result, `[n, d]`.
        items: as for `add_values`.
        each: as for `add_values`.
        codes: as for `add_values`.
        weights: as for `add_values`.
        of_embedding: `[values, d]`, added to.
    """
    for n in range(len(items)):
        own = gradient[n]
        for k in range(codes.shape[1]):
            weight, value = weights[items[n], k] * each[n], of_embedding[codes[items[n], k]]
            if weight != 0:
                for c in range(len(own)):
                    value[c] += weight * own[c]
