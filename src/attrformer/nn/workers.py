"""Blocks shared out among CPU threads.

A block's operations are short, so threads that split each operation spend their time waiting for each other. Threads
that take whole blocks do not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Work = TypeVar("Work")
Result = TypeVar("Result")


def each_share(run: Callable[[list[Work]], Result], work: list[Work], device: torch.device) -> list[Result]:
    """Runs shares of some work, one for each CPU thread of torch; on other devices all of it at once.

    Which share a piece falls into depends on the number of threads alone, so results are the same from run to run.

    Args:
        run: does one share.
        work: the pieces.
        device: where the tensors lie.

    Returns:
        The result of each share, in order.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1 or len(work) < 2 * threads:
        return [run(work)]
    return list(_pool(threads).map(run, [work[start::threads] for start in range(threads)]))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "attrformer-block", initializer=_take_one_thread)


def _take_one_thread() -> None:
    # Until torch has read the number in a thread, one that any other thread sets takes the place of its own
    # (findings/torch_threads_of_a_thread.sh), and products differ in their last bits.
    torch.get_num_threads()
    torch.set_num_threads(1)
