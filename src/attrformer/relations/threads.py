"""Blocks of work shared out among CPU threads, as many as the caller was told to use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Work = TypeVar("Work")

_threads: ContextVar[int] = ContextVar("threads", default=1)


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Lets `for_each` use several threads in a block of code.

    Args:
        count: threads, at least 1.
    """
    before = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(before)


def for_each(run: Callable[[Work], None], work: Sequence[Work]) -> None:
    """Runs a function on every piece of work, on several threads where there are; the order is not fixed.

    Args:
        run: works on one piece, and touches nothing that another piece does.
        work: pieces.
    """
    threads = min(_threads.get(), len(work))
    if threads <= 1:
        for piece in work:
            run(piece)
        return
    with ThreadPoolExecutor(threads, "attrformer-counting") as pool:
        for _ in pool.map(run, work):
            pass
