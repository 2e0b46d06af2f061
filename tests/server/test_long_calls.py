from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from tests.support.services import until

from attrformer.server.calls import RECOMMEND, Call
from attrformer.server.queueing import Line, LineFull


def call(*users: str) -> Call:
    return Call(RECOMMEND, {"users": list(users)})


class Slow:
    """Answers a call in as many pieces as it has users, and notes what was done in which order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun, self.on, self.last = threading.Event(), threading.Event(), threading.Event()
        self.last.set()

    def answer(self, calls: Sequence[Call]) -> list[Any]:
        self.done += [f"short {call.arguments['users'][0]}" for call in calls]
        return [call.arguments["users"] for call in calls]

    def pieces(self, call: Call) -> Generator[None, None, Any]:
        for user in call.arguments["users"]:
            self.begun.set()
            assert (self.last if user == "last" else self.on).wait(60)
            if user == "bad":
                raise ValueError("bad")
            self.done.append(user)
            yield
            time.sleep(0.02)
        return call.arguments["users"]

    def line(self, seconds: float = 100.0, most: int = 9) -> Line:
        """A line in which every user of a call takes a second, and a call of one is short."""
        return Line(
            self.answer,
            most,
            9,
            price=lambda call: len(call.arguments["users"]) - 1.0,
            pieces=self.pieces,
            seconds=seconds,
        )


def test_between_the_pieces_of_a_long_call_short_ones_have_their_turn() -> None:
    async def run() -> None:
        slow = Slow()
        slow.last.clear()
        line = slow.line()
        long = asyncio.create_task(line.submit(call(*"abcde", "last"), 60))
        await until(slow.begun.is_set)
        short = asyncio.create_task(line.submit(call("s"), 60))
        await until(lambda: len(line) == 2)
        slow.on.set()
        assert await short == ["s"] and not long.done()
        slow.last.set()
        assert await long == [*"abcde", "last"]
        assert slow.done == ["a", "short s", *"bcde", "last"]
        line.close()

    asyncio.run(run())


def test_a_long_call_that_comes_while_short_ones_are_answered_has_its_turn() -> None:
    async def run() -> None:
        slow, busy, on = Slow(), threading.Event(), threading.Event()

        def answer(calls: Sequence[Call]) -> list[Any]:
            busy.set()
            assert on.wait(60)
            return slow.answer(calls)

        line = Line(answer, 9, 9, price=lambda call: len(call.arguments["users"]) - 1.0, pieces=slow.pieces)
        slow.on.set()
        short = asyncio.create_task(line.submit(call("s"), 60))
        await until(busy.is_set)
        long = asyncio.create_task(line.submit(call(*"ab"), 60))
        await until(lambda: len(line) == 1)
        on.set()
        assert (await short, await long) == (["s"], ["a", "b"])
        line.close()

    asyncio.run(run())


def test_of_long_calls_the_one_nearest_to_its_end_goes_on_and_errors_are_its_own() -> None:
    async def run() -> None:
        slow = Slow()
        line = slow.line()
        tasks = [
            asyncio.create_task(line.submit(work, 60)) for work in (call(*"abc"), call("bad", "x"), call(*"uvwxy"))
        ]
        await until(lambda: len(line) == 3)
        slow.on.set()
        three, bad, five = await asyncio.gather(*tasks, return_exceptions=True)
        assert (three, five) == (list("abc"), list("uvwxy")) and isinstance(bad, ValueError)
        assert slow.done.index("c") < slow.done.index("u") and len(line) == 0
        line.close()

    asyncio.run(run())


def test_more_work_than_can_be_done_in_time_is_refused_with_the_time_to_come_back() -> None:
    async def run() -> None:
        slow = Slow()
        line = slow.line(seconds=5)
        # One that is too much by itself is tried where nothing else waits.
        first = asyncio.create_task(line.submit(call(*"abcdefgh"), 60))
        await until(lambda: len(line) == 1)
        with pytest.raises(LineFull) as full:
            await line.submit(call(*"xy"), 60)
        assert 5 < full.value.seconds <= 8 and line.cost > 5
        # Short calls are counted apart.
        slow.on.set()
        assert await line.submit(call("s"), 60) == ["s"]
        await first
        assert await line.submit(call(*"xy"), 60) == ["x", "y"]
        line.close()

    asyncio.run(run())


def test_a_long_call_that_nobody_waits_for_is_not_gone_on_with() -> None:
    async def run() -> None:
        slow = Slow()
        line = slow.line()
        slow.on.set()
        long = asyncio.create_task(line.submit(call(*map(str, range(1000))), 60))
        await until(lambda: bool(slow.done))
        # As it is where its time is over.
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        done = len(slow.done)
        await line.submit(call("s"), 60)
        assert 0 < done < 1000 and len(slow.done) <= done + 2 and len(line) == 0
        line.close()

    asyncio.run(run())
