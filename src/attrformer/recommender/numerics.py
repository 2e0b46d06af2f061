"""How the process computes while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

from attrformer.collector import left_alone
from attrformer.relations.threads import on_threads
from attrformer.training.device import keep_freed_memory

SMALL_LOG: Final = 1_000_000
"""Interactions up to which what counting frees is kept already, as in training: its pages would be asked for again and
again. With a large log counting takes most memory, and gives it back on the way."""


@contextmanager
def numerics(threads: int | None, device: torch.device, seed: int, interactions: int) -> Iterator[None]:
    """Threads, seed, collector and deterministic kernels for the time of training; the caller's are put back.

    Args:
        threads: of the options; None leaves them as they are.
        device: where the model is trained.
        seed: of torch's generator.
        interactions: that are trained on.
    """
    if interactions <= SMALL_LOG:
        keep_freed_memory()
    before, deterministic = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    filling = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with left_alone(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            if device.type == "cpu":
                # Gradients of embeddings are otherwise summed in whatever order the threads come.
                # The other call for it imports the compilers of torch, which takes a second.
                torch.set_deterministic_debug_mode("error")
                torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            torch.manual_seed(seed)
            with on_threads(torch.get_num_threads()):
                yield
        finally:
            torch.set_num_threads(before)
            torch.set_deterministic_debug_mode(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = filling  # type: ignore[attr-defined]
