"""What waits for the model, and the one thread that works it off.

A request puts its call into the line and waits. The thread takes what stands there, answers calls that can be joined
together, and hands the answers back to the event loop. While it works the next ones gather, so that batches grow
with the load and a single request never waits for company.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from attrformer.serving.calls import Call


class LineFull(Exception):
    """There are as many requests waiting as may."""


class LineClosed(Exception):
    """The service is about to stop."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call, or any other work that must not meet a call, and where its answer goes."""

    work: Call | Callable[[], Any]
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Line:
    """The line before the model.

    Args:
        answer: answers calls together; an exception in place of an answer goes to its request only.
        most: requests that may wait.
        batch: users that are answered together.
    """

    def __init__(self, answer: Callable[[Sequence[Call]], Sequence[Any]], most: int, batch: int) -> None:
        self._answer, self._most, self._batch = answer, most, batch
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="attrformer-model", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting)

    async def submit(self, work: Call | Callable[[], Any], timeout: float) -> Any:
        """Puts work into the line and waits for its answer.

        Args:
            work: a call of the recommender, or a function that is to run between calls.
            timeout: seconds to wait; work that has not begun then is not done.

        Raises:
            LineFull: too much is waiting.
            LineClosed: the service is about to stop.
            TimeoutError: the answer did not come in time.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        with self._changed:
            if self._closed:
                raise LineClosed
            if len(self._waiting) >= self._most:
                raise LineFull
            self._waiting.append(_Waiting(work, answer, loop))
            self._changed.notify()
        try:
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError as error:
            # Another class than the built-in one before Python 3.11.
            raise TimeoutError from error

    def close(self) -> None:
        """Takes no more work, does what is waiting, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                taken = self._take()
            # Whoever gave up waiting cancelled the answer.
            self._work([entry for entry in taken if not entry.answer.cancelled()])

    def _take(self) -> list[_Waiting]:
        """The next work to do: one function, or calls from the front of the line that make up a batch."""
        taken = [self._waiting.popleft()]
        if not isinstance(taken[0].work, Call):
            return taken
        asked = taken[0].work.asked
        while self._waiting and isinstance(self._waiting[0].work, Call):
            asked += self._waiting[0].work.asked
            if asked > self._batch:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _work(self, taken: list[_Waiting]) -> None:
        calls = [entry.work for entry in taken if isinstance(entry.work, Call)]
        try:
            answers = self._answer(calls) if calls else [entry.work() for entry in taken]  # type: ignore[operator]
        except Exception as error:
            answers = [error] * len(taken)
        for entry, answer in zip(taken, answers, strict=True):
            try:
                entry.loop.call_soon_threadsafe(_deliver, entry.answer, answer)
            except RuntimeError:
                # The event loop has ended, so nobody waits any more.
                return


def _deliver(future: asyncio.Future[Any], answer: Any) -> None:
    if future.cancelled():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
