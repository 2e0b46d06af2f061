"""Blocks of work shared out among the CPU threads that torch was told to use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Work = TypeVar("Work")


def for_each(run: Callable[[Work], None], work: Sequence[Work]) -> None:
    """Runs a function on every piece of work, on several threads where there are; the order is not fixed.

    Args:
        run: works on one piece, and touches nothing that another piece does.
        work: pieces.
    """
    threads = min(torch.get_num_threads(), len(work))
    if threads <= 1:
        for piece in work:
            run(piece)
        return
    with ThreadPoolExecutor(threads, "attrformer-counting") as pool:
        for _ in pool.map(run, work):
            pass
