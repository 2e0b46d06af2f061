from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.services import until

from attrformer.server import queueing
from attrformer.server.calls import RECOMMEND, Call
from attrformer.server.queueing import Line, LineClosed, LineFull


class Model:
    """Notes what it is asked together, and waits to be let on."""

    def __init__(self) -> None:
        self.asked: list[list[Call]] = []
        self.busy, self.on = threading.Event(), threading.Event()

    def answer(self, calls: Sequence[Call]) -> list[Any]:
        self.asked.append(list(calls))
        self.busy.set()
        assert self.on.wait(60)
        return [ValueError("bad") if call.arguments["users"] == ["bad"] else call.arguments["users"] for call in calls]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of the event loop count, and not what time they take, which others on the machine decide."""
    monkeypatch.setattr(queueing, "_PATIENCE", 60.0)
    monkeypatch.setattr(queueing, "_COMPANY", 60.0)


def call(*users: str) -> Call:
    return Call(RECOMMEND, {"users": list(users)})


async def in_line(line: Line, model: Model, *works: Any) -> list[asyncio.Task[Any]]:
    """Work that waits behind a first call, in its order."""
    tasks = [asyncio.create_task(line.submit(call("first"), 60))]
    await until(model.busy.is_set)
    for work in works:
        tasks.append(asyncio.create_task(line.submit(work, 60)))
        await asyncio.sleep(0)
    return tasks


def test_what_gathers_meanwhile_is_answered_together() -> None:
    async def run() -> None:
        model = Model()
        line = Line(model.answer, most=10, batch=3)
        tasks = await in_line(line, model, call("a"), call("b", "c"), call("d"))
        assert len(line) == 3
        model.on.set()
        assert await asyncio.gather(*tasks) == [["first"], ["a"], ["b", "c"], ["d"]]
        assert model.asked == [[call("first")], [call("a"), call("b", "c")], [call("d")]]
        line.close()

    asyncio.run(run())


def test_what_has_arrived_already_is_answered_by_one_call(patient: None) -> None:
    async def run() -> None:
        model = Model()
        model.on.set()
        line = Line(model.answer, most=10, batch=9)

        async def later() -> Any:
            # As a request does that is read in the next round of the event loop.
            await asyncio.sleep(0)
            return await line.submit(call("c"), 60)

        await asyncio.gather(line.submit(call("a"), 60), line.submit(call("b"), 60), later())
        assert model.asked == [[call("a"), call("b"), call("c")]]
        line.close()

    asyncio.run(run())


def test_those_who_ask_again_are_answered_together_with_those_who_wait(patient: None) -> None:
    async def run() -> None:
        model = Model()
        line = Line(model.answer, most=10, batch=9)

        async def twice() -> None:
            await line.submit(call("first"), 60)
            await line.submit(call("again"), 60)

        asks = asyncio.create_task(twice())
        await until(model.busy.is_set)
        waits = asyncio.create_task(line.submit(call("other"), 60))
        await asyncio.sleep(0)
        assert len(line) == 1
        model.on.set()
        await asyncio.gather(asks, waits)
        assert model.asked == [[call("first")], [call("other"), call("again")]]
        line.close()

    asyncio.run(run())


class Held(Line):
    """A line whose event loop stands still until the thread has taken what it may begin with."""

    def _look(self, loop: asyncio.AbstractEventLoop, came: int, quiet: int, since: float) -> None:
        super()._look(loop, came, quiet, since)
        while self._begin:
            time.sleep(0.001)


@pytest.mark.parametrize("rounds", range(1, queueing._QUIET + 2))
def test_those_who_ask_again_have_all_rounds_wherever_the_look_for_others_is(patient: None, rounds: int) -> None:
    async def run() -> None:
        model, handed = Model(), threading.Event()
        line = Held(model.answer, most=10, batch=9)
        hand_back = line._hand_back

        def told(*given: Any) -> None:
            hand_back(*given)
            handed.set()

        line._hand_back = told  # type: ignore[method-assign]

        async def twice() -> None:
            await line.submit(call("first"), 60)
            await line.submit(call("again"), 60)

        asks = asyncio.create_task(twice())
        await until(model.busy.is_set)
        waits = asyncio.create_task(line.submit(call("other"), 60))
        for _ in range(rounds):
            await asyncio.sleep(0)
        model.on.set()
        assert handed.wait(60)
        await asyncio.gather(asks, waits)
        assert model.asked == [[call("first")], [call("other"), call("again")]]
        line.close()

    asyncio.run(run())


def test_those_who_were_answered_together_are_waited_for_a_moment_and_not_longer(
    patient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        model = Model()
        model.on.set()
        line = Line(model.answer, most=10, batch=9)
        await asyncio.gather(*(line.submit(call(name), 60) for name in "ab"))

        async def slower() -> Any:
            # Rounds in which nothing comes, as many as would do for one that was answered alone.
            for _ in range(9):
                await asyncio.sleep(0)
            return await line.submit(call("d"), 60)

        await asyncio.gather(line.submit(call("c"), 60), slower())
        assert model.asked[1:] == [[call("c"), call("d")]]
        monkeypatch.setattr(queueing, "_COMPANY", 0.01)
        assert await line.submit(call("e"), 60) == ["e"]
        assert await line.submit(call("f"), 60) == ["f"]
        assert model.asked[2:] == [[call("e")], [call("f")]]
        line.close()

    asyncio.run(run())


def test_the_model_begins_though_requests_never_cease() -> None:
    async def run() -> None:
        model = Model()
        model.on.set()
        line = Line(model.answer, most=100_000, batch=9)
        tasks = [asyncio.create_task(line.submit(call("first"), 60))]
        while not tasks[0].done():
            tasks.append(asyncio.create_task(line.submit(call("more"), 60)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert sum(map(len, model.asked)) == len(tasks)
        line.close()

    asyncio.run(run())


def test_a_line_goes_on_in_another_event_loop() -> None:
    model = Model()
    model.on.set()
    line = Line(model.answer, most=10, batch=9)

    async def leave() -> None:
        left = asyncio.create_task(line.submit(call("left"), 60))
        # The event loop ends before it has looked whether anything else comes.
        await asyncio.sleep(0)
        assert not left.done()

    async def ask() -> Any:
        return await line.submit(call("a"), 60)

    asyncio.run(leave())
    assert asyncio.run(ask()) == ["a"]
    line.close()


def test_other_work_runs_between_calls_in_its_turn() -> None:
    async def run() -> None:
        model, threads = Model(), []
        line = Line(model.answer, most=10, batch=9)

        def work() -> str:
            threads.append((threading.current_thread().name, len(model.asked)))
            return "done"

        tasks = await in_line(line, model, call("a"), work, call("b"))
        model.on.set()
        assert await asyncio.gather(*tasks) == [["first"], ["a"], "done", ["b"]]
        assert threads == [("attrformer-model", 2)] and len(model.asked) == 3
        line.close()

    asyncio.run(run())


def test_an_error_goes_to_the_call_that_made_it() -> None:
    async def run() -> None:
        model = Model()
        line = Line(model.answer, most=10, batch=9)
        model.on.set()
        tasks = await in_line(line, model, call("bad"), call("good"))
        first, bad, good = await asyncio.gather(*tasks, return_exceptions=True)
        assert (first, good) == (["first"], ["good"]) and isinstance(bad, ValueError)
        line.close()

    asyncio.run(run())


def test_a_full_line_takes_no_more_and_a_closed_one_nothing() -> None:
    async def run() -> None:
        model = Model()
        line = Line(model.answer, most=2, batch=9)
        tasks = await in_line(line, model, call("a"), call("b"))
        with pytest.raises(LineFull):
            await line.submit(call("c"), 1)
        model.on.set()
        await asyncio.gather(*tasks)
        line.close()
        with pytest.raises(LineClosed):
            await line.submit(call("d"), 1)

    asyncio.run(run())


def test_what_nobody_waits_for_any_more_is_not_done() -> None:
    async def run() -> None:
        model = Model()
        line = Line(model.answer, most=5, batch=9)
        tasks = await in_line(line, model)
        with pytest.raises(TimeoutError):
            await line.submit(call("late"), 0.05)
        model.on.set()
        await asyncio.gather(*tasks)
        await line.submit(call("last"), 60)
        assert model.asked == [[call("first")], [call("last")]]
        line.close()

    asyncio.run(run())


def test_closing_does_what_is_waiting() -> None:
    async def run() -> None:
        model = Model()
        line = Line(model.answer, most=5, batch=9)
        tasks = await in_line(line, model, call("a"))
        closing = asyncio.create_task(asyncio.to_thread(line.close))
        model.on.set()
        assert await asyncio.gather(*tasks) == [["first"], ["a"]]
        await closing

    asyncio.run(run())
