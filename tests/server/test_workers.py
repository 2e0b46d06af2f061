"""Two processes on one port: the same answers, items and models through both; kill -9, SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.test_reload import larger
from tests.support.services import TOKEN, Process, until

from attrformer.recommender import AttrFormer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that can fork")]

HISTORY = ["item-0003", "item-0007"]
BODY = {"histories": [HISTORY], "k": 5}


class Both:
    """A client of each of two workers: a connection stays with the worker that accepted it."""

    def __init__(self, process: Process) -> None:
        self.process, self.clients = process, dict[int, httpx.Client]()
        end = time.monotonic() + 60
        while len(self.clients) < 2 and time.monotonic() < end:
            client = process.client()
            worker = client.get("/healthz").json()["worker"]
            if worker in self.clients:
                client.close()
            else:
                self.clients[worker] = client
        assert set(self.clients) == {1, 2}

    def each(self) -> Iterator[httpx.Client]:
        for number, client in sorted(self.clients.items()):
            assert client.get("/readyz").json() == {"status": "ready", "worker": number}
            yield client

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


@contextlib.contextmanager
def both(process: Process) -> Iterator[Both]:
    clients = Both(process)
    try:
        yield clients
    finally:
        clients.close()


class Load:
    """Clients that ask in a loop; what they were answered, and how many found their connection broken."""

    def __init__(self, process: Process, clients: int) -> None:
        self.statuses, self.models, self.broken = Counter[int](), set[int](), 0
        self._process, self._stop, self._lock = process, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._stop.is_set():
            with self._process.client() as client:
                try:
                    while not self._stop.is_set():
                        answer = client.post("/v1/recommend", json=BODY)
                        with self._lock:
                            self.statuses[answer.status_code] += 1
                            self.models.add(answer.json().get("model", 0))
                except httpx.TransportError:
                    with self._lock:
                        self.broken += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for_more(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, answers: int) -> None:
        enough = self.statuses.total() + answers
        asyncio.run(until(lambda: self.statuses.total() >= enough))


def started(process: Process) -> dict[int, int]:
    """The process of each worker, as the log tells."""
    return {line["worker"]: line["process"] for line in process.lines if line["event"] == "worker.started"}


def both_answer_as_python_does(process: Process, model: AttrFormer) -> None:
    expected = model.recommend(histories=[HISTORY], k=5)
    with both(process) as clients:
        for client in clients.each():
            items = client.post("/v1/recommend", json=BODY).json()["results"][0]["items"]
            assert [item["item_id"] for item in items] == list(expected["item_id"])
            assert [item["score"] for item in items] == pytest.approx(list(expected["score"]), rel=1e-6)


def an_item_that_is_added_through_one_is_there_in_the_other(process: Process) -> None:
    with both(process) as clients:
        first, second = clients.each()
        assert first.post("/v1/items", json={"items": [{"item_id": "fresh-1"}]}).status_code == 201
        # The other one has it before the response is sent.
        body = {"histories": [HISTORY], "candidates": ["fresh-1"]}
        scores = [
            client.post("/v1/recommend", json=body).json()["results"][0]["items"][0]["score"]
            for client in (first, second)
        ]
        assert scores[0] == scores[1]
        again = second.post("/v1/items", json={"items": [{"item_id": "fresh-1"}]})
        assert again.status_code == 422 and "fresh-1" in again.text
        assert second.post("/v1/items", json={"items": [{"item_id": "fresh-2"}]}).json()["catalogue"] == 82
        assert first.get("/v1/model").json()["items"] == 82


def items_that_are_added_through_both_at_once_are_in_both(process: Process) -> None:
    statuses: list[int] = []

    def add(client: httpx.Client, name: str) -> None:
        for number in range(3):
            statuses.append(client.post("/v1/items", json={"items": [{"item_id": f"{name}-{number}"}]}).status_code)

    with both(process) as clients:
        threads = [threading.Thread(target=add, args=(c, f"more-{n}")) for n, c in enumerate(clients.each())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [201] * 6
        catalogues = [client.get("/v1/catalogue", params={"query": "more-"}).json() for client in clients.each()]
        assert catalogues[0] == catalogues[1] and catalogues[0]["total"] == 6


def a_reload_reaches_both_and_loses_no_request(process: Process, by_signal: bool, model: int) -> None:
    larger(process.run)
    with both(process) as clients, Load(process, 4) as load:
        if by_signal:
            process.signal(signal.SIGHUP)
            assert {process.wait_for("reload.done")["worker"] for _ in range(2)} == {1, 2}
        else:
            answers: list[httpx.Response] = []

            def answered() -> bool:
                # That the change before is over may not have reached the process that supervises them.
                answers.append(clients.clients[2].post("/v1/reload"))
                return bool(answers[-1].json().get("error", {}).get("code") != "reloading")

            asyncio.run(until(answered))
            assert answers[-1].json()["model"] == model
        for client in clients.each():
            # Items that were added are added to the new model, which brings one more.
            assert client.get("/v1/model").json()["model"] == model
        load.wait_for_more(20)
    assert set(load.statuses) == {200} and not load.broken and load.models == {model - 1, model}
    assert sorted(path.name for path in process.run.iterdir() if path.is_dir()) == ["model", "previous"]


def a_model_that_cannot_be_used_leaves_both_as_they_are(process: Process, model: int) -> None:
    larger(process.run)
    (process.run / "next" / "model.safetensors").write_bytes(b"torn")
    with both(process) as clients:
        for client in clients.each():
            refused = client.post("/v1/reload")
            assert refused.status_code == 409 and refused.json()["error"]["code"] == "bad_model"
        for client in clients.each():
            assert client.post("/v1/recommend", json=BODY).json()["model"] == model


def kill_9_loses_what_is_in_flight_and_no_more(process: Process, model: int) -> None:
    before = started(process)
    with Load(process, 4) as load:
        os.kill(before[2], signal.SIGKILL)
        died = process.wait_for("worker.died")
        assert (died["worker"], died["status"]) == (2, -signal.SIGKILL)
        # The other one goes on meanwhile.
        load.wait_for_more(10)
        assert process.wait_for("ready")["worker"] == 2
        asyncio.run(until(lambda: started(process)[2] != before[2]))
    assert set(load.statuses) == {200} and load.broken <= 4 and load.models == {model}
    assert started(process)[1] == before[1]
    with both(process) as clients:
        catalogues = [client.get("/v1/catalogue", params={"query": "fresh"}).json() for client in clients.each()]
        assert catalogues[0] == catalogues[1] and catalogues[0]["total"] == 2
        for client in clients.each():
            metrics = client.get("/metrics").text
            assert "attrformer_workers_ready 2.0" in metrics and "attrformer_worker_restarts_total 1.0" in metrics
            assert f'attrformer_model_generation{{worker="2"}} {model}.0' in metrics


def sigterm_ends_all_and_lets_running_requests_end(process: Process) -> None:
    body = {"histories": [[f"item-{n:04d}"] for n in range(1, 25)], "k": 60}
    statuses: list[int] = []

    def ask(client: httpx.Client) -> None:
        statuses.append(client.post("/v1/explain", json=body).status_code)

    with both(process) as clients:
        threads = [threading.Thread(target=ask, args=(client,)) for client in clients.each()]
        for thread in threads:
            thread.start()
        process.wait_for_requests(2, "/v1/explain")
        process.signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
    assert process.ended() == 0 and statuses == [200, 200]
    for number in started(process).values():
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
    with pytest.raises(httpx.ConnectError), process.client() as client:
        client.get("/healthz")


def test_the_life_of_two_workers(run: Path, model: AttrFormer) -> None:
    process = Process(run, "--workers", "2", "--timeout", "120", "--grace", "120")
    try:
        for _ in range(2):
            process.wait_for("ready")
        both_answer_as_python_does(process, model)
        an_item_that_is_added_through_one_is_there_in_the_other(process)
        items_that_are_added_through_both_at_once_are_in_both(process)
        a_reload_reaches_both_and_loses_no_request(process, by_signal=True, model=2)
        a_reload_reaches_both_and_loses_no_request(process, by_signal=False, model=3)
        a_model_that_cannot_be_used_leaves_both_as_they_are(process, model=3)
        kill_9_loses_what_is_in_flight_and_no_more(process, model=3)
        sigterm_ends_all_and_lets_running_requests_end(process)
    finally:
        process.end()


def test_workers_end_with_the_process_that_made_them(run: Path) -> None:
    larger(run)
    process = Process(run, "--workers", "2", "--save-added")
    try:
        # Asked for while the first model is read, it comes after that.
        process.signal(signal.SIGHUP)
        assert [process.wait_for("reload.done")["items"] for _ in range(2)] == [81, 81]
        with process.client() as client:
            added = client.post("/v1/items", json={"items": [{"item_id": "fresh-1"}]})
            assert added.json() == {"added": 1, "catalogue": 82, "saved": True}
        assert (run / "added.jsonl").exists()
        made = started(process).values()
    finally:
        process.end()
    asyncio.run(until(lambda: not any(Path(f"/proc/{number}").exists() for number in made)))


def test_a_model_that_cannot_be_read_ends_the_service_with_its_error(run: Path) -> None:
    (run / "model" / "model.safetensors").write_bytes(b"torn")
    process = Process(run, "--workers", "2")
    try:
        assert process.ended() == 1
    finally:
        process.end()
    # Where a line ends depends on how long the path is.
    told = " ".join("".join(line.get("text", "") for line in process.lines).split())
    assert "Save it again, or restore the folder from a copy." in told and TOKEN not in str(process.lines)
