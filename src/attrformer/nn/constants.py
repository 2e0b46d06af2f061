"""Small constants as tensors, so that a step on an accelerator copies nothing from the host."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

Numbers = tuple[int, ...] | tuple[bool, ...]


def constant(values: Numbers, device: torch.device) -> Tensor:
    """A tensor of fixed numbers, `[n]`, which nobody may write to.

    Args:
        values: whole numbers or truth values.
        device: where it is read; on an accelerator it is made once.
    """
    # On a CPU it costs nothing to make, and a model that is being exported must not leave its own tensors behind.
    return torch.tensor(values) if device.type == "cpu" else _kept(values, device)


@lru_cache
def _kept(values: Numbers, device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)
