"""What a connection sends: counted, and the head of an answer together with the start of its body."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_HEAD: Final = b"HTTP/1.1 "


class Counted:
    """A transport that counts what it is given to send.

    The server below sends the head of an answer and its body apart. Each of them would be a call of the system, which
    takes longer than most of what happens between them.

    Args:
        transport: that sends it.
        loop: sends a head that no body follows.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        self.given = 0

    def write(self, data: bytes) -> None:
        """Sends data, a head as soon as the first of its body is there or the event loop comes round."""
        self.given += len(data)
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._send_head)
            return
        self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        """Bytes that have been given and not been taken."""
        return self._transport.get_write_buffer_size() + len(self._head)

    def close(self) -> None:
        """Closes the connection when all is sent."""
        self._send_head()
        self._transport.close()

    def _send_head(self) -> None:
        if self._head:
            data, self._head = self._head, b""
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
