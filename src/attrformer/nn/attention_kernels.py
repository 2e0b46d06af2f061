"""Heads of attention, compiled by numba; imported where numba can be (`nn/relation_mix.py`).

One head of one history at a time: some rows of its weights fill a buffer that stays in the cache, up to the last
position that they may read. What lies behind a row in the buffer has a bias of -inf. Sums are made in an order that
depends on the length alone.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.compiled import compiler
from attrformer.nn.block_products import COLUMNS, ROWS, add_product
from attrformer.nn.number_kernels import LEAST, ZERO, exp, ordered
from attrformer.nn.pair_values import LANES

PANEL: Final = 16
"""Rows of weights that are worked on together, a multiple of those of a block."""

_LEAST: Final = np.int32(-(1 << 31))

compiled: Final = compiler(fastmath={"contract", "nsz", "arcp", "reassoc"}, error_model="numpy")


@compiled
def whole(width: Any, grain: Any) -> Any:
    """A width filled up to a multiple of the grain."""
    return -(-width // grain) * grain


@compiled
def read_counts(places: Any, length: Any, start: Any, counts: Any) -> Any:
    """How many positions each of some places may read, none behind the length, into `counts`; the most of them."""
    most = 0
    for r in range(len(counts)):
        counts[r] = 0
        if start + r < len(places) and places[start + r] < length:
            counts[r] = places[start + r] + 1
            most = max(most, counts[r])
    return most


@compiled
def copy_rows(rows: Any, count: Any, out: Any) -> None:
    """The first rows `[n, w]` into `out`."""
    for n in range(count):
        own, row = rows[n], out[n]
        for c in range(len(own)):
            row[c] = own[c]


@compiled
def copy_columns(rows: Any, count: Any, out: Any) -> None:
    """The first rows `[n, w]` into `out` as columns."""
    for c in range(rows.shape[1]):
        row = out[c]
        for n in range(count):
            row[n] = rows[n, c]


@compiled
def add_products(out: Any, left: Any, right: Any, rows: Any, columns: Any, terms: Any) -> None:
    """Adds a product of left and right to the first rows and columns of `out`, all in whole blocks."""
    for row in range(0, rows, ROWS):
        for column in range(0, columns, COLUMNS):
            add_product(out, left, right, row, column, 0, terms)


@compiled
def weigh(own: Any, by: Any, temperature: Any, filled: Any, row: Any) -> Any:
    """Exponentials of own times temperature plus bias less the largest of these, into `row`; what divides them."""
    most, total = _LEAST, ZERO
    for s in range(filled):
        logit = np.float32(own[s] * temperature + by[s])
        row[s] = logit
        most = max(most, ordered(logit.view(np.int32)))
    top = np.int32(ordered(most)).view(np.float32)
    for s in range(filled):
        logit = row[s] - top
        # What is not a number is to be seen in the loss.
        value = ZERO if logit <= LEAST else exp(logit)
        row[s] = value
        total += value
    return top, total


@compiled
def of_logits(
    own: Any, by: Any, temperature: Any, divisor: Any, mean: Any, filled: Any, row: Any, gradient: Any
) -> Any:
    """The weights once more, into `row`, and gradients of logits from those of weights; that of the temperature."""
    total = ZERO
    for s in range(filled):
        logit = own[s] * temperature + by[s] - divisor
        weight = ZERO if logit <= LEAST else exp(min(logit, ZERO))
        of_logit = weight * (gradient[s] - mean)
        total += of_logit * own[s]
        row[s] = weight
        gradient[s] = of_logit
    return total


@compiled
def put(found: Any, counts: Any, divisors: Any, start: Any, out: Any) -> None:
    """Rows over their divisors into `out` from a place on, 0 where nothing was read."""
    for r in range(min(len(counts), len(out) - start)):
        row = out[start + r]
        for c in range(len(row)):
            row[c] = found[r, c] / divisors[r] if counts[r] else ZERO


@compiled
def relation_head(
    head: Any,
    rows: Any,
    values: Any,
    places: Any,
    lengths: Any,
    temperature: Any,
    bias: Any,
    spoken: Any,
    out: Any,
    divisors: Any,
) -> None:
    """What a relation head reads: a softmax, over the positions up to the place, of values times temperature plus bias.

    Args:
        head: its number.
        rows: int64 `[n]`, the histories that are computed.
        values: `[b, l, p]`, p a multiple of `LANES`.
        places: int64 `[b, t]`.
        lengths: int64 `[b]`, positions before padding; a place behind them reads nothing.
        temperature: `[r]`.
        bias: `[r, l + p]`, at k that of the distance l - 1 - k, then -inf.
        spoken: `[b, l, r, w]`.
        out: `[b, t, r, w]`, filled in.
        divisors: `[r, b, t]`, filled with the logarithm of what the exponentials were divided by.
    """
    length, width = spoken.shape[1], whole(spoken.shape[3], COLUMNS)
    panel, said = np.zeros((ROWS, values.shape[2]), np.float32), np.zeros((values.shape[2], width), np.float32)
    found, counts, totals = np.zeros((ROWS, width), np.float32), np.zeros(ROWS, np.int64), np.ones(ROWS, np.float32)
    for b in rows:
        copy_rows(spoken[b, :, head], lengths[b], said)
        said[lengths[b] :] = 0
        for start in range(0, places.shape[1], ROWS):
            most = read_counts(places[b], lengths[b], start, counts)
            filled = whole(most, LANES)
            for r in range(ROWS):
                count = counts[r]
                if count:
                    own, by = values[b, count - 1], bias[head, length - count :]
                    top, totals[r] = weigh(own, by, temperature[head], filled, panel[r])
                    divisors[head, b, start + r] = top + np.log(totals[r])
                else:
                    panel[r, :filled] = 0
            found[:] = 0
            add_products(found, panel, said, ROWS, width, most)
            put(found, counts, totals, start, out[b, :, head])


@compiled
def relation_gradients(
    head: Any,
    rows: Any,
    values: Any,
    places: Any,
    lengths: Any,
    temperature: Any,
    bias: Any,
    spoken: Any,
    out: Any,
    divisors: Any,
    back: Any,
    of_temperature: Any,
    of_bias: Any,
    of_values: Any,
    of_spoken: Any,
) -> None:
    """The gradients of `relation_head`, whose weights are made once more.

    Args:
        head: as for `relation_head`, and so are the others up to the divisors, as that filled them in.
        rows: int64 `[n]`.
        values: `[b, l, p]`.
        places: int64 `[b, t]`.
        lengths: int64 `[b]`.
        temperature: `[r]`.
        bias: `[r, l + p]`.
        spoken: `[b, l, r, w]`.
        out: `[b, t, r, w]`.
        divisors: `[r, b, t]`.
        back: gradient of `out`.
        of_temperature: `[r, b]`, added to.
        of_bias: `[r, b, l + p]`, added to; in the order of `bias`.
        of_values: `[b, l, p]`, added to; nothing where the first is of size 0.
        of_spoken: `[b, l, r, w]`, filled in.
    """
    length, width, size = spoken.shape[1], whole(spoken.shape[3], COLUMNS), values.shape[2]
    weights, gradient = np.zeros((PANEL, size), np.float32), np.zeros((PANEL, size), np.float32)
    said, of_said = np.zeros((width, size), np.float32), np.zeros((size, width), np.float32)
    asked, counts, means = np.zeros((PANEL, width), np.float32), np.zeros(PANEL, np.int64), np.zeros(PANEL, np.float32)
    for b in rows:
        said[:] = 0
        copy_columns(spoken[b, :, head], lengths[b], said)
        of_said[:] = 0
        for start in range(0, places.shape[1], PANEL):
            most = read_counts(places[b], lengths[b], start, counts)
            filled = whole(most, LANES)
            ask(back[b, :, head], out[b, :, head], start, counts, asked, means)
            gradient[:, :filled] = 0
            add_products(gradient, asked, said, PANEL, filled, width)
            for r in range(PANEL):
                count = counts[r]
                if not count:
                    weights[r, :filled] = 0
                    continue
                own, by, row = values[b, count - 1], bias[head, length - count :], gradient[r]
                divisor = divisors[head, b, start + r]
                of_temperature[head, b] += of_logits(
                    own, by, temperature[head], divisor, means[r], filled, weights[r], row
                )
                into = of_bias[head, b, length - count :]
                for s in range(filled):
                    into[s] += row[s]
                if len(of_values):
                    into = of_values[b, count - 1]
                    for s in range(filled):
                        into[s] += temperature[head] * row[s]
            add_products(of_said, weights.T, asked, most, width, PANEL)
        copy_rows(of_said[:, : spoken.shape[3]], length, of_spoken[b, :, head])


@compiled
def ask(back: Any, out: Any, start: Any, counts: Any, asked: Any, means: Any) -> None:
    """Gradients of some places, 0 where nothing was read, and their products with what was."""
    for r in range(len(counts)):
        asked[r] = 0
        means[r] = 0
        if counts[r]:
            own, found, total = back[start + r], out[start + r], ZERO
            for c in range(len(own)):
                asked[r, c] = own[c]
                total += own[c] * found[c]
            means[r] = total
