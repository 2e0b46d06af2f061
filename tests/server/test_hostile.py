"""Whatever is sent, the answer is JSON that says what is wrong, and the service goes on."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.services import Busy, application, got, posted, until, with_client

from attrformer.server.monitoring import JsonLines
from attrformer.server.options import MOST_K, ServeOptions
from attrformer.server.queueing import Line
from attrformer.server.state import Service

JSON = {"Content-Type": "application/json"}

BODIES: dict[str, Any] = {
    "k below one": {"users": ["user-0001"], "k": 0},
    "k too large": {"users": ["user-0001"], "k": MOST_K + 1},
    "k as text": {"users": ["user-0001"], "k": "5"},
    "k as truth": {"users": ["user-0001"], "k": True},
    "no users": {"users": []},
    "too many users": {"users": [str(n) for n in range(1000)]},
    "an id too long": {"users": ["x" * 1000]},
    "an id that is no id": {"users": [{"$ne": None}]},
    "a number too large": {"users": [10**30]},
    "a history too long": {"histories": [["item-0001"] * 3000]},
    "a history that is text": {"histories": ["item-0001"]},
    "another field": {"users": ["user-0001"], "where": "1=1"},
    "nobody": {},
    "a list": [],
    "nothing": None,
    "an unknown attribute": {"user_attributes": {"me": {"shoe_size": 43}}},
    "an attribute of the wrong kind": {"user_attributes": {"me": ["age_band"]}},
    "two people in two ways": {"users": ["user-0001"], "histories": [["item-0001"]]},
    "what to do with the unknown": {"users": ["user-0001"], "on_unknown": "explode"},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_that_do_not_fit_are_refused(service: Service, body: Any) -> None:
    answer = posted(service, "/v1/recommend", body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] in ("invalid", "bad_option", "bad_data") and error["message"].endswith((".", ")."))
    assert "Traceback" not in answer.text and ".py" not in answer.text


def test_more_than_can_be_explained_at_a_time_is_refused(service: Service) -> None:
    body = {"histories": [["item-0001"]] * 250, "k": 100}
    answer = posted(service, "/v1/explain", body)
    assert answer.status_code == 422 and "25,000 scores" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"users": ["'; DROP TABLE users; --"]},
        {"users": ["../../etc/passwd"]},
        {"users": ["<script>alert(1)</script>"]},
        {"users": ["user-0001\x00"]},
        {"users": [7]},
        {"histories": [["\u202eitem-0001"]]},
        {"users": ["user-0001"], "candidates": ["nothing"]},
        {"users": ["user-0001"], "exclude": ["nothing"]},
        {"user_attributes": {"me": {"age_band": "nobody-has-this"}}},
    ],
)
def test_ids_that_nobody_has_are_not_found(service: Service, body: Any) -> None:
    answer = posted(service, "/v1/recommend", body)
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "unknown_id", answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 422),
        (b"", JSON, 422),
        (b"\xff\xfe", JSON, 422),
        (b"[" * 100_000, JSON, 400),
        (b'{"k": ' + b"9" * 10_000 + b"}", JSON, 400),
        (b'{"users": ["\\ud800"]}', JSON, 422),
        (b'{"\\ud800": 1}', JSON, 422),
        (b'{"users": ["user-0001"], "k": NaN}', JSON, 422),
        (b'{"users": ["user-0001"]}', {}, 422),
        (b'{"users": ["user-0001"]}', {"Content-Type": "text/plain"}, 422),
        (b"x" * (1 << 21), JSON, 413),
        (b"{}", {**JSON, "Content-Length": "x"}, 413),
    ],
)
def test_bytes_that_are_no_request_are_refused(
    service: Service, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = with_client(service, lambda client: client.post("/v1/recommend", content=content, headers=headers))
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    # What was sent is not sent back.
    assert "user-0001" not in answer.text


def test_a_body_without_a_length_is_cut_off_at_the_limit(service: Service) -> None:
    async def endless() -> Any:
        while True:
            yield b"x" * 65536

    answer = with_client(service, lambda client: client.post("/v1/recommend", content=endless(), headers=JSON))
    assert answer.status_code == 413


def test_a_body_that_does_not_arrive_is_given_up(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(timeout=0.2))
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/recommend", "headers": [], "query_string": b""}
        await asyncio.wait_for(application(service)(scope, receive, send), 60)

    asyncio.run(run())
    assert sent[0]["status"] == 408 and json.loads(sent[1]["body"])["error"]["code"] == "too_slow"


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/none", 404), ("/../../etc/passwd", 404), ("/%2e%2e/options.py", 404)]
)
def test_addresses_that_are_none_are_not_found(service: Service, path: str, status: int) -> None:
    answer = got(service, path)
    assert answer.status_code == status and answer.json()["error"]["code"] == "not_found"


@pytest.mark.slow
def test_more_than_may_wait_is_refused_at_once(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(queue=3, batch=1))
    service.engine.start()

    async def flood(client: httpx.AsyncClient) -> list[httpx.Response]:
        body, work = {"users": ["user-0001"], "k": 1}, Busy()
        busy = asyncio.create_task(service.line.submit(work, 120))
        await work.begun()
        asked = [asyncio.create_task(client.post("/v1/recommend", json=body)) for _ in range(20)]
        # The model answers nobody meanwhile.
        await until(lambda: sum(each.done() for each in asked) == 17)
        work.let_go()
        await busy
        return await asyncio.gather(*asked)

    answers = with_client(service, flood)
    counts = {status: sum(answer.status_code == status for answer in answers) for status in (200, 429)}
    assert counts == {200: 3, 429: 17}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] and refused.json()["error"]["code"] == "busy"
    assert posted(service, "/v1/recommend", {"users": ["user-0001"]}).status_code == 200


def test_what_takes_too_long_is_given_up_and_what_comes_late_refused(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(timeout=0.2))
    service.engine.start()
    body, work = {"users": ["user-0001"], "k": 1}, Busy()

    async def ask(client: httpx.AsyncClient) -> None:
        blocked = asyncio.create_task(service.line.submit(work, 120))
        await work.begun()
        late = await client.post("/v1/recommend", json=body)
        assert late.status_code == 503 and late.json()["error"]["code"] == "timed_out"
        work.let_go()
        await blocked
        await asyncio.to_thread(service.close)
        after = await client.post("/v1/recommend", json=body)
        assert after.status_code == 503 and after.json()["error"]["code"] == "stopping"

    with_client(service, ask)


def test_what_the_end_of_the_service_cuts_off_is_told_so(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(timeout=60))
    service.engine.start()
    work = Busy()

    async def ask(client: httpx.AsyncClient) -> None:
        blocked = asyncio.create_task(service.line.submit(work, 120))
        await work.begun()
        asked = asyncio.create_task(client.post("/v1/recommend", json={"users": ["user-0001"], "k": 1}))
        await until(lambda: service.line.waited_for == 1)
        # As the server does with each request that is left after the grace.
        asked.cancel()
        answer = await asked
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "stopping"
        work.let_go()
        await blocked

    with_client(service, ask)


def test_an_error_of_the_service_itself_tells_nothing_outside(
    fitted_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(fitted_run, ServeOptions())
    service.engine.start()

    def broken(calls: Any) -> Any:
        raise RuntimeError("the secret of user-0001")

    service.line.close()
    service.line = Line(broken, 5, 5)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger("attrformer.server").addHandler(handler)
    try:
        answer = posted(service, "/v1/recommend", {"users": ["user-0001"]})
    finally:
        logging.getLogger("attrformer.server").removeHandler(handler)
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "internal"
    logged = capsys.readouterr().err
    entry = next(json.loads(line) for line in logged.splitlines() if "RuntimeError" in line)
    assert entry["event"] == "request.failed" and any("broken" in place for place in entry["where"])
    assert "secret" not in answer.text + logged and "user-0001" not in logged


def test_figures_name_routes_and_nobody(service: Service) -> None:
    posted(service, "/v1/recommend", {"users": ["user-0002"], "k": 1})
    got(service, "/v1/history?user_id=user-0002")
    got(service, "/somewhere/user-0002")
    text = got(service, "/metrics").text
    assert 'attrformer_requests_total{method="POST",route="/v1/recommend",status="200"}' in text
    assert 'route="other",status="404"' in text and "attrformer_ready 1.0" in text
    assert "attrformer_catalogue_items 80.0" in text and "attrformer_model_seconds_bucket" in text
    assert "user-0002" not in text and "somewhere" not in text


def test_every_answer_forbids_what_the_page_does_not_need(service: Service) -> None:
    for path in ("/", "/v1/model", "/v1/none"):
        headers = got(service, path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert got(service, "/v1/model").headers["Cache-Control"] == "no-store"
