"""Prices and stock of a running service: changes that are posted or stand in a file, through models and processes."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.server.test_workers import both
from tests.support.services import TOKEN, Process, got, posted

from attrformer.errors import CheckpointError
from attrformer.recommender import AttrFormer
from attrformer.recommender.changes import with_changes
from attrformer.server.added import CHANGED_FILE, CHANGES, Added
from attrformer.server.changing import change_table
from attrformer.server.options import ServeOptions
from attrformer.server.state import Service

HISTORY = {"histories": [["item-0003", "item-0007"]], "k": 80, "hide_seen": False}
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
OPEN = ServeOptions(token=TOKEN, save_added=True)


def started(run: Path, options: ServeOptions = OPEN) -> Service:
    service = Service(run, options)
    service.engine.start()
    return service


@pytest.fixture
def service(run: Path) -> Iterator[Service]:
    made = started(run)
    yield made
    made.close()


def stock(*changes: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"changes": [{"item_id": item, "column": "stock", "value": value, **more} for item, value in changes]}


def items(service: Service, where: str, **more: Any) -> set[str]:
    found = posted(service, "/v1/recommend", {**HISTORY, "where": where, **more}, **AUTHORISED)
    assert found.status_code == 200, found.text
    return recommended(found.json())


def recommended(answer: dict[str, Any]) -> set[str]:
    """The items of an answer; somebody whom rules leave nothing has no entry."""
    return {entry["item_id"] for result in answer["results"] for entry in result["items"]}


def test_a_price_changes_at_once_and_is_known_from_its_time_on(service: Service, model: AttrFormer) -> None:
    before = items(service, "price < 10")
    assert before and "item-0003" not in items(service, "price == 777")
    body = {"changes": [{"item_id": "item-0003", "column": "price", "value": 777, "timestamp": 2_000_000_000}]}
    answer = posted(service, "/v1/changes", body, **AUTHORISED)
    assert (answer.status_code, answer.json()) == (201, {"changed": 1, "saved": True})
    assert items(service, "price == 777") == {"item-0003"}
    assert items(service, "price == 777", as_of=2_000_000_000) == {"item-0003"}
    assert items(service, "price < 10", as_of=1_999_999_999) == before
    # The model that was read is untouched, and so is the network.
    assert service.served.model.fitted.network is not None
    assert model.recommend(histories=[["item-0003"]], k=3, where="price == 777").is_empty()


def test_new_columns_have_to_be_asked_for(service: Service) -> None:
    body = stock(("item-0001", 4), ("item-0002", None), ("item-0003", 0))
    refused = posted(service, "/v1/changes", body, **AUTHORISED)
    assert refused.status_code == 422 and "no column 'stock'" in refused.json()["error"]["message"]
    assert posted(service, "/v1/changes", {**body, "new_columns": True}, **AUTHORISED).status_code == 201
    assert items(service, "stock > 0") == {"item-0001"}
    assert items(service, "stock is not missing") == {"item-0001", "item-0003"}
    now = int(time.time())
    assert items(service, "stock > 0", as_of=now + 60) == {"item-0001"}
    # Before that time nothing was known of it.
    assert items(service, "stock is not missing", as_of=now - 600) == set()
    assert posted(service, "/v1/changes", stock(("item-0005", 1)), **AUTHORISED).status_code == 201
    assert items(service, "stock > 0") == {"item-0001", "item-0005"}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (stock(("nothing", 1)) | {"new_columns": True}, 404, "'nothing' is not in the catalogue"),
        ({"changes": [{"item_id": "item-0001", "column": "pricee", "value": 1}]}, 422, "Did you mean 'price'?"),
        ({"changes": [{"item_id": "item-0001", "column": "category", "value": "x"}]}, 422, "'category' is multi"),
        ({"changes": [{"item_id": "item-0001", "column": "price", "value": "much"}]}, 422, "price"),
        ({"changes": []}, 422, "changes"),
        ({"changes": [{"item_id": "item-0001", "column": "price"}]}, 422, "value"),
        ({"changes": [{"item_id": "item-0001", "column": "price", "value": [1]}]}, 422, "value"),
        (stock(("item-0001", 1), timestamp=10**15), 422, "timestamp"),
    ],
)
def test_what_cannot_be_changed_changes_nothing(service: Service, body: Any, status: int, said: str) -> None:
    before = service.served
    answer = posted(service, "/v1/changes", body, **AUTHORISED)
    assert answer.status_code == status and said in json.dumps(answer.json()), answer.text
    assert service.served is before and not (service.engine.run / CHANGED_FILE).exists()


def test_who_may_add_may_change(run: Path) -> None:
    guarded = started(run)
    assert posted(guarded, "/v1/changes", stock(("item-0001", 1))).status_code == 401
    guarded.close()
    anywhere = started(run, ServeOptions(host="0.0.0.0"))
    assert posted(anywhere, "/v1/changes", stock(("item-0001", 1)), Host="127.0.0.1").status_code == 403
    anywhere.close()


def test_changes_are_kept_through_starts_and_models(run: Path, model: AttrFormer) -> None:
    first = started(run)
    posted(first, "/v1/items", {"items": [{"item_id": "mine", "attributes": {"price": 3.5}}]}, **AUTHORISED)
    body = stock(("mine", 2), ("item-0004", 1)) | {"new_columns": True}
    assert posted(first, "/v1/changes", body, **AUTHORISED).status_code == 201
    assert items(first, "stock > 0") == {"mine", "item-0004"}
    model.save(run / "next")
    assert posted(first, "/v1/reload", {}, **AUTHORISED).json()["model"] == 2
    assert items(first, "stock > 0") == {"mine", "item-0004"}
    first.close()
    again = started(run)
    assert items(again, "stock > 0") == {"mine", "item-0004"} and again.served.changes == 2
    again.close()
    plain = started(run, replace(OPEN, save_added=False))
    assert posted(plain, "/v1/changes", body | {"new_columns": False}, **AUTHORISED).status_code in (404, 422)
    plain.close()


def test_so_many_changes_and_no_more(run: Path) -> None:
    service = started(run, replace(OPEN, most_changed=2))
    assert posted(service, "/v1/changes", stock(("item-0001", 1)) | {"new_columns": True}, **AUTHORISED).is_success
    full = posted(service, "/v1/changes", stock(("item-0001", 1), ("item-0002", 1)), **AUTHORISED)
    assert full.status_code == 409 and full.json()["error"]["code"] == "full"
    assert "1 more changes can be taken up, of 2" in full.json()["error"]["message"]
    service.close()


def test_a_kept_change_that_does_not_fit_is_left_out_and_counted(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"item_id": item, "timestamp": 5, "column": column, "value": value}
        for item, column, value in (("item-0001", "price", 1), ("item-0002", "price", "no"), ("gone", "price", 2))
    ]
    rows += [{"item_id": f"item-{n:04}", "timestamp": 5, "column": "price", "value": 2} for n in range(3, 9)]
    Added(run, CHANGED_FILE, CHANGES).append(rows)
    service = Service(run, OPEN)
    logged = dict[str, Any]()
    monkeypatch.setattr("attrformer.server.state.log", lambda event, *_, **fields: logged.update({event: fields}))
    asyncio.run(service.start())
    assert service.served.changes_lost == 2
    assert (logged["ready"]["changes"], logged["ready"]["changes_lost"]) == (9, 2)
    assert {"item-0001", *(f"item-{n:04}" for n in range(3, 9))} <= items(service, "price < 3")
    service.close()
    (run / CHANGED_FILE).write_text('{"items": []}\n')
    with pytest.raises(CheckpointError, match=r"changed\.jsonl is damaged \(it holds no changes\)"):
        started(run)


def test_what_does_not_fit_is_found_without_a_try_of_each(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"item_id": f"item-{n:04}", "timestamp": 5, "column": "price", "value": f"no {n}" if n % 2 else n}
        for n in range(1, 61)
    ]
    # Several values for an item cannot change.
    rows.append({"item_id": "item-0001", "timestamp": 5, "column": "category", "value": "x"})
    Added(run, CHANGED_FILE, CHANGES).append(rows)
    asked = []

    def counting(fitted: Any, frame: Any, **more: Any) -> Any:
        asked.append(len(frame))
        return with_changes(fitted, frame, **more)

    monkeypatch.setattr("attrformer.server.changing.with_changes", counting)
    service = started(run)
    assert asked == [30] and service.served.changes_lost == 31
    service.close()


def test_changes_as_a_table() -> None:
    rows = [{"item_id": 3, "timestamp": 1, "column": "c", "value": v} for v in (True, 1, 0.1, None, "x")]
    assert change_table(rows)["value"].to_list() == ["true", "1", "0.1", None, "x"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that can fork")
def test_all_workers_have_what_one_was_told(run: Path) -> None:
    process = Process(run, "--workers", "2")
    try:
        for _ in range(2):
            process.wait_for("ready")
        with both(process) as clients:
            for number, client in enumerate(clients.each()):
                body = stock((f"item-{number + 1:04}", 1)) | {"new_columns": True}
                assert client.post("/v1/changes", json=body).json() == {"changed": 1, "saved": False}
            for client in clients.each():
                found = client.post("/v1/recommend", json={**HISTORY, "where": "stock > 0"}).json()
                assert recommended(found) == {"item-0001", "item-0002"}
    finally:
        process.end()


def test_the_document_describes_the_call(service: Service) -> None:
    described = got(service, "/openapi.json").json()["paths"]["/v1/changes"]["post"]
    assert described["responses"]["201"] and "prices, stock" in described["description"]
