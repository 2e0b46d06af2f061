"""Bands of the discrete Fourier transform over positions, as real matrices.

A history of l positions is read as N of them, zeros after its end. Whatever keeps some frequencies of N positions and
drops the others is linear and shifts with its input, so it is one N x N matrix whose entries depend on i - j alone,
and the part of it that real positions meet is its upper left corner: results do not depend on how far a batch is
padded, and histories are never padded to N.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def frequencies(length: int) -> int:
    """Different frequencies of a real signal of so many positions."""
    return length // 2 + 1


def band_projection(length: int, first: int, stop: int) -> Tensor:
    """Keeps the frequencies `first` to `stop - 1` of a real signal and drops the others.

    P[i, j] = 1/N sum over f of w_f cos(2 pi f (i - j) / N), with w_f = 2 for a frequency that comes in a pair f, N - f,
    and 1 for one that is its own pair.

    Args:
        length: N.
        first: lowest frequency that is kept.
        stop: first frequency above that is not, at most `frequencies(length)`.

    Returns:
        float32 `[N, N]`, symmetric.
    """
    frequency = torch.arange(first, stop, dtype=torch.float64)
    weight = torch.where((frequency == 0) | (2 * frequency == length), 1.0, 2.0)
    position = torch.arange(length)
    difference = (position.unsqueeze(1) - position).abs()
    angle = 2 * math.pi * frequency.unsqueeze(1) * torch.minimum(position, length - position) / length
    kernel = (weight.unsqueeze(1) * torch.cos(angle)).sum(0) / length
    return kernel[difference].float()


def lag_correlation(query: Tensor, key: Tensor, length: int) -> Tensor:
    """How well queries fit the keys that lie a lag before them, summed over positions and channels.

    R(tau) = sum over t of q_t . k_(t - tau), positions counted modulo N.

    Args:
        query: `[b, l, d]`, zeros where padded.
        key: `[b, l, d]`, zeros where padded.
        length: N, at least l.

    Returns:
        `[b, N]`.
    """
    count = query.shape[1]
    products = torch.nn.functional.pad(query @ key.transpose(1, 2), (0, length - count))
    lag = torch.arange(length, device=query.device)
    partner = (torch.arange(count, device=query.device).unsqueeze(1) - lag) % length
    return products.gather(2, partner.expand(len(query), -1, -1)).sum(1)


def at_lags(weights: Tensor, places: Tensor, count: int) -> Tensor:
    """Weights of lags as weights of positions: place t reads position t + tau, modulo N, with the weight of tau.

    Args:
        weights: `[b, N]`.
        places: int64 `[b, t]`, or `[1, t]` for the same places in every row.
        count: positions l that there are.

    Returns:
        `[b, t, l]`.
    """
    lag = (torch.arange(count, device=weights.device) - places.unsqueeze(2)) % weights.shape[1]
    lag = lag.expand(len(weights), -1, -1)
    return weights.gather(1, lag.flatten(1)).view(lag.shape)
