"""Processes: requests to end become exceptions, and calls that would hang in a forked process are refused."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import Final

from attrformer.errors import ForkedProcessError

REQUESTS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals by which a system asks a process to end; SIGINT is how a person does."""

_M_ARENA_MAX: Final = -8
"""Of `malloc.h`."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by a signal.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = int(number)

    @property
    def name(self) -> str:
        """Name of the signal, such as SIGTERM."""
        return signal.Signals(self.number).name


def raise_terminated(number: int, frame: FrameType | None) -> None:
    """Handler that raises `Terminated`."""
    raise Terminated(number)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code that shells expect of a process that this interrupt ended: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + (interrupt.number if isinstance(interrupt, Terminated) else int(signal.SIGINT))


def would_end(number: int) -> bool:
    """Whether a signal would end this process as things stand: nobody else has made anything else of it."""
    return signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, raise_terminated)


def terminable() -> AbstractContextManager[None]:
    """Lets SIGTERM and SIGHUP raise `Terminated`, so that what a block has begun is cleaned up.

    Only in the main thread, and only for signals that nobody else handles or ignores; handlers are put back.
    """
    return handling(dict.fromkeys(filter(would_end, REQUESTS), raise_terminated))


@contextmanager
def handling(handlers: Mapping[int, Callable[[int, FrameType | None], object]]) -> Iterator[None]:
    """Handles signals within a block, in the main thread alone; whoever owns that handles them for other threads.

    Args:
        handlers: by signal; those of before are put back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in handlers}
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


_used_in: int | None = None
"""The process that first used a table or a model; a child of a fork inherits the number of its parent."""


def require_unused_process() -> None:
    """Refuses to fork a process that has used a table or a model.

    Raises:
        ForkedProcessError: it has.
    """
    if _used_in is not None:
        raise ForkedProcessError(
            "This process has used tables or models, and processes forked from it would hang. "
            "Start several workers from a process of their own: attrformer serve RUN --workers N."
        )


def require_own_process() -> None:
    """Remembers the process at the first call, and refuses to go on in a child that was forked from it later.

    Raises:
        ForkedProcessError: this is such a child.
    """
    global _used_in
    if _used_in is None:
        _used_in = os.getpid()
    if _used_in != os.getpid():
        raise ForkedProcessError(
            f"Process {os.getpid()} was forked after process {_used_in} had used tables or models. The threads of "
            "PyTorch and polars do not survive a fork, and this call would hang. Load the model in each worker after "
            "the fork, and not before it: gunicorn without --preload, multiprocessing with 'spawn'."
        )


def share_free_memory() -> None:
    """Has all threads of this process and its forks share their free memory, where the C library is glibc.

    Otherwise each thread keeps some for itself. Counts only before the first thread is started.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
