"""What every request passes first and last: host, token, the size of its body, headers, figures and the log."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attrformer.server.errors import Refused, as_response, stopping
from attrformer.server.monitoring import Metrics, log
from attrformer.server.options import Hosts, ServeOptions

_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_QUIET: Final = ("/healthz", "/readyz", "/metrics")
_UNKNOWN: Final = "other"

T = TypeVar("T")

_CLOSED: Final = 499
"""What figures and the log call the status of a request whose sender was gone before it was answered."""

_LAST: Final = 0.05
"""Seconds that the application has to end once its answer is sent, or nobody waits for it any more."""


class _Gone(Exception):
    """Whoever sent the request has closed the connection."""


class Gate:
    """The outermost layer of the application.

    Args:
        app: what answers.
        options: token and limits.
        metrics: where requests are counted.
        closing: whether answers are to close their connections.
    """

    def __init__(
        self, app: ASGIApp, options: ServeOptions, metrics: Metrics, closing: Callable[[], bool] = lambda: False
    ) -> None:
        self._app, self._options, self._metrics, self._closing = app, options, metrics, closing
        self._hosts = Hosts(options.host, options.allowed_hosts, options.token is not None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _decorate(message, scope["path"], self._closing())
            await send(message)

        try:
            self._check_site(scope)
            self._check_token(scope)
            body = await self._body(scope, receive)
            await _while_connected(self._app, scope, body, receive, watched)
        except _Gone:
            # Nobody is there to be answered.
            status = status or _CLOSED
        except asyncio.CancelledError:
            # The server below ends what has not been answered within the grace.
            if status:
                raise
            await stopping().response()(scope, receive, watched)
        except Exception as error:
            # Whatever has begun cannot become an error any more.
            if status:
                log("request.broken", logging.ERROR, error=error)
            else:
                await as_response(error)(scope, receive, watched)
        self._note(scope, status, time.perf_counter() - started)

    def _check_site(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if not self._hosts.answers_as(host):
            message = "This service does not answer as the host of this request. Allow it with --allowed-hosts."
            raise Refused(421, "wrong_host", message)
        if not self._hosts.may_come_from(headers.get("origin"), host):
            message = "A page of another site may not ask this service. Allow its host with --allowed-hosts."
            raise Refused(403, "other_site", message)

    def _check_token(self, scope: Scope) -> None:
        token, path = self._options.token, scope["path"]
        if token is None or not (path.startswith("/v1/") or path == "/metrics"):
            return
        given = Headers(scope=scope).get("authorization", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            message = "The token is missing or wrong. Send it as Authorization: Bearer TOKEN."
            raise Refused(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Reads the body within limits of size and time."""
        most = self._options.body_bytes
        refused = Refused(413, "too_large", f"The body is too large. Send {most:,} bytes at most.")
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > most:
            raise refused
        parts: list[bytes] = []
        deadline = time.monotonic() + self._options.timeout
        more, size = True, 0
        while more:
            try:
                message = await _within(max(0.0, deadline - time.monotonic()), receive())
            except asyncio.TimeoutError:
                raise Refused(408, "too_slow", "The body did not arrive in time. Send it again.") from None
            if message["type"] == "http.disconnect":
                raise _Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > most:
                raise refused
        return b"".join(parts)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or _UNKNOWN
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else _UNKNOWN
        self._metrics.request(route, method, status, seconds)
        level = logging.DEBUG if route in _QUIET and status < 500 else logging.INFO
        log("request", level, route=route, method=method, status=status, seconds=round(seconds, 5))


async def _while_connected(app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Lets the application answer as long as somebody waits for it: who is gone leaves no work behind.

    Raises:
        _Gone: the connection was closed before.
    """
    gone = asyncio.Event()
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            await gone.wait()
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    if scope["method"] != "POST":
        await app(scope, replay, send)
        return
    answering = asyncio.current_task()
    assert answering is not None

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()
        # The server says so, too, when it has sent the answer.
        await asyncio.sleep(_LAST)
        ends.set()
        answering.cancel()

    ends = asyncio.Event()
    listening = asyncio.ensure_future(listen())
    try:
        await app(scope, replay, send)
    except asyncio.CancelledError:
        if not ends.is_set():
            raise
        _forget_cancelling(answering)
        raise _Gone from None
    finally:
        listening.cancel()


async def _within(seconds: float, work: Awaitable[T]) -> T:
    """What `asyncio.wait_for` does without a task of its own, which would take longer than most of what is waited for.

    Raises:
        asyncio.TimeoutError: the work has not ended in time.
    """
    waiting, late = asyncio.current_task(), False
    assert waiting is not None

    def end() -> None:
        nonlocal late
        late = True
        waiting.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        return await work
    except asyncio.CancelledError:
        if not late:
            raise
        _forget_cancelling(waiting)
        raise asyncio.TimeoutError from None
    finally:
        timer.cancel()


def _forget_cancelling(task: asyncio.Task[Any]) -> None:
    # Python 3.10 does not count.
    if sys.version_info >= (3, 11):
        task.uncancel()


def _decorate(message: Message, path: str, closing: bool) -> None:
    headers = message["headers"] = [*message["headers"], *_HEADERS]
    if closing:
        headers.append((b"connection", b"close"))
    if not any(name == b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", b"no-store" if path.startswith("/v1/") else b"no-cache"))
