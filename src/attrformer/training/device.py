"""Where and in which precision to train."""

from __future__ import annotations

import time

import torch

from attrformer.errors import ConfigurationError


def choose_device(name: str) -> torch.device:
    """The device that a configuration asks for.

    Args:
        name: "auto", or a torch device such as "cpu", "cuda:1", "mps".

    Raises:
        ConfigurationError: where the device is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"training.device is '{name}', which cannot be used here. Try 'auto' or 'cpu'."
        ) from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type of the large products: bfloat16 where the device gains from it.

    Args:
        name: "auto", "float32" or "bfloat16".
        device: where they run. On a CPU, "auto" times both, since processors differ widely.
    """
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16
    if device.type != "cpu":
        return torch.float32
    seconds = {kind: _time_product(kind) for kind in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.6 * seconds[torch.float32] else torch.float32


def _time_product(kind: torch.dtype) -> float:
    left, right = torch.ones(256, 64, dtype=kind), torch.ones(64, 4096, dtype=kind)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return best
