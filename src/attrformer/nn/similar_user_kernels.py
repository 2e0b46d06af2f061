"""Passes over similar users and what they did next, compiled by numba.

Imported only where numba can be (`nn/similar_users.py`, `nn/neighbour_weights.py`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.nn.number_kernels import ZERO, compiled, exp, log
from attrformer.nn.prefetching import prefetch

_TOGETHER: Final = 64
"""Rows that are worked on together: their memory is asked for at once, and their terms added up apart."""

LEAST_SIMILARITY: Final = np.float32(1e-6)
"""Of less, the logarithm is that of this."""


@compiled
def read(positions: Any, owner: Any, rooms: Any, users: Any, following: Any) -> None:
    """Whose positions these are, and what was done right after them.

    Args:
        positions: int32 `[n]`, -1 for none.
        owner: int32, the user of each position.
        rooms: int32, items of all users, with room for h items of none after each user and in the end.
        users: int32 `[n]`, filled in; -1 for none.
        following: int32 `[n, h]`, filled in; -1 for none.
    """
    count, horizon = following.shape
    starts = np.empty(_TOGETHER, np.int64)
    for first in range(0, count, _TOGETHER):
        last = min(first + _TOGETHER, count)
        for n in range(last, min(last + _TOGETHER, count)):
            prefetch(owner, max(positions[n], 0))
        for n in range(first, last):
            position = np.int64(positions[n])
            user = np.int64(owner[position]) if position >= 0 else np.int64(-1)
            users[n], start = user, position + user * horizon + 1 if position >= 0 else len(rooms) - horizon
            prefetch(rooms, start)
            prefetch(rooms, start + horizon - 1)
            starts[n - first] = start
        for n in range(first, last):
            row, start = following[n], starts[n - first]
            for h in range(horizon):
                row[h] = rooms[start + h]


@compiled
def weigh(users: Any, similarity: Any, codes: Any, rows: Any, power: Any, weights: Any) -> None:
    """A softmax over similar users of a power of the similarity times what is said of pairs of attribute values.

    Args:
        users: int32 `[b, t, k]`, -1 for none.
        similarity: `[b, t, k]`.
        codes: int32 `[users, a]`, where in `rows` the value of each attribute stands.
        rows: `[b, v]`, logarithms of what counts for the user of each history, by value.
        power: `[1]`.
        weights: `[b, t, k]`, filled in; 0 throughout where there are no users.
    """
    batch, targets, count = users.shape
    logits = np.empty(count, np.float32)
    for b in range(batch):
        said = rows[b]
        for t in range(targets):
            own, out = users[b, t], weights[b, t]
            for k in range(count):
                logits[k] = power[0] * log(max(similarity[b, t, k], LEAST_SIMILARITY))
            peak = np.float32(-np.inf)
            for k in range(count):
                if own[k] >= 0:
                    for a in range(codes.shape[1]):
                        logits[k] += said[codes[own[k], a]]
                    peak = max(peak, logits[k])
            total = ZERO
            for k in range(count):
                out[k] = exp(min(logits[k] - peak, ZERO))
            for k in range(count):
                out[k] = out[k] if own[k] >= 0 else ZERO
                total += out[k]
            for k in range(count):
                out[k] /= max(total, LEAST_SIMILARITY)


@compiled
def weight_gradients(
    users: Any, similarity: Any, codes: Any, weights: Any, gradient: Any, of_rows: Any, of_power: Any
) -> None:
    """The gradients of what `weigh` reads.

    Args:
        users: as for `weigh`.
        similarity: as for `weigh`.
        codes: as for `weigh`.
        weights: what `weigh` gave.
        gradient: of these, `[b, t, k]`.
        of_rows: `[b, v]`, 0 at the start.
        of_power: `[1]`, 0 at the start.
    """
    batch, targets, count = users.shape
    logs = np.empty(count, np.float32)
    for b in range(batch):
        of_said, of_history = of_rows[b], ZERO
        for t in range(targets):
            own, mean, of_target = users[b, t], ZERO, ZERO
            for k in range(count):
                mean += weights[b, t, k] * gradient[b, t, k]
            for k in range(count):
                logs[k] = log(max(similarity[b, t, k], LEAST_SIMILARITY))
            for k in range(count):
                of_logit = weights[b, t, k] * (gradient[b, t, k] - mean)
                of_target += of_logit * logs[k]
                if own[k] >= 0:
                    for a in range(codes.shape[1]):
                        of_said[codes[own[k], a]] += of_logit
            of_history += of_target
        of_power[0] += of_history


@compiled
def spread(following: Any, weights: Any, steps: Any, items: Any, entries: Any) -> None:
    """Entries of items whose weight is that of a user times that of a step.

    Args:
        following: int32 `[n, h]`, -1 for none.
        weights: `[n]`.
        steps: `[h]`.
        items: int32 `[n, h]`, filled in; 0 for none.
        entries: `[n, h]`, filled in; 0 for none.
    """
    for n in range(len(following)):
        for h in range(len(steps)):
            item = following[n, h]
            items[n, h] = max(item, 0)
            entries[n, h] = weights[n] * steps[h] if item >= 0 else ZERO


@compiled
def spread_gradients(following: Any, weights: Any, steps: Any, gradient: Any, of_weights: Any, of_steps: Any) -> None:
    """The gradients of what `spread` reads.

    Args:
        following: as for `spread`.
        weights: as for `spread`.
        steps: as for `spread`.
        gradient: of the entries, `[n, h]`.
        of_weights: `[n]`, filled in.
        of_steps: `[h]`, 0 at the start.
    """
    part = np.empty(len(steps), np.float32)
    for first in range(0, len(following), _TOGETHER):
        part[:] = 0
        for n in range(first, min(first + _TOGETHER, len(following))):
            total = ZERO
            for h in range(len(steps)):
                own = gradient[n, h] if following[n, h] >= 0 else ZERO
                total += own * steps[h]
                part[h] += own * weights[n]
            of_weights[n] = total
        for h in range(len(steps)):
            of_steps[h] += part[h]
