"""Connections: how long each part of a request may take, how many there may be, and room for probes beyond that.

The server below knows a time for the next request of a connection and a bound above which everything is refused,
probes too. Here a connection that sends no head, or a byte of it now and then, is closed; so is one that goes on with a
body that nobody reads any more, or does not take its answer. Where there are as many connections as may be, those that
wait for a request make room for new ones, the idle longest first. Only where all are being answered is a request
refused, with the time to come back, and probes are answered even then.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from attrformer.server.options import RESERVED, ServeOptions
from attrformer.server.sending import Counted

PROBES: Final = ("/healthz", "/readyz", "/metrics")

HEAD_BYTES: Final = 16 * 1024
"""Largest head of a request."""

_REST: Final = 2.0
"""Seconds that the rest of a body may take once its request has been answered."""

_SLOWEST: Final = 6_400
"""Bytes of an answer that have to be taken each second."""

_LATE: Final = 1.0
"""Seconds after which a body that is still arriving counts as one that makes room for others."""


def protocol_of(options: ServeOptions) -> Callable[..., asyncio.Protocol]:
    """What the server makes a connection of.

    Args:
        options: of the service.
    """

    def made(*given: Any, **more: Any) -> Connection:
        return Connection(options, *given, **more)

    return made


class Connection(H11Protocol):
    """One connection.

    Args:
        options: of the service.
        given: what the server gives every connection.
        more: as `given`.
    """

    def __init__(self, options: ServeOptions, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._options = options
        self._waits: asyncio.TimerHandle | None = None
        self._reads: asyncio.TimerHandle | None = None
        self._since = time.monotonic()
        self._answered = self._rest = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room where there is none, and waits for the head of a request."""
        super().connection_made(Counted(transport, self.loop))  # type: ignore[arg-type]
        over = len(self.connections) - self._options.connections
        if over > 0 and not self._make_room() and over > RESERVED:
            transport.abort()
            return
        self._wait(self._options.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets what was waited for."""
        self._stop_waiting()
        if self._reads is not None:
            self._reads.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hands on what came, and looks at how far the request is."""
        if self.transport.is_closing():
            return
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            # What came cannot be read while an answer is under way, and so cannot be answered either.
            self.transport.close()
        self._look_on()

    def _look_on(self) -> None:
        """Sets the time that what is to come next may take."""
        rest = self._answered and not self._busy and self.conn.their_state is h11.SEND_BODY
        if self.conn.their_state is h11.IDLE and not self._busy:
            if self._rest:
                self._stop_waiting()
            if self._waits is None and self.conn.trailing_data[0]:
                self._since = time.monotonic()
                self._wait(self._options.header_timeout)
            elif self._waits is None and self.timeout_keep_alive_task is None:
                self._wait(self._options.idle_timeout)
        elif not rest:
            self._stop_waiting()
        self._rest = rest

    def handle_events(self) -> None:
        """Puts an application that refuses in the place of the service where there are too many connections."""
        app, before = self.app, self._busy
        if len(self.connections) > self._options.connections:
            self.app = self._crowded
        try:
            super().handle_events()
        finally:
            self.app = app
        if self._busy and not before:
            self._since = time.monotonic()

    def on_response_complete(self) -> None:
        """Waits for the next request, or for the rest of this one."""
        self._answered, self._since = True, time.monotonic()
        self._stop_waiting()
        self._rest = self.conn.their_state is h11.SEND_BODY
        if self._rest:
            self._wait(_REST)
        self._watch_answer()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that waited too long for a request; one that still takes its answer does not wait."""
        if self.transport.get_write_buffer_size():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Watches whether the answer is taken."""
        super().pause_writing()
        self._since = time.monotonic()
        self._watch_answer()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no request, as JSON like all that is refused."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        large = status == 431
        message = f"The head of the request is too large. Send {HEAD_BYTES:,} bytes at most." if large else msg
        self._refuse(status, "too_large" if large else "bad_request", message)

    def _should_upgrade(self) -> bool:
        # Whoever asks for another protocol is answered in this one.
        return False

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _wait(self, seconds: float) -> None:
        self._waits = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """Closes a connection whose head, or the rest of whose body, did not come in time."""
        self._waits = None
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(408, "too_slow", "The head of the request did not arrive in time. Send it again.")
        self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answers without asking the application, where that can still be done, and closes the connection."""
        body = json.dumps({"error": {"code": code, "message": message, "details": []}}).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self._busy:
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._watch_answer()

    def _watch_answer(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._reads is None:
            self._watch(left, self._taken)

    @property
    def _taken(self) -> int:
        """Bytes of answers that the other side, or the system for it, has taken."""
        return int(self.transport.given - self.transport.get_write_buffer_size())  # type: ignore[attr-defined]

    def _watch(self, left: int, taken: int) -> None:
        seconds = self._options.timeout

        def look() -> None:
            self._reads = None
            if not self.transport.get_write_buffer_size():
                return
            if self._taken - taken < min(left, _SLOWEST * seconds):
                self.transport.abort()
            else:
                self._watch_answer()

        self._reads = self.loop.call_later(seconds, look)

    def _make_room(self) -> bool:
        """Closes the connection that can best be spared; False where all are being answered."""
        now = time.monotonic()
        spared = None
        for other in self.connections:
            if isinstance(other, Connection) and other is not self:
                worth = other._worth(now)
                if worth is not None and (spared is None or worth < spared[0]):
                    spared = worth, other
        if spared is None:
            return False
        spared[1].transport.abort()
        # It would leave by itself only when the event loop comes round.
        self.connections.discard(spared[1])
        return True

    def _worth(self, now: float) -> tuple[int, float] | None:
        """What is spared first: no request yet, idle, a long body, just come; None while it is being answered."""
        late = now - self._since > _LATE
        if self.transport.is_closing():
            return 0, self._since
        if self.transport.get_write_buffer_size():
            # An answer of which nothing has been taken for a while.
            return (2, self._since) if late else None
        if not self._busy:
            return (int(self._answered) if late or self._answered else 3), self._since
        return (2, self._since) if late and self.cycle.more_body else None

    async def _crowded(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers probes, and tells all others to come back."""
        if scope["path"] in PROBES:
            await self.config.loaded_app(scope, receive, send)
            return
        error = {
            "code": "crowded",
            "message": "Too many connections are open. Ask again in a few seconds.",
            "details": [],
        }
        body = json.dumps({"error": error}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", b"1"),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
