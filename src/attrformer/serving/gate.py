"""What every request passes first and last: the token, the size of its body, headers, figures and the log."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attrformer.serving.failures import Refused, as_response
from attrformer.serving.logs import log
from attrformer.serving.metrics import Metrics
from attrformer.serving.options import ServeOptions

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_QUIET: Final = ("/healthz", "/readyz", "/metrics")
_UNKNOWN: Final = "other"


class Gate:
    """The outermost layer of the application.

    Args:
        app: what answers.
        options: token and limits.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, options: ServeOptions, metrics: Metrics) -> None:
        self._app, self._options, self._metrics = app, options, metrics

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
                _decorate(message, scope["path"])
            await send(message)

        try:
            self._check_token(scope)
            await self._app(scope, await self._with_body(scope, receive), watched)
        except Exception as error:
            # Whatever has begun cannot become an error any more.
            if status:
                log("request.broken", logging.ERROR, error=error)
            else:
                await as_response(error)(scope, receive, watched)
        self._note(scope, status, time.perf_counter() - started)

    def _check_token(self, scope: Scope) -> None:
        token, path = self._options.token, scope["path"]
        if token is None or not (path.startswith("/v1/") or path == "/metrics"):
            return
        given = Headers(scope=scope).get("authorization", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            message = "The token is missing or wrong. Send it as Authorization: Bearer TOKEN."
            raise Refused(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})

    async def _with_body(self, scope: Scope, receive: Receive) -> Receive:
        """Reads the body within limits of size and time, and gives it to the application in one piece."""
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
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except asyncio.TimeoutError:
                raise Refused(408, "too_slow", "The body did not arrive in time. Send it again.") from None
            if message["type"] == "http.disconnect":
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > most:
                raise refused
        return _once(b"".join(parts), receive)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or _UNKNOWN
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else _UNKNOWN
        self._metrics.request(route, method, status, seconds)
        level = logging.DEBUG if route in _QUIET and status < 500 else logging.INFO
        log("request", level, route=route, method=method, status=status, seconds=round(seconds, 5))


def _once(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _decorate(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store" if path.startswith("/v1/") else "no-cache")
