"""What stands in `nn/projection.py`, compiled by numba. Imported only where numba can be (`attrformer.compiled`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from attrformer.nn.bag_kernels import summing
from attrformer.nn.number_kernels import ZERO


@summing
def _row(codes: Any, weights: Any, across: Any, diagonal: Any, reduced: Any, row: Any) -> None:
    """phi^T (diag(s) + left right^T) of one item, `[values]`, into `row`; `reduced` is phi^T left."""
    row[:] = 0
    for r in range(len(reduced)):
        factor, own = reduced[r], across[r]
        for v in range(len(row)):
            row[v] += factor * own[v]
    for k in range(len(codes)):
        row[codes[k]] += weights[k] * diagonal[codes[k]]


@summing
def project(codes: Any, weights: Any, left: Any, across: Any, diagonal: Any, reduced: Any, out: Any) -> None:
    """max(0, phi^T (diag(s) + left right^T)) of items.

    Args:
        codes: int64 `[n, k]`.
        weights: `[n, k]`.
        left: `[values, r]`.
        across: right, transposed, `[r, values]`.
        diagonal: s, `[values]`.
        reduced: `[n, r]`, filled with phi^T left.
        out: `[n, values]`, filled in.
    """
    for n in range(len(codes)):
        reduced[n] = 0
        for k in range(codes.shape[1]):
            for r in range(reduced.shape[1]):
                reduced[n, r] += weights[n, k] * left[codes[n, k], r]
        row = out[n]
        _row(codes[n], weights[n], across, diagonal, reduced[n], row)
        for v in range(len(row)):
            row[v] = max(row[v], ZERO)


@summing
def gradients(
    codes: Any,
    weights: Any,
    across: Any,
    diagonal: Any,
    reduced: Any,
    gradient: Any,
    of_left: Any,
    of_across: Any,
    of_diagonal: Any,
) -> None:
    """The gradients of `project`; at exactly 0, where the low-rank part starts, they are passed on.

    Args:
        codes: as for `project`, and so are weights, across, diagonal and reduced.
        weights: `[n, k]`.
        across: `[r, values]`.
        diagonal: `[values]`.
        reduced: `[n, r]`.
        gradient: of the result, `[n, values]`.
        of_left: `[values, r]`, added to.
        of_across: `[r, values]`, added to.
        of_diagonal: `[values]`, added to.
    """
    row = np.empty(gradient.shape[1], np.float32)
    for n in range(len(codes)):
        _row(codes[n], weights[n], across, diagonal, reduced[n], row)
        own = gradient[n]
        for v in range(len(row)):
            row[v] = own[v] if row[v] >= ZERO else ZERO
        for r in range(reduced.shape[1]):
            factor, by, into, total = reduced[n, r], across[r], of_across[r], ZERO
            for v in range(len(row)):
                into[v] += factor * row[v]
                total += row[v] * by[v]
            for k in range(codes.shape[1]):
                of_left[codes[n, k], r] += weights[n, k] * total
        for k in range(codes.shape[1]):
            of_diagonal[codes[n, k]] += weights[n, k] * row[codes[n, k]]
