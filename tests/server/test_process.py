"""A real process on the loopback address: readiness, load, reload under load, SIGTERM, kill -9."""

from __future__ import annotations

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
from tests.support.services import Process

pytestmark = pytest.mark.slow

BODY = {"histories": [["item-0003", "item-0007"]], "k": 5}


def it_listens_at_once_and_is_fast_when_it_is_ready(process: Process) -> None:
    with process.client() as client:
        assert client.get("/healthz").status_code == 200
        while client.get("/readyz").status_code == 503:
            time.sleep(0.02)
        seconds = []
        for _ in range(6):
            started = time.perf_counter()
            assert client.post("/v1/recommend", json=BODY).status_code == 200
            seconds.append(time.perf_counter() - started)
    # Nothing is left to the first one; what is slow for all of them is the machine.
    assert seconds[0] < max(1, 10 * max(seconds[1:]))


def a_load_is_answered_whole_and_in_company(process: Process) -> None:
    bodies = histories(process.port, 48, 10, process.headers)
    for clients in (1, 8):
        figures = load(process.port, "/v1/recommend", bodies, clients, process.headers)
        print(figures)
        assert figures.statuses == {"200": 48} and 0 < figures.p50_ms <= figures.p99_ms < 5000
    with process.client() as client:
        metrics = client.get("/metrics").text
    counts = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith("attrformer_batch"))
    calls = float(counts['attrformer_batch_requests_count{call="recommend"}'])
    assert calls < float(counts['attrformer_batch_requests_sum{call="recommend"}'])


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
    # Where the first answers take longer than the reload, the old model would have been asked nothing.
    end = time.monotonic() + 60
    while not models and time.monotonic() < end:
        time.sleep(0.01)
    process.signal(signal.SIGHUP)
    done = process.wait_for("reload.done")
    while 2 not in models and time.monotonic() < end:
        time.sleep(0.01)
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
    end = time.monotonic() + 10
    while not any(line.get("route") == "/v1/history" for line in process.lines) and time.monotonic() < end:
        time.sleep(0.05)
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
            ready.wait()
            try:
                answers.append(client.post("/v1/explain", json=body))
            except httpx.TransportError as error:
                refused.append(error)

    ready = threading.Barrier(5)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
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
