"""Connections that are held open, half-sent, too large, not read: others are answered all the same."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.services import busy, listening, listening_app, serving, until

from attrformer.server.connections import HEAD_BYTES
from attrformer.server.options import ServeOptions
from attrformer.server.routes import InPieces
from attrformer.server.state import Service

pytestmark = pytest.mark.slow

HEAD = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = b'{"user_attributes": {"me": {}}, "k": 1}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
SHORT = ServeOptions(connections=8, header_timeout=0.8, idle_timeout=0.8, timeout=2.0, queue=20)


@pytest.fixture(scope="module")
def small(fitted_run: Path) -> Iterator[tuple[Service, str]]:
    """A service with few connections and little patience."""
    service = Service(fitted_run, SHORT)
    service.engine.start()
    with listening(service) as address:
        yield service, address


def connect(address: str, *sent: bytes) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    for data in sent:
        connection.sendall(data)
    return connection


def told(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    with connection:
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


def answers(address: str) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        started = time.monotonic()
        assert httpx.get(address + path, timeout=30).status_code == 200, path
        assert time.monotonic() - started < 10
    assert httpx.post(f"{address}/v1/recommend", content=BODY, headers={"Content-Type": "application/json"}).is_success


def test_idle_and_half_sent_connections_make_room_for_others(small: tuple[Service, str]) -> None:
    _, address = small
    held = [connect(address, *([HEAD] if n % 2 else [])) for n in range(60)]
    answers(address)
    for connection in held:
        connection.close()


def test_what_sends_no_head_in_time_is_closed_however_often_a_byte_comes(small: tuple[Service, str]) -> None:
    _, address = small
    silent, half, started = connect(address), connect(address, HEAD), time.monotonic()
    assert told(silent) == b""
    assert told(half).startswith(b"HTTP/1.1 408 ")
    drip = connect(address)
    with pytest.raises(OSError):
        for byte in HEAD * 3:
            drip.sendall(bytes([byte]))
            time.sleep(0.05)
    drip.close()
    # All that would be sent takes longer.
    assert time.monotonic() - started < 11


def test_a_body_that_drips_is_given_up_and_its_connection_closed(small: tuple[Service, str]) -> None:
    _, address = small
    drip = connect(address, HEAD, b"Content-Length: 5000\r\n\r\n")
    started = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - started < 15:
            drip.sendall(b" ")
            time.sleep(0.1)
    drip.close()
    assert time.monotonic() - started < 12


def test_a_connection_that_waits_for_its_next_request_too_long_is_closed(small: tuple[Service, str]) -> None:
    _, address = small
    started = time.monotonic()
    kept = connect(address, WHOLE)
    assert told(kept).count(b"HTTP/1.1 200") == 1
    assert 0.3 < time.monotonic() - started < 12


def test_requests_one_behind_the_other_are_answered_in_their_order(small: tuple[Service, str]) -> None:
    _, address = small
    text = told(connect(address, WHOLE * 2 + WHOLE.replace(b'"k": 1', b'"k": 0')))
    heads = [line for line in text.split(b"\r\n") if b"HTTP/1.1 " in line]
    assert [head[head.index(b"HTTP") :][9:12] for head in heads] == [b"200", b"200", b"422"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (HEAD + b"X: " + b"y" * 300_000, b"431", "too_large"),
        (b"\x16\x03\x01 no http at all\r\n\r\n", b"400", "bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400", "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"400", "bad_request"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400", "bad_request"),
    ],
)
def test_heads_that_are_none_are_refused_as_all_else(
    small: tuple[Service, str], sent: bytes, status: bytes, code: str
) -> None:
    try:
        connection = connect(small[1], sent)
    except ConnectionError:
        pytest.skip("closed while it was sent")
    head, _, body = told(connection).partition(b"\r\n\r\n")
    if not head and len(sent) > HEAD_BYTES:
        return
    assert head.startswith(b"HTTP/1.1 " + status) and json.loads(body)["error"]["code"] == code


def test_an_upgrade_is_answered_as_any_other_request(small: tuple[Service, str]) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert told(connect(small[1], asked)).startswith(b"HTTP/1.1 200")


def test_where_all_are_being_answered_probes_are_too_and_others_told_to_come_back(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(connections=4, queue=50))
    service.engine.start()
    with listening(service) as address:
        with busy(service):
            waiting = [connect(address, WHOLE) for _ in range(4)]
            asyncio.run(until(lambda: len(service.line) == 4))
            refused = httpx.post(f"{address}/v1/recommend", content=BODY)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "crowded")
            assert refused.headers["Retry-After"]
            for path in ("/healthz", "/readyz", "/metrics"):
                assert httpx.get(address + path).status_code == 200
        for connection in waiting:
            assert connection.recv(12).startswith(b"HTTP/1.1 200")
            connection.close()


def test_who_is_gone_leaves_no_work_behind(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions())
    service.engine.start()
    with listening(service) as address, busy(service):
        connections = [connect(address, WHOLE) for _ in range(5)]
        asyncio.run(until(lambda: len(service.line) == 5))
        for connection in connections:
            connection.close()
        asyncio.run(until(lambda: service.line.waited_for == 0))
        assert len(service.line) == 5


async def large(scope: Any, receive: Any, send: Any) -> None:
    """Answers with more than any system keeps for a connection."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"50000000")]})
        await send({"type": "http.response.body", "body": b"x" * 50_000_000})


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_an_answer_that_is_not_taken_is_given_up(more: bytes) -> None:
    with serving(large, replace(SHORT, timeout=1.0)) as (server, address):
        slow = connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n")
        connections = server.server_state.connections
        asyncio.run(until(lambda: bool(connections)))
        asyncio.run(until(lambda: not connections))
        assert len(told(slow)) < 50_000_000
        quick = told(connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n"))
        assert len(quick) > 50_000_000


async def in_pieces(scope: Any, receive: Any, send: Any) -> None:
    """Answers with as much, a piece at a time."""
    if scope["type"] == "http":
        await InPieces([b"x" * 100_000] * 500, {})(scope, receive, send)


def test_an_answer_in_pieces_of_which_nothing_is_taken_is_given_up_and_one_taken_slowly_is_not() -> None:
    options = replace(SHORT, timeout=1.0)
    with serving(in_pieces, options) as (server, address):
        idle = connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow, size = connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), 0
        end = time.monotonic() + 2.5 * options.timeout
        while time.monotonic() < end:
            # Far more than has to be taken, and far less than could be.
            size += len(slow.recv(1 << 18))
            time.sleep(0.02)
        assert size + len(told(slow)) > 50_000_000
        # The other one has been read to its end.
        asyncio.run(until(lambda: not server.server_state.connections))
        assert len(told(idle)) < 50_000_000


def test_who_takes_nothing_of_an_answer_makes_room_for_others() -> None:
    options = ServeOptions(connections=4, timeout=60)
    with listening_app(in_pieces, options) as address:
        idle = [connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(4)]
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as other:
                if b" 200 " in other.recv(20):
                    break
            time.sleep(0.1)
        else:
            raise AssertionError("those who take nothing keep all others out")
        for connection in idle:
            connection.close()


def test_a_limit_of_open_files_that_is_too_low_is_said_before_anything_starts() -> None:
    script = (
        "import resource, sys\n"
        "from attrformer.server.server import require_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 400))\n"
        "require_files(200)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 300\n"
        "require_files(1000)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "--connections 272 or less" in ended.stderr and "ulimit -n" in ended.stderr
