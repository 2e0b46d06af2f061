"""What stands in `nn/pair_values.py`, compiled by numba. Imported only where numba can be (`attrformer.compiled`).

Results are `[b, l, p]`, 0 behind the position of each row.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.number_kernels import ONE, ZERO, compiled, exp, log

_LANES: Final = 64


@compiled
def _log_row(row: Any, count: Any, scale: Any) -> None:
    """The first values of a row become log(1 + scale times them), and the others 0."""
    row[count:] = 0
    for s in range(-(-count // _LANES) * _LANES):
        row[s] = log(ONE + scale * row[s])


@compiled
def rows_logs(table: Any, rows: Any, items: Any, scale: Any, out: Any) -> None:
    """See `pair_values.of_rows`."""
    factor = np.float32(scale)
    for b in range(len(rows)):
        for t in range(rows.shape[1]):
            own, row, at = table[rows[b, t]], out[b, t], items[b]
            for s in range(t + 1):
                row[s] = own[at[s]]
            _log_row(row, t + 1, factor)


@compiled
def slots_logs(profiles: Any, codes: Any, weights: Any, scale: Any, out: Any) -> None:
    """See `pair_values.of_slots`."""
    factor = np.float32(scale)
    for b in range(len(codes)):
        for t in range(codes.shape[1]):
            own, row, at, weight = profiles[b, t], out[b, t], codes[b], weights[b]
            for s in range(t + 1):
                row[s] = own[at[s]] * weight[s]
            _log_row(row, t + 1, factor)


@compiled
def _of_log(value: Any, gradient: Any, scale: Any) -> Any:
    """Gradient of x from that of log(1 + scale x), which is at least 0."""
    return gradient * scale * exp(-value)


@compiled
def slots_gradients(scale: Any, codes: Any, weights: Any, out: Any, gradient: Any, of_profiles: Any) -> None:
    """The gradient of the profiles of `slots_logs`, added to `of_profiles`, from its result and the gradient of it."""
    factor, row = np.float32(scale), np.empty(out.shape[2], np.float32)
    for b in range(len(codes)):
        for t in range(codes.shape[1]):
            own, value, at, weight, into = gradient[b, t], out[b, t], codes[b], weights[b], of_profiles[b, t]
            for s in range(t + 1):
                row[s] = _of_log(value[s], own[s], factor) * weight[s]
            for s in range(t + 1):
                into[at[s]] += row[s]


@compiled
def logs(values: Any, scale: Any, out: Any) -> None:
    """log(1 + scale times values `[b, l, l]`)."""
    factor = np.float32(scale)
    for b in range(len(values)):
        for t in range(values.shape[1]):
            own, row = values[b, t], out[b, t]
            for s in range(t + 1):
                row[s] = own[s]
            _log_row(row, t + 1, factor)


@compiled
def of_logs(out: Any, gradient: Any, scale: Any, of_values: Any) -> None:
    """The gradient of the values of `logs` `[b, l, l]`, filled in, from its result and the gradient of it."""
    factor = np.float32(scale)
    for b in range(len(out)):
        for t in range(out.shape[1]):
            own, value, row = gradient[b, t], out[b, t], of_values[b, t]
            for s in range(t + 1):
                row[s] = _of_log(value[s], own[s], factor)
            row[t + 1 :] = 0


@compiled
def named(values: Any, buckets: Any, out: Any) -> None:
    """Values `[n]` by bucket, int64 `[b, l, l]`."""
    for b in range(len(out)):
        for t in range(out.shape[1]):
            own, row = buckets[b, t], out[b, t]
            row[t + 1 :] = 0
            for s in range(t + 1):
                row[s] = values[own[s]]


@compiled
def named_gradients(buckets: Any, gradient: Any, of_values: Any) -> None:
    """The gradient of the values of `named`, added to float64 `[n]`."""
    for b in range(len(buckets)):
        for t in range(buckets.shape[1]):
            own, at = gradient[b, t], buckets[b, t]
            total, last = ZERO, at[0]
            for s in range(t + 1):
                # Neighbours often are of one bucket, which is not to wait for itself.
                if at[s] != last:
                    of_values[last] += total
                    total, last = ZERO, at[s]
                total += own[s]
            of_values[last] += total
