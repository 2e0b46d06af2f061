"""What waits for the model, and the one thread that works it off.

A request puts its call into the line and waits. Once the event loop has nothing else to do, the thread takes what
stands there, answers calls that can be joined together, and hands the answers back. A call of the model costs much in
itself, whatever it answers, so what has arrived already is read first. While the thread works the next ones gather, so
that batches grow with the load and one client alone never waits for company.

A call that takes long is answered in pieces, and between two pieces the others have their turn: they wait for a piece
and not for the call. Of several such calls the one that is nearest to its end goes on. What all of them will take is
bounded by the time that a request waits at most, since what comes behind them would not be answered in time.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from attrformer.server.calls import Call
from attrformer.server.pricing import PIECE

LONG: Final = 0.05
"""Seconds from which on a call is answered in pieces; calls that are answered together take twice as long at most."""

_LATEST: Final = 60

_QUIET: Final = 2
"""Rounds of the event loop without another request after which there is nothing more to read: one hears that a request
has come, the next one puts it into the line."""

_PATIENCE: Final = 0.02
"""Seconds after which the thread begins in any case."""


_COMPANY: Final = 0.001
"""Seconds that the thread waits for as many requests as it has answered together: whoever asks again at once has to be
given the processor first. Where it has answered one alone it waits for no other."""


class LineFull(Exception):
    """There is as much waiting as may.

    Args:
        seconds: until it makes sense to ask again.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        super().__init__()
        self.seconds = max(1, min(_LATEST, math.ceil(seconds)))


class LineClosed(Exception):
    """The service is about to stop."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call, or any other work that must not meet a call, and where its answer goes; what it will take, in seconds."""

    work: Call | Callable[[], Any]
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    price: float
    pieces: Generator[None, None, Any] | None = None
    spent: int = 0

    @property
    def left(self) -> float:
        """Seconds that are left of a call in pieces, as far as anybody knows."""
        return max(self.price - self.spent * PIECE, 0.0)


class Line:
    """The line before the model.

    Args:
        answer: answers calls together; an exception in place of an answer goes to its request only.
        most: requests that may wait.
        batch: users that are answered together.
        price: seconds that a call will take.
        pieces: answers a call in pieces; where None all are answered whole.
        seconds: that what waits may take, short calls and long ones each.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Call]], Sequence[Any]],
        most: int,
        batch: int,
        *,
        price: Callable[[Call], float] = lambda _: 0.0,
        pieces: Callable[[Call], Generator[None, None, Any]] | None = None,
        seconds: float = math.inf,
    ) -> None:
        self._answer, self._most, self._batch = answer, most, batch
        self._price, self._pieces, self._seconds = price, pieces, seconds
        self._waiting: deque[_Waiting] = deque()
        self._long: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closed = self._begin = False
        # Event loops: that looks whether more comes, and that has not yet got the answers to the calls under way.
        self._looking: asyncio.AbstractEventLoop | None = None
        self._answered: asyncio.AbstractEventLoop | None = None
        self._came, self._company = 0, 1
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._run, name="attrformer-model", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._long)

    @property
    def waited_for(self) -> int:
        """Those of them that somebody still waits for."""
        with self._changed:
            return sum(not entry.answer.cancelled() for entry in (*self._waiting, *self._long))

    @property
    def cost(self) -> float:
        """Seconds that what waits will take."""
        with self._changed:
            return self._cost(self._waiting) + self._cost(self._long)

    async def submit(self, work: Call | Callable[[], Any], timeout: float) -> Any:
        """Puts work into the line and waits for its answer.

        Args:
            work: a call of the recommender, or a function that is to run between calls.
            timeout: seconds to wait; work that has not begun then is not done, and no further piece of a long call.

        Raises:
            LineFull: too much is waiting.
            LineClosed: the service is about to stop.
            TimeoutError: the answer did not come in time.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        price = self._price(work) if isinstance(work, Call) else 0.0
        entry = _Waiting(work, answer, loop, price)
        with self._changed:
            if self._closed:
                raise LineClosed
            line = self._long if self._pieces is not None and price > LONG else self._waiting
            self._require_room(line, price)
            line.append(entry)
            self._came += 1
            self._look_soon(loop)
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

    def _look_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._looking is not loop:
            self._looking, self._timer = loop, None
        elif self._timer is None or len(self._waiting) < self._company:
            return
        else:
            self._timer.cancel()
            self._timer = None
        loop.call_soon(self._look, loop, self._came, 0, loop.time())

    def _look(self, loop: asyncio.AbstractEventLoop, came: int, quiet: int, since: float) -> None:
        """Lets the thread begin once a few rounds of the event loop have brought nothing more."""
        with self._changed:
            quiet = quiet + 1 if came == self._came else 0
            if quiet < _QUIET and loop.time() < since + _PATIENCE:
                loop.call_soon(self._look, loop, self._came, quiet, since)
            elif 0 < len(self._waiting) < self._company and quiet >= _QUIET:
                self._timer = loop.call_later(_COMPANY, self._begin_now, loop)
            else:
                self._begin_now(loop)

    def _begin_now(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            self._looking = self._timer = None
            if self._answered is not loop:
                self._begin = True
                self._changed.notify()

    def _require_room(self, line: deque[_Waiting] | list[_Waiting], price: float) -> None:
        """Refuses what would make too many wait, or too much; a call that finds none before it is always taken."""
        cost = self._cost(line)
        if len(line) >= self._most or (cost > 0 and cost + price > self._seconds):
            raise LineFull(cost)

    def _cost(self, line: deque[_Waiting] | list[_Waiting]) -> float:
        return sum(entry.left for entry in line if not entry.answer.cancelled())

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._begin or self._closed)
                # Whoever gave up waiting cancelled the answer.
                self._long = [entry for entry in self._long if not entry.answer.cancelled()]
                if not self._waiting and not self._long:
                    if self._closed:
                        return
                    self._begin = False
                    continue
                taken = [entry for entry in self._take() if not entry.answer.cancelled()]
                long = min(self._long, key=lambda entry: entry.left, default=None)
                # What comes next begins when those who are answered now have had time to ask again.
                self._begin, self._answered = not taken or bool(self._long), taken[0].loop if taken else None
                self._company = max(1, len(taken))
            self._work(taken)
            if long is not None:
                self._go_on(long)

    def _take(self) -> list[_Waiting]:
        """The next work to do: one function, or calls from the front of the line that make up a batch."""
        if not self._waiting:
            return []
        taken = [self._waiting.popleft()]
        if not isinstance(taken[0].work, Call):
            return taken
        asked, price = taken[0].work.asked, taken[0].price
        while self._waiting and isinstance(self._waiting[0].work, Call):
            asked += self._waiting[0].work.asked
            price += self._waiting[0].price
            if asked > self._batch or price > 2 * LONG:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _work(self, taken: list[_Waiting]) -> None:
        calls = [entry.work for entry in taken if isinstance(entry.work, Call)]
        try:
            answers = self._answer(calls) if calls else [entry.work() for entry in taken]  # type: ignore[operator]
        except Exception as error:
            answers = [error] * len(taken)
        self._hand_back(taken, answers)

    def _go_on(self, entry: _Waiting) -> None:
        """Does the next piece of a long call."""
        assert isinstance(entry.work, Call) and self._pieces is not None
        answer: Any = None
        try:
            if entry.pieces is None:
                entry.pieces = self._pieces(entry.work)
            next(entry.pieces)
            entry.spent += 1
            return
        except StopIteration as done:
            answer = done.value
        except Exception as error:
            answer = error
        with self._changed:
            self._long = [other for other in self._long if other is not entry]
        self._hand_back([entry], [answer])

    def _hand_back(self, entries: Sequence[_Waiting], answers: Sequence[Any]) -> None:
        """Hands answers to those who wait, all of one event loop at once."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for entry, answer in zip(entries, answers, strict=True):
            by_loop.setdefault(entry.loop, []).append((entry.answer, answer))
        for loop, pairs in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._deliver, loop, pairs)
            except RuntimeError:
                # The event loop has ended, so nobody waits any more.
                with self._changed:
                    self._begin, self._answered = True, None

    def _deliver(self, loop: asyncio.AbstractEventLoop, pairs: list[tuple[asyncio.Future[Any], Any]]) -> None:
        for future, answer in pairs:
            if future.cancelled():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        with self._changed:
            self._answered = None
            # A look that is under way begins anew: those who have just been answered may ask again.
            self._came += 1
            if self._waiting or self._long:
                self._look_soon(loop)
