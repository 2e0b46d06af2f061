"""Linear layers of many positions in a step that may round, in whichever of torch's operations is the faster one."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What `F.linear` gives, but for rounding, as a convolution of single positions.

    On a CPU, torch has the one computed by MKL, which uses half of the width of AMD's vectors, and the other by oneDNN.

    Args:
        values: float32 `[b, l, d]`.
        weight: `[n, d]`.
        bias: `[n]`, or None.

    Returns:
        `[b, l, n]`.
    """
    if not torch.is_grad_enabled():
        return product(values, weight, bias)
    if len(values) == 1:
        # A single image is not given to oneDNN.
        return F.linear(values, weight, bias)
    image = values.unsqueeze(2).permute(0, 3, 1, 2)
    return F.conv2d(image, weight[:, :, None, None], bias).permute(0, 2, 3, 1).squeeze(2)


def applied(layer: nn.Linear, values: Tensor) -> Tensor:
    """`linear` with weight and bias of a layer."""
    return linear(values, layer.weight, layer.bias)


LARGE: Final = 1 << 23
"""Weights of which oneDNN's own copy would take much memory."""


def product(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What `F.linear` gives, but for rounding, without a gradient.

    Args:
        values: float32 `[..., d]`.
        weight: `[n, d]`.
        bias: `[n]`, or None.

    Returns:
        `[..., n]`.
    """
    # The operation of oneDNN itself, in less than half of MKL's time on AMD. It is internal to torch, and not in every
    # build.
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if weight.numel() > LARGE or not there or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return F.linear(values, weight, bias)
    found: Tensor = torch.ops.mkldnn._linear_pointwise(values.contiguous(), weight.contiguous(), bias, "none", [], "")
    return found
