"""Passes over the weights of relation heads, compiled by numba; imported where numba can be (`nn/relation_mix.py`).

A row is worked on in a buffer that is filled up to whole lanes, so that no loop has a rest that is computed one by one;
what lies behind the row has a bias of -inf there. Sums are made in an order that depends on the length alone.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.compiled import compiler
from attrformer.nn.number_kernels import ONE, exp

LANES: Final = 64
"""Positions of a row are filled up to a multiple of so many."""

_NONE: Final = np.float32(0)
_NOTHING: Final = np.float32(-np.inf)

_compiled: Final = compiler(fastmath={"contract", "nsz", "arcp", "reassoc", "nnan"}, error_model="numpy")


@_compiled
def head_weights(
    values: Any, places: Any, lengths: Any, temperature: Any, bias: Any, weights: Any, divisors: Any
) -> None:
    """The weights of one head: a softmax, over the positions up to the place, of values times temperature plus bias.

    Args:
        values: `[b, l, l]`.
        places: int64 `[b, t]`.
        lengths: int64 `[b]`, positions before padding; a place behind them weighs nothing.
        temperature: float32.
        bias: `[l + LANES]`, at k that of the distance l - 1 - k, then -inf.
        weights: `[b, t, l]`, filled in; 0 behind the place.
        divisors: `[b, t]`, filled with the logarithm of what the exponentials were divided by.
    """
    length = values.shape[1]
    row = np.zeros(-(-length // LANES) * LANES, np.float32)
    for b in range(len(places)):
        for t in range(places.shape[1]):
            count, out = places[b, t] + 1, weights[b, t]
            if count > lengths[b]:
                out[:] = 0
                continue
            filled = -(-count // LANES) * LANES
            own, by = values[b, count - 1], bias[length - count :]
            for s in range(count):
                row[s] = own[s]
            top, total = _NOTHING, _NONE
            for s in range(filled):
                logit = row[s] * temperature + by[s]
                row[s] = logit
                top = max(top, logit)
            for s in range(filled):
                value = exp(row[s] - top)
                row[s] = value
                total += value
            scale = ONE / total
            for s in range(count):
                out[s] = row[s] * scale
            out[count:] = 0
            divisors[b, t] = top + np.log(total)


@_compiled
def head_gradients(
    values: Any,
    places: Any,
    lengths: Any,
    temperature: Any,
    bias: Any,
    divisors: Any,
    means: Any,
    weights: Any,
    of_temperature: Any,
    of_bias: Any,
    of_values: Any,
) -> None:
    """The gradients of `head_weights`, which are made once more.

    Args:
        values: as for `head_weights`, and so are places, lengths, temperature and bias.
        places: int64 `[b, t]`.
        lengths: int64 `[b]`.
        temperature: float32.
        bias: `[l + LANES]`.
        divisors: `[b, t]`, as `head_weights` gave them.
        means: `[b, t]`, sums of the weights times their gradients.
        weights: `[b, t, l]`, the gradients of the weights; ends as the weights.
        of_temperature: `[b]`, added to.
        of_bias: `[b, l]`, added to; in the order of `bias`.
        of_values: `[b, l, l]`, added to; nothing where the first is of size 0.
    """
    length = values.shape[1]
    row = np.zeros(-(-length // LANES) * LANES, np.float32)
    gradient = np.zeros_like(row)
    for b in range(len(places)):
        for t in range(places.shape[1]):
            count, out = places[b, t] + 1, weights[b, t]
            if count > lengths[b]:
                out[:] = 0
                continue
            filled = -(-count // LANES) * LANES
            own, by = values[b, count - 1], bias[length - count :]
            mean, divisor = means[b, t], divisors[b, t]
            for s in range(count):
                row[s], gradient[s] = own[s], out[s]
            total = _NONE
            for s in range(filled):
                weight = exp(min(row[s] * temperature + by[s] - divisor, _NONE))
                of_logit = weight * (gradient[s] - mean)
                total += of_logit * row[s]
                row[s], gradient[s] = weight, of_logit
            of_temperature[b] += total
            into = of_bias[b, length - count :]
            for s in range(count):
                out[s] = row[s]
                into[s] += gradient[s]
            out[count:] = 0
            if len(of_values):
                into = of_values[b, count - 1]
                for s in range(count):
                    into[s] += temperature * gradient[s]
