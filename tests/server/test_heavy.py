"""Large requests are answered in pieces, as they would be whole, and small ones do not wait for them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.services import application, until

from attrformer.errors import AttrFormerError
from attrformer.server.answering import Answer, answer_in_pieces, answer_together
from attrformer.server.calls import EXPLAIN, RECOMMEND, SIMILAR, Call
from attrformer.server.options import ServeOptions
from attrformer.server.pricing import Prices
from attrformer.server.routes import InPieces
from attrformer.server.state import Service

pytestmark = pytest.mark.slow

ITEMS = [f"item-{n:04d}" for n in range(1, 31)]
MANY = [ITEMS[n % 7 : n % 7 + n % 5] for n in range(40)]
CALLS = {
    "users": Call(RECOMMEND, {"users": [f"user-{n:04d}" for n in range(1, 60)], "k": 30}),
    "histories": Call(RECOMMEND, {"histories": MANY, "k": 80, "hide_seen": False}),
    "names": Call(
        RECOMMEND,
        {
            "users": ["user-0001", "user-0002"],
            "histories": {"user-0002": ITEMS[:3], "me": []},
            "user_attributes": {"me": {"age_band": "25-34"}, "user-0001": {"region": None}},
        },
    ),
    "warnings": Call(RECOMMEND, {"users": ["user-0001", "nobody"], "on_unknown": "warn", "candidates": ITEMS}),
    "reasons": Call(EXPLAIN, {"histories": MANY[:12], "k": 25}),
    "reasons of one": Call(
        EXPLAIN, {"histories": {"me": ITEMS[:4]}, "items": [*ITEMS, "nothing"], "on_unknown": "warn"}
    ),
    "similar": Call(SIMILAR, {"items": ITEMS, "k": 9, "by": "cooccurrence_near"}),
    "unknown": Call(RECOMMEND, {"users": ["user-0001", "nobody"]}),
    "no option": Call(SIMILAR, {"items": ITEMS, "by": "nothing"}),
}


class Tiny(Prices):
    """Prices by which a piece is as small as may be."""

    def rows(self, method: str) -> int:
        return 7

    def people(self, method: str, rows: int) -> int:
        return 3


def in_pieces(service: Service, call: Call) -> tuple[Answer | Exception, int]:
    pieces, count = answer_in_pieces(service.engine._ready(), call, Tiny(), lambda *_: None), 0
    while True:
        try:
            next(pieces)
            count += 1
        except StopIteration as done:
            answer: Answer = done.value
            return answer, count
        except AttrFormerError as error:
            return error, count


def close_to(found: Any, right: Any) -> bool:
    """Equal but for the last digits of scores."""
    if isinstance(right, float):
        return bool(found == pytest.approx(right, abs=1e-4))
    if isinstance(right, list):
        return len(found) == len(right) and all(map(close_to, found, right))
    if isinstance(right, dict):
        return found.keys() == right.keys() and all(close_to(found[name], right[name]) for name in right)
    return bool(found == right)


@pytest.mark.parametrize("name", CALLS)
def test_pieces_make_up_the_whole_answer(service: Service, name: str) -> None:
    call = CALLS[name]
    (whole,) = answer_together(service.engine._ready(), [call], Prices(), lambda *_: None)
    found, count = in_pieces(service, call)
    if isinstance(whole, Exception):
        assert type(found) is type(whole) and str(found) == str(whole)
        return
    assert isinstance(found, Answer) and count > (call.asked > 3)
    assert close_to(json.loads(b"".join(found.results)), json.loads(b"".join(whole.results)))
    assert found.warnings == whole.warnings and (name not in ("warnings", "reasons of one") or found.warnings)


def test_a_small_request_is_answered_while_heavy_ones_wait(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(timeout=120))
    service.engine.start()
    pieces, answered = service.engine.pieces, threading.Event()

    def longer(call: Call) -> Generator[None, None, Answer]:
        answer = yield from pieces(call)
        while not answered.is_set():
            yield
            time.sleep(0.001)
        return answer

    service.line._pieces = longer
    heavy = {"histories": [ITEMS[n % 9 : n % 9 + 5] for n in range(256)], "k": 78}
    small = {"histories": [["item-0003"]]}

    async def run() -> None:
        transport = httpx.ASGITransport(app=application(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=120) as client:
            tasks = [asyncio.create_task(client.post("/v1/explain", json=heavy)) for _ in range(4)]
            await until(lambda: len(service.line) == 4)
            for _ in range(10):
                assert (await client.post("/v1/recommend", json=small)).status_code == 200
            # None of the heavy ones could end before.
            assert len(service.line) == 4
            answered.set()
            for task in tasks:
                task.cancel()

    asyncio.run(run())
    service.close()


def test_a_price_follows_what_calls_take() -> None:
    prices = Prices()
    call = Call(RECOMMEND, {"users": ["u"] * 100, "k": 30})
    for _ in range(50):
        prices.learn(RECOMMEND, 100, 3000, 1.0, 2.0)
    assert prices.of(call, 1000) == pytest.approx(2.0, rel=0.05)
    assert prices.of(call, 10) < prices.of(call, 1000)
    assert prices.of(Call(RECOMMEND, {"histories": [["i"] * 2000] * 100, "k": 30}), 1000) > 2 * prices.of(call, 1000)
    assert prices.people(RECOMMEND, 1_000_000) == 1


def test_a_large_answer_is_put_together_and_sent_in_pieces(service: Service) -> None:
    call = Call(RECOMMEND, {"histories": [["item-0003", "item-0007"]] * 256, "k": 78})
    found, _ = in_pieces(service, call)
    assert isinstance(found, Answer) and len(found.results) > 10
    assert max(map(len, found.results)) < 1 << 18 and len(json.loads(b"".join(found.results))) == 256


def test_others_have_their_turn_between_the_pieces_of_an_answer() -> None:
    sent: list[str] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(str(message["type"]).rpartition(".")[2])

    async def other() -> None:
        sent.append("other")

    async def run() -> None:
        asking = asyncio.ensure_future(other())
        await InPieces([b"a", b"b", b"c"], {})({"type": "http"}, None, send)  # type: ignore[arg-type]
        await asking

    asyncio.run(run())
    assert sent == ["start", "body", "other", "body", "body"]


def test_pieces_are_smaller_where_others_use_the_processor() -> None:
    alone, crowded = Prices(), Prices()
    for _ in range(50):
        alone.learn(RECOMMEND, 100, 10_000, 0.03, 0.03)
        crowded.learn(RECOMMEND, 100, 10_000, 0.03, 0.12)
    assert alone.rows(RECOMMEND) == pytest.approx(12_000, rel=0.01)
    assert crowded.rows(RECOMMEND) == pytest.approx(3_000, rel=0.01)
    for _ in range(50):
        crowded.learn(RECOMMEND, 100, 10_000, 0.03, 3.0)
    # So small that calls in pieces cost much more in all they never become.
    assert 500 <= crowded.rows(RECOMMEND) <= 1_200
