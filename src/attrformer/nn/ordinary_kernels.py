"""Ordinary heads of attention, compiled by numba; imported where numba can be (`nn/relation_mix.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from attrformer.nn.attention_kernels import (
    PANEL,
    add_products,
    ask,
    compiled,
    copy_columns,
    copy_rows,
    of_logits,
    put,
    read_counts,
    weigh,
    whole,
)
from attrformer.nn.block_products import COLUMNS, ROWS
from attrformer.nn.number_kernels import ONE
from attrformer.nn.pair_values import LANES


@compiled
def _later(length: Any, size: Any) -> Any:
    """A bias of 0 for earlier positions and -inf for later ones, as `relation_head` reads it, `[l + p]`."""
    bias = np.zeros(length + size, np.float32)
    bias[length:] = -np.inf
    return bias


@compiled
def _put_times(rows: Any, scale: Any, out: Any) -> None:
    """The first rows and columns times the scale into `out`."""
    for n in range(len(out)):
        for c in range(out.shape[1]):
            out[n, c] = rows[n, c] * scale


@compiled
def ordinary_heads(
    pairs: Any, query: Any, key: Any, places: Any, lengths: Any, spoken: Any, out: Any, divisors: Any
) -> None:
    """What ordinary heads read, the scaled products of queries and keys in place of values.

    Args:
        pairs: int64 `[n]`, history times heads plus head: those that are computed.
        query: of the places, `[b, t, h, w]`.
        key: `[b, l, h, w]`.
        places: as for `relation_head`.
        lengths: as for `relation_head`.
        spoken: `[b, l, h, w]`.
        out: `[b, t, h, w]`, filled in.
        divisors: `[h, b, t]`, filled in as there.
    """
    heads, length, width = spoken.shape[2], spoken.shape[1], whole(spoken.shape[3], COLUMNS)
    size, scale = whole(length, LANES), ONE / np.sqrt(np.float32(spoken.shape[3]))
    panel, said, keys = (
        np.zeros((ROWS, size), np.float32),
        np.zeros((size, width), np.float32),
        np.zeros((width, size), np.float32),
    )
    # Loops over rows that may be the same memory are not made of vectors.
    logits = np.zeros((ROWS, size), np.float32)
    asked, found = np.zeros((ROWS, width), np.float32), np.zeros((ROWS, width), np.float32)
    counts, totals, bias = np.zeros(ROWS, np.int64), np.ones(ROWS, np.float32), _later(length, size)
    for pair in pairs:
        b, head = pair // heads, pair % heads
        copy_rows(spoken[b, :, head], lengths[b], said)
        said[lengths[b] :] = 0
        keys[:] = 0
        copy_columns(key[b, :, head], lengths[b], keys)
        for start in range(0, places.shape[1], ROWS):
            most = read_counts(places[b], lengths[b], start, counts)
            filled = whole(most, LANES)
            copy_rows(query[b, start:, head], min(ROWS, places.shape[1] - start), asked)
            logits[:, :filled] = 0
            add_products(logits, asked, keys, ROWS, filled, width)
            for r in range(ROWS):
                if counts[r]:
                    top, totals[r] = weigh(logits[r], bias[length - counts[r] :], scale, filled, panel[r])
                    divisors[head, b, start + r] = top + np.log(totals[r])
                else:
                    panel[r, :filled] = 0
            found[:] = 0
            add_products(found, panel, said, ROWS, width, most)
            put(found, counts, totals, start, out[b, :, head])


@compiled
def ordinary_gradients(
    pairs: Any,
    query: Any,
    key: Any,
    places: Any,
    lengths: Any,
    spoken: Any,
    out: Any,
    divisors: Any,
    back: Any,
    of_query: Any,
    of_key: Any,
    of_spoken: Any,
) -> None:
    """The gradients of `ordinary_heads`.

    Args:
        pairs: as for `ordinary_heads`, and so are the others up to the divisors, as that filled them in.
        query: `[b, t, h, w]`.
        key: `[b, l, h, w]`.
        places: int64 `[b, t]`.
        lengths: int64 `[b]`.
        spoken: `[b, l, h, w]`.
        out: `[b, t, h, w]`.
        divisors: `[h, b, t]`.
        back: gradient of `out`.
        of_query: `[b, t, h, w]`, filled in.
        of_key: `[b, l, h, w]`, filled in.
        of_spoken: `[b, l, h, w]`, filled in.
    """
    heads, length, inner = spoken.shape[2], spoken.shape[1], spoken.shape[3]
    width, size, scale = whole(inner, COLUMNS), whole(length, LANES), ONE / np.sqrt(np.float32(inner))
    many, wide, own_wide, kind = (PANEL, size), (size, width), (PANEL, width), np.float32
    weights, gradient, logits = np.zeros(many, kind), np.zeros(many, kind), np.zeros(many, kind)
    said, keys = np.zeros((width, size), kind), np.zeros((width, size), kind)
    of_said, of_keys, rows = np.zeros(wide, kind), np.zeros(wide, kind), np.zeros(wide, kind)
    asked, own, of_own = np.zeros(own_wide, kind), np.zeros(own_wide, kind), np.zeros(own_wide, kind)
    counts, means, bias = np.zeros(PANEL, np.int64), np.zeros(PANEL, np.float32), _later(length, size)
    for pair in pairs:
        b, head = pair // heads, pair % heads
        said[:], keys[:], of_said[:], of_keys[:] = 0, 0, 0, 0
        copy_columns(spoken[b, :, head], lengths[b], said)
        copy_columns(key[b, :, head], lengths[b], keys)
        copy_rows(key[b, :, head], lengths[b], rows)
        for start in range(0, places.shape[1], PANEL):
            there = min(PANEL, places.shape[1] - start)
            most = read_counts(places[b], lengths[b], start, counts)
            filled = whole(most, LANES)
            ask(back[b, :, head], out[b, :, head], start, counts, asked, means)
            copy_rows(query[b, start:, head], there, own)
            own[there:], of_own[:], gradient[:, :filled], logits[:, :filled] = 0, 0, 0, 0
            add_products(gradient, asked, said, PANEL, filled, width)
            add_products(logits, own, keys, PANEL, filled, width)
            for r in range(PANEL):
                if counts[r]:
                    by, divisor = bias[length - counts[r] :], divisors[head, b, start + r]
                    of_logits(logits[r], by, scale, divisor, means[r], filled, weights[r], gradient[r])
                else:
                    weights[r, :filled], gradient[r, :filled] = 0, 0
            add_products(of_said, weights.T, asked, most, width, PANEL)
            add_products(of_own, gradient, rows, PANEL, width, most)
            add_products(of_keys, gradient.T, own, most, width, PANEL)
            _put_times(of_own, scale, of_query[b, start : start + there, head])
        _put_times(of_said, ONE, of_spoken[b, :, head])
        _put_times(of_keys, scale, of_key[b, :, head])
