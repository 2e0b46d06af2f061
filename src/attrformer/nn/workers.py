"""Blocks shared out among CPU threads.

A block's operations are short, so threads that split each operation spend their time waiting for each other. Threads
that take whole blocks do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, TypeVar

import torch

Work = TypeVar("Work")
Result = TypeVar("Result")

SPLIT_ELEMENTS: Final = 1 << 17
"""Elements of the states of a batch from which on threads gain from splitting operations on them."""

_SHARES: Final[ContextVar[int]] = ContextVar("shares", default=0)


@contextmanager
def whole_operations(wanted: bool) -> Iterator[None]:
    """Lets no operation of torch be split among threads until the end of the block; work is shared out as before.

    Threads that split operations wait for each other at each of them, and go on waiting for the next one while others
    take shares.

    Args:
        wanted: whether that is so; else nothing changes.
    """
    threads = torch.get_num_threads()
    if not wanted or threads == 1:
        yield
        return
    token = _SHARES.set(threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _SHARES.reset(token)


def thread_count() -> int:
    """How many CPU threads work is shared out among here."""
    return _SHARES.get() or torch.get_num_threads()


def each_part(run: Callable[[Work], Result], work: list[Work]) -> list[Result]:
    """Runs pieces of some work, each in a CPU thread of its own in which nothing is shared out once more.

    No piece runs any more once it is over, whether or not one has failed.

    Args:
        run: does one piece.
        work: the pieces, as many as there are CPU threads.

    Returns:
        The result of each piece, in order.
    """
    futures = [_pool(len(work)).submit(run, piece) for piece in work]
    try:
        return [future.result() for future in futures]
    finally:
        wait(futures)


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
    threads = thread_count() if device.type == "cpu" else 1
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
