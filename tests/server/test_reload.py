from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from pathlib import Path

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from tests.support.services import TOKEN, Process, listening, until, with_client

from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.recommender import AttrFormer, Recommender
from attrformer.server.app import create_app
from attrformer.server.engine import Engine, ReloadRunning
from attrformer.server.monitoring import LOGGER
from attrformer.server.options import ServeOptions
from attrformer.server.server import serve
from attrformer.server.state import Service
from attrformer.server.trial import require_answers


def larger(run: Path, folder: str = "next") -> None:
    """Puts a model beside that of the run that knows one item more."""
    model = AttrFormer.load(run / "model")
    known = len(model.fitted.knowledge.item_ids)
    attributes = {name: [None] for name in model.fitted.relations.features}
    model.add_items(pl.DataFrame({"item_id": [f"new-{known - 79}"], **attributes}))
    model.save(run / folder)


def test_requests_go_on_while_a_new_model_is_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(run, ServeOptions(token=TOKEN))
    service.engine.start()
    larger(run)
    asked = threading.Event()

    def tried(model: Recommender) -> None:
        assert asked.wait(60)
        require_answers(model)

    monkeypatch.setattr("attrformer.server.engine.require_answers", tried)

    async def ask(client: httpx.AsyncClient) -> None:
        reload = asyncio.create_task(client.post("/v1/reload"))
        models = []
        while not reload.done():
            answer = await client.post("/v1/recommend", json={"users": ["user-0001"], "k": 1})
            assert answer.status_code == 200
            models.append(answer.json()["model"])
            asked.set()
        told = (await reload).json()
        assert told == {"model": 2, "version": service.served.version, "items": 81}
        after = await client.post("/v1/recommend", json={"users": ["user-0001"], "candidates": ["new-1"]})
        assert (after.status_code, after.json()["model"]) == (200, 2)
        assert models == sorted(models) and models[0] == 1

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")
    assert sorted(path.name for path in run.iterdir()) == ["model", "previous"]


def test_a_reload_whose_sender_is_gone_is_counted_and_logged(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(run, ServeOptions(token=TOKEN))
    service.engine.start()
    larger(run)
    begun, on = threading.Event(), threading.Event()

    def tried(model: Recommender) -> None:
        begun.set()
        assert on.wait(60)
        require_answers(model)

    def told(line: str) -> bool:
        return line in service.metrics.text().decode().splitlines()

    monkeypatch.setattr("attrformer.server.engine.require_answers", tried)
    monkeypatch.setattr(logging.getLogger(LOGGER), "propagate", True)
    caplog.set_level(logging.INFO, LOGGER)
    with listening(service) as address:
        head = f"POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as connection:
            connection.sendall(head.encode())
            asyncio.run(until(begun.is_set))
        gone = 'attrformer_requests_total{method="POST",route="/v1/reload",status="499"} 1.0'
        asyncio.run(until(lambda: told(gone)))
        on.set()
        asyncio.run(until(lambda: told('attrformer_reloads_total{outcome="done"} 1.0')))
        asyncio.run(until(lambda: "reload.done" in caplog.messages))
        assert service.served.generation == 2


@pytest.mark.slow
def test_a_damaged_model_leaves_the_old_one_in_use(run: Path) -> None:
    service = Service(run, ServeOptions(token=TOKEN))
    service.engine.start()
    larger(run)
    (run / "next" / "model.safetensors").write_bytes(b"torn")

    async def ask(client: httpx.AsyncClient) -> None:
        refused = await client.post("/v1/reload")
        assert refused.status_code == 409 and refused.json()["error"]["code"] == "bad_model"
        answer = await client.post("/v1/recommend", json={"users": ["user-0001"], "k": 1})
        assert (answer.status_code, answer.json()["model"]) == (200, 1)
        metrics = (await client.get("/metrics")).text
        assert 'attrformer_reloads_total{outcome="failed"} 1.0' in metrics

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")
    assert (run / "next").exists() and len(AttrFormer.load(run / "model").fitted.knowledge.item_ids) == 80


def test_without_a_next_model_the_same_folder_is_read_anew(run: Path) -> None:
    engine = Engine(run, ServeOptions())
    engine.start()
    larger(run, "model")
    assert len(engine.reload().catalogue) == 81
    assert [path.name for path in run.iterdir()] == ["model"]


@pytest.mark.slow
def test_two_changes_at_a_time_are_refused(run: Path) -> None:
    engine = Engine(run, ServeOptions())
    engine.start()
    with engine._changing:
        with pytest.raises(ReloadRunning):
            engine.reload()
        with pytest.raises(ReloadRunning):
            engine.add_items([{"item_id": "new-1"}])
    assert engine.add_items([{"item_id": "new-1"}]).generation == 1
    assert engine.reload().generation == 2


class Pausing:
    """A lock whose taker stops for a while right after taking it, or right before giving it back."""

    def __init__(self, lock: threading.Lock, when: str) -> None:
        self._lock, self._when = lock, when
        self.pauses, self.on = threading.Event(), threading.Event()

    def acquire(self, blocking: bool = True) -> bool:
        taken = self._lock.acquire(blocking)
        self._pause("taken")
        return taken

    def release(self) -> None:
        self._pause("given back")
        self._lock.release()

    def _pause(self, when: str) -> None:
        if when == self._when and not self.pauses.is_set():
            self.pauses.set()
            assert self.on.wait(60)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["taken", "given back"])
def test_a_reload_waits_for_items_that_are_being_added_from_beginning_to_end(run: Path, when: str) -> None:
    engine = Engine(run, ServeOptions())
    engine.start()
    lock = engine._changing = Pausing(engine._changing, when)  # type: ignore[assignment]
    with ThreadPoolExecutor(2) as threads:
        try:
            adding = threads.submit(engine.add_items, [{"item_id": "mine"}])
            assert lock.pauses.wait(60)
            reloading = threads.submit(engine.reload)
            with pytest.raises(FuturesTimeout):
                reloading.result(0.2)
        finally:
            lock.on.set()
        assert len(adding.result(60).catalogue) == 81 and reloading.result(60).generation == 2


def test_a_start_undoes_a_move_that_was_cut_off(run: Path) -> None:
    larger(run)
    (run / "model").rename(run / "previous")
    engine = Engine(run, ServeOptions())
    engine.start()
    assert engine.served is not None and len(engine.served.catalogue) == 80
    assert sorted(path.name for path in run.iterdir()) == ["model", "next"]


def test_a_run_that_cannot_be_served_says_so(tmp_path: Path, run: Path) -> None:
    with pytest.raises(CheckpointError, match="not a folder"):
        serve(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="no finished model"):
        serve(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be listened on"):
        serve(run, ServeOptions(host="203.0.113.1"))


def test_a_model_that_cannot_be_read_ends_the_process_with_its_error(run: Path) -> None:
    (run / "model" / "model.safetensors").write_bytes(b"torn")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(CheckpointError, match="cannot be read"):
        serve(run, ServeOptions(port=0, threads=0))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_to_end_that_comes_while_the_service_starts_is_followed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = threading.Event()

    def created(service: Service) -> FastAPI:
        os.kill(os.getpid(), signal.SIGTERM)
        return create_app(service)

    def end() -> None:
        late.set()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("attrformer.server.app.create_app", created)
    otherwise = threading.Timer(60, end)
    otherwise.start()
    try:
        serve(run, ServeOptions(port=0, threads=0))
    finally:
        otherwise.cancel()
    assert not late.is_set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 70000}, "port is 70000"),
        ({"queue": 0}, "queue is 0"),
        ({"timeout": 0}, "timeout is 0"),
        ({"token": "short"}, "16 or more"),
        ({"port": "80"}, "'port' takes int, not '80'"),
        ({"prot": 80}, "'prot'. Did you mean port"),
        ({"token": "with spaces in it, which is no token"}, "without spaces"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        ServeOptions(**options)  # type: ignore[arg-type]


def test_the_token_is_not_shown() -> None:
    options = ServeOptions(token=TOKEN, port=0)
    assert repr(options) == "ServeOptions(port=0)" and ServeOptions.from_dict(options.to_dict()) == options


@pytest.mark.slow
def test_a_reload_asked_for_while_the_first_model_is_read_comes_after_it(run: Path) -> None:
    larger(run)
    process = Process(run)
    try:
        process.signal(signal.SIGHUP)
        process.signal(signal.SIGHUP)
        assert process.wait_for("reload.done")["items"] == 81
        with process.client() as client:
            assert client.get("/v1/model").json()["items"] == 81
    finally:
        process.end()


@pytest.mark.slow
def test_a_reload_asked_for_during_another_is_not_lost(run: Path) -> None:
    service = Service(run, ServeOptions())
    service.engine.start()

    async def ask() -> None:
        with service.engine._changing:
            # What is being read now may be older than what the second one asks for.
            service.reload_soon()
            await asyncio.sleep(0)
            larger(run)
            service.reload_soon()
            service.reload_soon()
        last = service._reloading
        assert last is not None and len((await last).catalogue) == 81

    asyncio.run(ask())
    service.close()
    assert not (run / "next").exists()


@pytest.mark.slow
def test_collections_of_garbage_leave_the_model_out(run: Path) -> None:
    service = Service(run, ServeOptions())
    try:
        asyncio.run(service.start())
        kept = gc.get_freeze_count()
        assert kept > 10_000
        asyncio.run(service.reload())
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        service.close()
