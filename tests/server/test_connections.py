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
LONG = ServeOptions(connections=8, header_timeout=120, idle_timeout=120, timeout=120, queue=20)
SHORT = replace(LONG, header_timeout=2.0, idle_timeout=2.0, timeout=4.0)
"""For connections that are to be closed: enough for the others, where tests share a processor with much else."""


@pytest.fixture(scope="module")
def patient(fitted_run: Path) -> Iterator[str]:
    """The address of a service with few connections that closes none for its age."""
    yield from _served(fitted_run, LONG)


@pytest.fixture(scope="module")
def hasty(fitted_run: Path) -> Iterator[str]:
    """The address of one with little patience."""
    yield from _served(fitted_run, SHORT)


def _served(run: Path, options: ServeOptions) -> Iterator[str]:
    service = Service(run, options)
    service.engine.start()
    with listening(service) as address:
        yield address


def connect(address: str, *sent: bytes) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
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


def status_of(connection: socket.socket) -> bytes:
    """The first line of an answer as far as its status, once that is there."""
    start = b""
    while len(start) < 12:
        part = connection.recv(12 - len(start))
        assert part, start
        start += part
    return start


def drips(connection: socket.socket) -> None:
    """Sends a byte now and then until the other side has closed."""
    with connection, pytest.raises(OSError):
        for _ in range(1200):
            connection.sendall(b" ")
            time.sleep(0.05)


def test_idle_and_half_sent_connections_make_room_for_others(patient: str) -> None:
    held = [connect(patient, *([HEAD] if n % 2 else [])) for n in range(60)]
    for path in ("/healthz", "/readyz", "/metrics"):
        assert httpx.get(patient + path, timeout=60).status_code == 200, path
    asked = {"content": BODY, "headers": {"Content-Type": "application/json"}}
    assert httpx.post(f"{patient}/v1/recommend", **asked, timeout=60).is_success  # type: ignore[arg-type]
    for connection in held:
        connection.close()


def test_what_sends_no_head_in_time_is_closed_however_often_a_byte_comes(hasty: str) -> None:
    silent, half = connect(hasty), connect(hasty, HEAD)
    assert told(silent) == b""
    assert told(half).startswith(b"HTTP/1.1 408 ")
    drips(connect(hasty, HEAD, b"X: "))


def test_a_body_that_drips_is_given_up_and_its_connection_closed(hasty: str) -> None:
    drips(connect(hasty, HEAD, b"Content-Length: 5000\r\n\r\n"))


def test_a_connection_that_waits_for_its_next_request_too_long_is_closed(hasty: str) -> None:
    started = time.monotonic()
    kept = connect(hasty, WHOLE)
    assert told(kept).count(b"HTTP/1.1 200") == 1
    assert time.monotonic() - started > 0.9 * SHORT.idle_timeout


def test_requests_one_behind_the_other_are_answered_in_their_order(patient: str) -> None:
    last = WHOLE.replace(b'"k": 1', b'"k": 0').replace(b"Host", b"Connection: close\r\nHost")
    text = told(connect(patient, WHOLE * 2 + last))
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
def test_heads_that_are_none_are_refused_as_all_else(patient: str, sent: bytes, status: bytes, code: str) -> None:
    try:
        connection = connect(patient, sent)
    except ConnectionError:
        pytest.skip("closed while it was sent")
    head, _, body = told(connection).partition(b"\r\n\r\n")
    if not head and len(sent) > HEAD_BYTES:
        return
    assert head.startswith(b"HTTP/1.1 " + status) and json.loads(body)["error"]["code"] == code


def test_an_upgrade_is_answered_as_any_other_request(patient: str) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with connect(patient, asked) as connection:
        assert status_of(connection) == b"HTTP/1.1 200"


def test_where_all_are_being_answered_probes_are_too_and_others_told_to_come_back(fitted_run: Path) -> None:
    service = Service(fitted_run, replace(LONG, connections=4))
    service.engine.start()
    with listening(service) as address:
        with busy(service):
            waiting = [connect(address, WHOLE) for _ in range(4)]
            asyncio.run(until(lambda: len(service.line) == 4))
            refused = httpx.post(f"{address}/v1/recommend", content=BODY, timeout=60)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "crowded")
            assert refused.headers["Retry-After"]
            for path in ("/healthz", "/readyz", "/metrics"):
                assert httpx.get(address + path, timeout=60).status_code == 200
        for connection in waiting:
            with connection:
                assert status_of(connection) == b"HTTP/1.1 200"


def test_who_is_gone_leaves_no_work_behind(fitted_run: Path) -> None:
    service = Service(fitted_run, LONG)
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
    with serving(large, SHORT) as (server, address):
        slow = connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n")
        assert status_of(slow) == b"HTTP/1.1 200"
        asyncio.run(until(lambda: not server.server_state.connections))
        assert len(told(slow)) < 50_000_000
        quick = told(connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n"))
        assert len(quick) > 50_000_000


async def in_pieces(scope: Any, receive: Any, send: Any) -> None:
    """Answers with as much, a piece at a time."""
    if scope["type"] == "http":
        await InPieces([b"x" * 100_000] * 500, {})(scope, receive, send)


def test_an_answer_in_pieces_of_which_nothing_is_taken_is_given_up_and_one_taken_slowly_is_not() -> None:
    with serving(in_pieces, SHORT) as (server, address):
        idle = connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow, size = connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), 0
        end = time.monotonic() + 1.5 * SHORT.timeout
        while time.monotonic() < end:
            # Far more than has to be taken, and far less than could be.
            size += len(slow.recv(1 << 18))
            time.sleep(0.02)
        assert size + len(told(slow)) > 50_000_000
        # The other one has been read to its end.
        asyncio.run(until(lambda: not server.server_state.connections))
        assert len(told(idle)) < 50_000_000


def test_who_takes_nothing_of_an_answer_makes_room_for_others() -> None:
    with listening_app(in_pieces, replace(LONG, connections=4)) as address:
        idle = [connect(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(4)]
        end = time.monotonic() + 60
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
