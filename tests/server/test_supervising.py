"""What workers share and what is refused, without processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.server.test_command import refusal

from attrformer import processes
from attrformer.errors import CheckpointError, ConfigurationError, ForkedProcessError
from attrformer.server import worker, workers
from attrformer.server.added import Added
from attrformer.server.channel import Channel, ChannelClosed, Content, Declined
from attrformer.server.draining import DrainingServer
from attrformer.server.merging import merged
from attrformer.server.monitoring import Metrics
from attrformer.server.options import ServeOptions
from attrformer.server.restarts import DEATHS, WITHIN, Deaths
from attrformer.server.server import serve
from attrformer.server.supervising import Supervisor, _Worker


def test_metrics_of_all_workers_have_the_worker_as_a_label() -> None:
    texts = {}
    for number in (2, 1):
        metrics = Metrics()
        metrics.request("/v1/{odd}", "GET", 200 + number, 0.01)
        texts[number] = metrics.text().decode()
    text = merged(texts, workers=3, ready=2, restarts=4)
    assert text.count("# TYPE attrformer_requests_total counter") == 1
    samples = [line for line in text.splitlines() if line.startswith("attrformer_requests_total")]
    assert samples == [
        'attrformer_requests_total{worker="1",method="GET",route="/v1/{odd}",status="201"} 1.0',
        'attrformer_requests_total{worker="2",method="GET",route="/v1/{odd}",status="202"} 1.0',
    ]
    assert 'attrformer_ready{worker="1"} 0.0' in text
    for line in ("attrformer_workers 3.0", "attrformer_workers_ready 2.0", "attrformer_worker_restarts_total 4.0"):
        assert line in text.splitlines()


def test_prometheus_reads_them() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    metrics = Metrics()
    metrics.request("/v1/recommend", "POST", 200, 0.01)
    text = merged({1: metrics.text().decode(), 2: metrics.text().decode()}, workers=2, ready=2, restarts=0)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    counts = {s.labels["worker"]: s.value for s in samples if s.name == "attrformer_request_seconds_count"}
    assert counts == {"1": 1.0, "2": 1.0}


def test_a_worker_is_replaced_at_once_then_later_and_then_no_more() -> None:
    deaths = Deaths()
    waits = [deaths.seconds_to_wait(float(second)) for second in range(DEATHS + 1)]
    assert waits[0] == 0 and waits[-1] is None
    assert waits[1:-1] == sorted(waits[1:-1]) and waits[1]  # type: ignore[type-var]
    assert deaths.seconds_to_wait(DEATHS + 2 * WITHIN) == 0


def test_what_was_added_since(tmp_path: Path) -> None:
    added = Added(tmp_path)
    assert added.since(0) == ([], 0)
    one, two = [{"item_id": "a"}], [{"item_id": "b"}, {"item_id": 3}]
    first = added.append(one)
    assert added.since(0) == ([one], first) and added.since(first) == ([], first)
    second = added.append(two)
    assert second == added.path.stat().st_size
    assert added.since(first) == ([two], second) and added.read() == [one, two]
    with added.path.open("ab") as file:
        file.write(b'{"items": [')
    # What another process is just writing is not there yet.
    assert added.since(second) == ([], second)
    added.path.unlink()
    assert added.append(one) == first
    # Another file than the one that was read before.
    assert added.since(second) == ([one], first)


def test_a_damaged_line_is_named_by_its_number(tmp_path: Path) -> None:
    added = Added(tmp_path)
    first = added.append([{"item_id": "a"}])
    with added.path.open("ab") as file:
        file.write(b"torn\n")
    with pytest.raises(CheckpointError, match="Line 2 of"):
        added.since(first)


def test_both_ends_of_a_channel_ask_and_answer() -> None:
    async def double(what: str, content: Content) -> Content | None:
        if what == "double":
            return {"value": 2 * content["value"]}
        raise ConfigurationError("Ask something else.")

    async def ask() -> None:
        ends = socket.socketpair()
        left, right = (Channel(end, double) for end in ends)
        # Asked before anybody reads.
        early = asyncio.ensure_future(left.ask("double", value=1))
        await asyncio.sleep(0)
        running = [asyncio.ensure_future(channel.run()) for channel in (left, right)]
        assert await early == {"value": 2}
        answers = await asyncio.gather(*(c.ask("double", value=n) for n in range(5) for c in (left, right)))
        assert [answer["value"] for answer in answers] == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]
        with pytest.raises(Declined, match="Ask something else") as declined:
            await left.ask("what")
        assert declined.value.kind == "ConfigurationError"
        running[1].cancel()
        await asyncio.wait(running)
        for channel in (left, right):
            with pytest.raises(ChannelClosed):
                await channel.ask("double", value=1)

    asyncio.run(ask())


def test_a_question_whose_other_side_ends_is_no_endless_wait() -> None:
    async def ask() -> None:
        heard = asyncio.Event()

        async def never(what: str, content: Content) -> Content | None:
            heard.set()
            await asyncio.Event().wait()
            return None

        ours, theirs = socket.socketpair()
        left, right = Channel(ours, never), Channel(theirs, never)
        running = [asyncio.ensure_future(channel.run()) for channel in (left, right)]
        asked = asyncio.ensure_future(left.ask("anything"))
        await asyncio.wait_for(heard.wait(), 60)
        running[1].cancel()
        with pytest.raises(ChannelClosed):
            await asyncio.wait_for(asked, 60)
        await asyncio.wait(running)

    asyncio.run(ask())


def test_a_worker_that_dies_while_it_waits_for_its_turn_keeps_nobody_out(tmp_path: Path) -> None:
    nothing: Any = None
    supervisor = Supervisor(tmp_path, ServeOptions(workers=2, timeout=60), nothing, tmp_path, 1)
    first, second = (_Worker(number, 0, nothing, nothing, open=True, ready=True) for number in (1, 2))

    async def ask() -> None:
        supervisor._workers = {1: first, 2: second}
        await supervisor._answer(first, "turn", {})
        waits = asyncio.ensure_future(supervisor._answer(second, "turn", {}))
        await asyncio.sleep(0)
        # As it is once the death has been noticed.
        del supervisor._workers[2]
        await supervisor._answer(first, "added", {"changed": False})
        await waits
        await supervisor._answer(first, "turn", {})

    asyncio.run(ask())


def test_a_signal_to_end_that_comes_just_before_a_worker_serves_is_followed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_until_end = DrainingServer.serve

    async def serving(self: DrainingServer, sockets: list[socket.socket] | None = None) -> None:
        # The event loop hears of it when the server below handles signals already.
        os.kill(os.getpid(), signal.SIGTERM)
        await serve_until_end(self, sockets)

    async def nothing(what: str, content: Content) -> Content | None:
        return None

    async def work() -> None:
        ours, theirs = socket.socketpair()
        port = socket.create_server(("127.0.0.1", 0))
        listener = worker.SharedListener(port.family, port.type, port.proto, port.detach())
        post = worker.Post(1, 1, None, True, run, theirs, listener)
        supervising = asyncio.ensure_future(Channel(ours, nothing).run())
        await asyncio.wait_for(worker._Worker(run, ServeOptions(workers=2), post).run(), 60)
        theirs.close()
        await supervising

    monkeypatch.setattr(DrainingServer, "serve", serving)
    asyncio.run(work())


def test_threads_of_all_workers_are_no_more_than_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    threads = {
        (number, threads): workers.threads_of_each(ServeOptions(workers=number, threads=threads))
        for number, threads in [(2, 1), (2, 0), (3, 0), (8, 0), (8, 1), (2, 2)]
    }
    assert threads == {(2, 1): 1, (2, 0): 2, (3, 0): 1, (8, 0): 1, (8, 1): 1, (2, 2): 2}
    with pytest.raises(ConfigurationError, match=r"need 6 cores, and this process may use 4\. Give --threads 1"):
        workers.threads_of_each(ServeOptions(workers=3, threads=2))


def test_what_cannot_be_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="workers is 0"):
        ServeOptions(workers=0)
    assert "workers is 0" in refusal(run, "--workers", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "cannot be listened on" in refusal(run, "--workers", "2", "--port", port)
    # This process has a model.
    assert processes._used_in is not None
    with pytest.raises(ForkedProcessError, match="attrformer serve RUN --workers N"):
        serve(run, ServeOptions(workers=2, port=0))
    lacking: Any = os
    monkeypatch.delattr(lacking, "fork")
    with pytest.raises(ConfigurationError, match="can fork"):
        serve(run, ServeOptions(workers=2, port=0))
