"""An end that a proxy has time to notice: requests are answered for a while after the service says it is stopping."""

from __future__ import annotations

import asyncio
import signal
from socket import socket
from types import FrameType

import uvicorn

from attrformer.server.monitoring import log
from attrformer.server.state import Service


class DrainingServer(uvicorn.Server):
    """The server below, which takes connections for some seconds after it was asked to end.

    Meanwhile `/readyz` says no, so that a proxy sends no more, and every answer closes its connection, so that no
    request is sent on one that is just being closed. A second request to end is followed at once.

    Args:
        config: of the server.
        service: that it answers for.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Is called for a signal that asks to end."""
        service = self._service
        if service.draining or not service.options.drain or service.engine.served is None or self._loop is None:
            super().handle_exit(sig, frame)
            return
        service.draining = True
        log("draining", seconds=service.options.drain)
        loop = self._loop
        loop.call_soon_threadsafe(loop.call_later, service.options.drain, super().handle_exit, sig, frame)

    def end(self) -> None:
        """Ends as a signal would have it, unless it is ending already."""
        if not (self.should_exit or self._service.draining):
            self.handle_exit(signal.SIGTERM, None)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Opens the port."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
