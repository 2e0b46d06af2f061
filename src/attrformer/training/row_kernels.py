"""AdamW and the moving average for some rows of a table, compiled by numba; `training/lazy_rows.py` does the same.

Imported only where numba can be (`attrformer.compiled`). A row is read and written once, where each operation on its
own would copy all rows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.compiled import compiler

compiled: Final = compiler(fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)


@compiled
def _follow(own: Any, value: Any, kept: Any) -> None:
    """Lets an average follow a value, of which it keeps a share; written so that it stays as it is where that is 1."""
    new = _ONE - kept
    for c in range(len(own)):
        difference = value[c] - own[c]
        own[c] = own[c] + new * difference if new < _HALF else value[c] - kept * difference


@compiled
def refresh(items: Any, factors: Any, kept: Any, parameter: Any, mean: Any, square: Any, averaged: Any) -> None:
    """Brings rows up to date.

    Args:
        items: int64 `[n]`.
        factors: float32 `[3, n]`, by what moments, squares and values are multiplied.
        kept: float32 `[n]`, share that the moving average keeps.
        parameter: `[items, d]`.
        mean: same shape.
        square: same shape.
        averaged: same shape; `[0, d]` where there is none.
    """
    for n in range(len(items)):
        row = items[n]
        value, first, second = parameter[row], mean[row], square[row]
        for c in range(len(value)):
            first[c] *= factors[0, n]
            second[c] *= factors[1, n]
            value[c] *= factors[2, n]
        if len(averaged):
            _follow(averaged[row], value, kept[n])


@compiled
def move(items: Any, gradient: Any, options: Any, parameter: Any, mean: Any, square: Any) -> None:
    """One step of AdamW.

    Args:
        items: int64 `[n]`.
        gradient: `[n, d]`.
        options: float32 `[6]`: 1 - beta1, beta2, 1 - weight decay, rate over the correction of the moments, root of the
            correction of the squares, epsilon.
        parameter: `[items, d]`.
        mean: same shape.
        square: same shape.
    """
    of_mean, beta2, decay, rate, root, epsilon = options
    for n in range(len(items)):
        row, own = items[n], gradient[n]
        value, first, second = parameter[row], mean[row], square[row]
        for c in range(len(value)):
            first[c] += of_mean * (own[c] - first[c])
            second[c] = beta2 * second[c] + (_ONE - beta2) * own[c] * own[c]
            value[c] = decay * value[c] - rate * first[c] / (np.sqrt(second[c]) / root + epsilon)


@compiled
def average(items: Any, kept: Any, parameter: Any, averaged: Any) -> None:
    """Lets the moving averages of some rows follow.

    Args:
        items: int64 `[n]`.
        kept: float32, share of the average that is kept.
        parameter: `[items, d]`.
        averaged: same shape.
    """
    for n in range(len(items)):
        _follow(averaged[items[n]], parameter[items[n]], kept)
