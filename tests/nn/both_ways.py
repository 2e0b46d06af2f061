"""A result and its gradients by plain operations and by compiled passes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attrformer.compiled import rounding


def both_ways(parameters: list[nn.Parameter], make: Callable[[], Tensor]) -> list[list[Tensor]]:
    """The result and the gradients of parameters, plain and compiled."""
    found, weights = [], None
    for compiled in (False, True):
        with rounding(compiled):
            out = make()
        weights = torch.randn(out.shape) if weights is None else weights
        found.append([out.detach(), *torch.autograd.grad((out * weights).sum(), parameters)])
    return found
