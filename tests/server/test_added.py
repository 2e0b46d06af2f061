"""Items that were added: on the disk before anybody is told so, and no model of the run is touched by them."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.test_reload import larger
from tests.support.services import TOKEN, with_client

from attrformer.errors import CheckpointError, DataError
from attrformer.recommender import AttrFormer
from attrformer.server.added import FILE, Added
from attrformer.server.answering import Served
from attrformer.server.carrying import carry
from attrformer.server.engine import CatalogueFull, Engine
from attrformer.server.options import ServeOptions
from attrformer.server.state import ADDS, Service

KEPT = ServeOptions(token=TOKEN, save_added=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_adding_leaves_the_waiting_model_and_the_one_before_as_they_are(run: Path) -> None:
    larger(run)
    larger(run, "previous")
    before = {name: contents(run / name) for name in ("model", "next", "previous")}
    service = Service(run, KEPT)
    service.engine.start()

    async def ask(client: httpx.AsyncClient) -> None:
        added = await client.post("/v1/items", json={"items": [{"item_id": "mine", "attributes": {"price": 3.5}}]})
        assert added.json() == {"added": 1, "catalogue": 81, "saved": True}
        assert {name: contents(run / name) for name in before} == before
        # The model that waits takes its place, and what was added goes with it.
        told = (await client.post("/v1/reload")).json()
        assert told == {"model": 2, "version": service.served.version, "items": 82}
        for item in ("mine", "new-1"):
            assert (await client.get(f"/v1/catalogue?query={item}")).json()["total"] == 1

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")
    service.close()
    assert contents(run / "model") == before["next"] and contents(run / "previous") == before["model"]
    assert not (run / "next").exists()


@pytest.mark.slow
def test_what_is_not_kept_is_reported_by_the_reload_that_loses_it(run: Path) -> None:
    service = Service(run, ServeOptions(token=TOKEN))
    service.engine.start()

    async def ask(client: httpx.AsyncClient) -> None:
        added = await client.post("/v1/items", json={"items": [{"item_id": "mine"}, {"item_id": "yours"}]})
        assert added.json()["saved"] is False
        told = (await client.post("/v1/reload")).json()
        assert told == {"model": 2, "version": service.served.version, "items": 80, "lost": 2}

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")
    assert not (run / FILE).exists()


def test_what_a_process_that_died_left_behind_was_never_answered(tmp_path: Path) -> None:
    added = Added(tmp_path)
    assert added.read() == []
    added.append([{"item_id": "a", "brand": "\u00fc\n"}])
    whole = added.path.read_bytes()
    for torn in (b'{"items": [{"item_id"', b"x" * 200_000):
        added.path.write_bytes(whole + torn)
        assert added.read() == [[{"item_id": "a", "brand": "\u00fc\n"}]]
    added.append([{"item_id": 7}, {"item_id": "b", "tags": ["x", "y"]}])
    assert added.read()[1:] == [[{"item_id": 7}, {"item_id": "b", "tags": ["x", "y"]}]]
    assert added.path.read_bytes().startswith(whole) and b"xxx" not in added.path.read_bytes()


@pytest.mark.parametrize("line", [b"{}", b"no json", b'{"items": 3}', b'{"items": ["a"]}', b"[" * 100_000])
def test_a_damaged_file_is_refused_and_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / FILE).write_bytes(b'{"items": []}\n' + line + b"\n")
    with pytest.raises(CheckpointError, match=r"Line 2 of .*added\.jsonl"):
        Added(tmp_path).read()


def test_what_cannot_be_written_is_not_added(run: Path) -> None:
    engine = Engine(run, KEPT)
    engine.start()
    (run / FILE).mkdir()
    with pytest.raises(CheckpointError, match="cannot be kept"):
        engine.add_items([{"item_id": "mine"}])
    os.rmdir(run / FILE)
    assert engine.served is not None and len(engine.served.catalogue) == 80
    assert len(engine.add_items([{"item_id": "mine"}]).catalogue) == 81


def test_a_model_takes_what_it_does_not_know_and_as_far_as_it_can(run: Path) -> None:
    model = AttrFormer.load(run / "model")
    kept = [
        [{"item_id": "item-0003"}, {"item_id": "a", "brand": "Ostora", "gone": "x"}],
        [{"item_id": "a", "brand": "Twice"}, {"item_id": "b", "price": 3}, {"item_id": "c", "price": 3.5}],
        # Attributes that are now of another kind.
        [{"item_id": "d", "price": "dear"}, {"item_id": "e", "price": "9.5"}],
    ]
    assert carry(model, kept) == (4, 1)
    assert set(model.fitted.knowledge.item_ids.to_list()[80:]) == {"a", "b", "c", "e"}


@pytest.mark.slow
def test_so_many_items_can_be_added_and_no_more(run: Path) -> None:
    options = ServeOptions(token=TOKEN, save_added=True, most_added=3)
    engine = Engine(run, options)
    engine.start()
    engine.add_items([{"item_id": "a"}, {"item_id": "b"}])
    with pytest.raises(CatalogueFull):
        engine.add_items([{"item_id": "c"}, {"item_id": "d"}])
    # They count after a restart, too.
    service = Service(run, options)
    service.engine.start()

    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.post("/v1/items", json={"items": [{"item_id": "c"}]})).status_code == 201
        full = await client.post("/v1/items", json={"items": [{"item_id": "d"}]})
        assert full.status_code == 409 and full.json()["error"]["code"] == "full"
        assert "--most-added" in full.json()["error"]["message"]

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")


@pytest.mark.slow
def test_answers_go_on_while_items_are_added_one_request_after_the_other(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(run, ServeOptions(token=TOKEN, timeout=120))
    service.engine.start()
    add, asked = service.engine.add_items, threading.Event()

    def added(rows: list[dict[str, Any]]) -> Served:
        assert asked.wait(60)
        return add(rows)

    monkeypatch.setattr(service.engine, "add_items", added)
    body = {"histories": [["item-0003"]], "k": 1}

    async def ask(client: httpx.AsyncClient) -> None:
        bodies = [{"items": [{"item_id": f"new-{n}-{m}"} for m in range(50)]} for n in range(ADDS + 4)]
        adding = [asyncio.create_task(client.post("/v1/items", json=body)) for body in bodies]
        answered = 0
        while not all(task.done() for task in adding):
            assert (await client.post("/v1/recommend", json=body)).status_code == 200
            answered += 1
            asked.set()
        statuses = [task.result().status_code for task in adding]
        assert answered and statuses.count(201) >= ADDS and set(statuses) <= {201, 429}
        assert all(task.result().headers.get("Retry-After") for task in adding if task.result().status_code == 429)
        assert (await client.get("/v1/model")).json()["items"] == 80 + 50 * statuses.count(201)

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")
    service.close()


def test_an_add_that_fails_leaves_no_line(run: Path) -> None:
    engine = Engine(run, KEPT)
    engine.start()
    with pytest.raises(DataError):
        engine.add_items([{"item_id": "mine"}, {"item_id": "item-0003"}])
    assert Added(run).read() == []


def test_a_changed_bit_in_what_was_added_is_refused(tmp_path: Path) -> None:
    kept = Added(tmp_path)
    kept.append([{"item_id": "first", "brand": "a", "price": 1.5}, {"item_id": 2}])
    whole = kept.path.read_bytes()
    assert kept.read() == [[{"item_id": "first", "brand": "a", "price": 1.5}, {"item_id": 2}]]
    for place in range(len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 4
        kept.path.write_bytes(bytes(changed))
        with pytest.raises(CheckpointError, match=r"Line 1 of .* is damaged"):
            kept.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000 + "]" * 100_000,
        "{}",
        "[]",
        "7",
        '{"items": {}}',
        '{"items": [1]}',
        '{"items": [{}]}',
        '{"items": [{"item_id": null}]}',
        '{"items": [{"item_id": true}]}',
        '{"items": [{"item_id": ["a"]}]}',
        '{"items": [{"item_id": 1.5}]}',
        '{"items": [], "checksum": "x"}',
    ],
)
def test_lines_without_items_are_refused_before_the_service_starts(run: Path, line: str) -> None:
    (run / FILE).write_text(line + "\n")
    with pytest.raises(CheckpointError, match=r"Line 1 of .* take the line out"):
        Engine(run, KEPT).start()


def test_lines_of_earlier_versions_are_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"items": [{"item_id": "a"}]}\n')
    assert Added(tmp_path).read() == [[{"item_id": "a"}]]
