from __future__ import annotations

import asyncio
import socket
from typing import Any

from attrformer.server.sending import Counted

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Noted:
    """A real transport, and what it was given in one call each."""

    def __init__(self, transport: Any) -> None:
        self._transport, self.writes = transport, list[bytes]()

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def test_a_head_goes_out_with_its_body_and_without_one_by_itself() -> None:
    async def send() -> list[bytes]:
        loop = asyncio.get_running_loop()
        end, other = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=end)
        noted = Noted(transport)
        counted = Counted(noted, loop)  # type: ignore[arg-type]
        counted.write(HEAD)
        assert noted.writes == [] and counted.get_write_buffer_size() == len(HEAD)
        counted.write(b"one")
        counted.write(b"two")
        counted.write(HEAD)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        counted.write(HEAD)
        counted.close()
        other.close()
        assert counted.given == 3 * len(HEAD) + 6 and counted.get_write_buffer_size() == 0
        return noted.writes

    assert asyncio.run(send()) == [HEAD + b"one", b"two", HEAD, HEAD]
