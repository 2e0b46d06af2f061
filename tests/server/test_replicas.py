"""Replicas of a folder of versions behind a proxy: the model changes under load, one of them ends, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.test_reload import larger
from tests.server.test_workers import started
from tests.support.services import Process, until

from attrformer.server import versions

pytestmark = pytest.mark.slow

CLIENTS = 8
BODY = {"histories": [["item-0003", "item-0007"]], "k": 5}


class Proxy:
    """Sends requests to ready replicas in turn, and never the same request twice, as proxies do with POST.

    Args:
        replicas: that it knows.
    """

    def __init__(self, replicas: list[Process]) -> None:
        self._ready, self._turn = list(replicas), itertools.count()
        self._all, self._ends = replicas, threading.Event()
        self._probing = threading.Thread(target=self._probe)

    def __enter__(self) -> Proxy:
        self._probing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._probing.join()

    def _probe(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._ends.wait(0.05):
                self._ready = [replica for replica in self._all if _is_ready(client, replica)]

    def knows(self, replica: Process) -> bool:
        """Whether it would ask a replica."""
        return replica in self._ready

    def ask(self, client: httpx.Client) -> tuple[int, httpx.Response]:
        """The port of the replica that was asked, and what it answered."""
        ready = self._ready
        port = ready[next(self._turn) % len(ready)].port
        return port, client.post(f"http://127.0.0.1:{port}/v1/recommend", json=BODY)


def _is_ready(client: httpx.Client, replica: Process) -> bool:
    try:
        return client.get(f"http://127.0.0.1:{replica.port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


class Load:
    """Clients that ask with hardly a pause, and what they were answered.

    Args:
        proxy: that they ask.
        headers: of each request.
    """

    def __init__(self, proxy: Proxy, headers: dict[str, str]) -> None:
        self._proxy, self._headers, self._ends = proxy, headers, threading.Event()
        self.answers: list[list[tuple[int, str, list[str]]]] = [[] for _ in range(CLIENTS)]
        self.lost: list[object] = []
        self._clients = [threading.Thread(target=self._ask, args=(mine,)) for mine in self.answers]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for client in self._clients:
            client.join()

    def _ask(self, mine: list[tuple[int, str, list[str]]]) -> None:
        with httpx.Client(timeout=60, headers=self._headers) as client:
            while not self._ends.is_set():
                try:
                    port, answer = self._proxy.ask(client)
                    told = answer.raise_for_status().json()
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                    continue
                assert answer.headers["X-Model-Version"] == told["version"]
                # Room on a small machine for the replicas to read the new model.
                self._ends.wait(0.02)
                mine.append((port, told["version"], [item["item_id"] for item in told["results"][0]["items"]]))

    def wait_for_everybody(self) -> None:
        """Returns when each client has asked twice more, so that none is on its way to where it was sent before."""
        before, end = [len(mine) for mine in self.answers], time.monotonic() + 60
        while any(len(mine) < count + 2 for mine, count in zip(self.answers, before, strict=True)):
            assert time.monotonic() < end, "a client has no answers"
            time.sleep(0.02)

    def wait_until(self, version: str, ports: set[int]) -> None:
        """Returns when each of these replicas has answered with a version; the load goes on."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if ports <= {port for mine in self.answers for port, named, _ in mine[-20:] if named == version}:
                return
            time.sleep(0.02)
        raise AssertionError(f"no answer of version {version}")


@contextlib.contextmanager
def replicas(models: Path, *options: str) -> Iterator[list[Process]]:
    made = [Process(models, "--follow-every", "0.1", "--drain", "120", *options) for _ in range(2)]
    try:
        for process in made:
            process.wait_for("ready")
        yield made
    finally:
        for process in made:
            process.end()


def test_the_model_changes_and_a_replica_ends_without_a_lost_request(run: Path, tmp_path: Path) -> None:
    larger(run)
    models = tmp_path / "models"
    versions.publish(run, models, "a")
    with replicas(models) as made, Proxy(made) as proxy, Load(proxy, made[0].headers) as load:
        ports = {process.port for process in made}
        load.wait_until("a", ports)
        versions.publish(run / "next", models, "b")
        load.wait_until("b", ports)
        made[0].signal(signal.SIGTERM)
        asyncio.run(until(lambda: not proxy.knows(made[0])))
        load.wait_for_everybody()
        # A second one is followed at once.
        made[0].signal(signal.SIGTERM)
        assert made[0].ended() == 0
        load.wait_until("b", {made[1].port})
    assert load.lost == []
    seen, lists = defaultdict(set), defaultdict(set)
    for mine in load.answers:
        # A client asks for the next when it has an answer: what it gets of one replica is in the order of its models.
        for port in ports:
            named = [version for of, version, _ in mine if of == port]
            assert named == sorted(named)
            seen[port].update(named)
        for _, version, items in mine:
            lists[version].add(tuple(items))
    assert all(versions_seen == {"a", "b"} for versions_seen in seen.values())
    # Whichever replica answers, a version gives one list.
    assert {version: len(found) for version, found in lists.items()} == {"a": 1, "b": 1}
    for process in made:
        assert not [line for line in process.lines if line["level"] == "error"]


def test_workers_of_a_replica_follow_the_folder_though_files_come_late(run: Path, tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs a system that can fork")
    larger(run)
    models = tmp_path / "models"
    versions.publish(run, models, "a")
    process = Process(models, "--follow-every", "0.1", "--workers", "2", "--drain", "120", "--grace", "120")
    try:
        process.wait_for("ready")
        process.wait_for("ready")
        # Files that come late, as on a volume over the network: the link is there before the tensors are.
        (models / "b").mkdir()
        shutil.copyfile(run / "next" / "model.json", models / "b" / "model.json")
        versions.publish(None, models, "b")
        process.wait_for("reload.failed")
        failed = r'attrformer_reloads_total\{.*outcome="failed"'
        asyncio.run(until(lambda: process.figure(failed) >= 3))
        # A try that finds half a file may fail for another reason, which is logged too.
        assert [line["event"] for line in process.lines].count("reload.failed") == 1
        shutil.copyfile(run / "next" / "model.safetensors", models / "b" / "model.safetensors")
        for _ in range(2):
            assert process.wait_for("reload.done")["version"] == "b"
        found, end = set(), time.monotonic() + 60
        for number in itertools.count():
            with process.client() as client:
                worker = client.get("/healthz").json()["worker"]
                answer = client.post("/v1/recommend", json=BODY).json()
                found.add((worker, answer["model"], answer["version"]))
            # Which worker takes a connection is for the system to say.
            if (number >= 40 and len(found) > 1) or time.monotonic() > end:
                break
        assert found == {(1, 2, "b"), (2, 2, "b")}
        process.signal(signal.SIGTERM)
        for _ in range(2):
            process.wait_for("draining")
        with process.client() as client:
            refused = client.get("/readyz")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
            answer = client.post("/v1/recommend", json=BODY)
            assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
        for worker in started(process).values():
            # A second one is followed at once.
            os.kill(worker, signal.SIGTERM)
        assert process.ended() == 0
    finally:
        process.end()
