"""A real process on the loopback address: readiness, load, reload under load, SIGTERM, kill -9."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from benchmarks.serve_load import histories, load
from tests.server.test_reload import larger
from tests.support.services import Process, until

pytestmark = pytest.mark.slow

BODY = {"histories": [["item-0003", "item-0007"]], "k": 5}


def it_listens_at_once_and_is_fast_when_it_is_ready(process: Process) -> None:
    with process.client() as client:
        assert client.get("/healthz").status_code == 200
        while client.get("/readyz").status_code == 503:
            time.sleep(0.02)
        # Nothing is left to the first request. By the clock it could take long where others use the processor.
        process.wait_for("ready")
        before = process.processor_seconds()
        assert client.post("/v1/recommend", json=BODY).status_code == 200
        assert process.processor_seconds() - before < 1


def a_load_is_answered_whole_and_in_company(process: Process) -> None:
    bodies = histories(process.port, 48, 10, process.headers)

    def in_company(clients: int = 8) -> bool:
        figures = load(process.port, "/v1/recommend", bodies, clients, process.headers)
        print(figures)
        assert figures.statuses == {"200": 48} and 0 < figures.p50_ms <= figures.p99_ms
        calls, requests = (process.figure(rf"attrformer_batch_requests_{what}.*recommend") for what in ("count", "sum"))
        return calls < requests

    in_company(1)
    # Clients that get too little of the processor hardly ever meet.
    asyncio.run(until(in_company))


def a_reload_drops_no_request(process: Process) -> None:
    larger(process.run)
    models: list[int] = []
    statuses: set[int] = set()
    stop = threading.Event()

    def ask() -> None:
        with process.client() as client:
            while not stop.is_set():
                answer = client.post("/v1/recommend", json=BODY)
                statuses.add(answer.status_code)
                models.append(answer.json().get("model", 0))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        # Where the first answers take longer than the reload, the old model would have been asked nothing.
        asyncio.run(until(lambda: bool(models)))
        process.signal(signal.SIGHUP)
        done = process.wait_for("reload.done")
        asyncio.run(until(lambda: 2 in models))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert done["items"] == 81
    assert statuses == {200} and set(models) == {1, 2}
    assert sorted(path.name for path in process.run.iterdir()) == ["model", "previous"]


def the_log_is_json_and_names_nobody(process: Process) -> None:
    with process.client() as client:
        client.post("/v1/recommend", json={"users": ["user-0003"]})
        client.get("/v1/history", params={"user_id": "user-0003"})
    asyncio.run(until(lambda: any(line.get("route") == "/v1/history" for line in process.lines)))
    requests = [line for line in process.lines if line["event"] == "request"]
    assert {"time", "level", "event", "route", "method", "status", "seconds"} == set(requests[-1])
    assert {line["event"] for line in process.lines} <= {
        "listening", "ready", "request", "server", "reload.started", "reload.done"
    }  # fmt: skip
    text = json.dumps(process.lines)
    assert "user-0003" not in text and "item-0003" not in text and process.headers["Authorization"][7:] not in text


def kill_9_during_a_reload_leaves_a_whole_model_to_the_next_start(process: Process) -> None:
    run = process.run
    # A model with one item more than the one in use, as the one before had.
    larger(run)
    process.signal(signal.SIGHUP)
    process.wait_for("reload.started")
    assert process.end() == -signal.SIGKILL
    late, within = not (run / "next").exists(), (run / "discarded").exists()
    if not late and not within:
        # No kill can be timed to fall between the two renames, so what it would leave is made here.
        shutil.rmtree(run / "previous")
        (run / "model").rename(run / "previous")
    process.start()
    process.wait_for("ready")
    with process.client() as client:
        about = client.get("/v1/model").json()
        assert (about["model"], about["items"]) == (1, 82 if late else 81)
        assert client.post("/v1/recommend", json=BODY).status_code == 200
    left = ["model", "previous"] if late else ["model", "next", "previous"] if within else ["model", "next"]
    assert sorted(path.name for path in run.iterdir()) == left


def sigterm_lets_running_requests_end(process: Process) -> None:
    # Large answers, so that some are under way when the signal comes.
    body = {"histories": [[f"item-{n:04d}"] for n in range(1, 25)], "k": 60}
    answers: list[httpx.Response] = []
    refused: list[Exception] = []

    def ask() -> None:
        with process.client() as client:
            client.get("/healthz")
            ready.wait(60)
            try:
                answers.append(client.post("/v1/explain", json=body))
            except httpx.TransportError as error:
                refused.append(error)

    ready = threading.Barrier(5)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait(60)
    process.wait_for_requests(4, "/v1/explain")
    process.signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert process.ended() == 0
    assert not refused and [answer.status_code for answer in answers] == [200] * 4
    assert all(len(answer.json()["results"]) == 24 for answer in answers)
    assert process.lines[-1]["event"] == "stopped"
    with pytest.raises(httpx.ConnectError), process.client() as client:
        client.get("/healthz")


def test_the_life_of_a_process(run: Path) -> None:
    # One test, since a process takes seconds to start and each step goes on where the one before it ended.
    process = Process(run, "--timeout", "120", "--grace", "120")
    try:
        it_listens_at_once_and_is_fast_when_it_is_ready(process)
        a_load_is_answered_whole_and_in_company(process)
        a_reload_drops_no_request(process)
        the_log_is_json_and_names_nobody(process)
        kill_9_during_a_reload_leaves_a_whole_model_to_the_next_start(process)
        sigterm_lets_running_requests_end(process)
    finally:
        process.end()
