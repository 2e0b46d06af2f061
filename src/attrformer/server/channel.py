"""Questions and answers between two processes, as lines of JSON on a pair of sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

Content = dict[str, Any]

_LONGEST: Final = 1 << 24
"""Bytes of a line; metrics of a worker take about 20,000."""


class ChannelClosed(Exception):
    """The other process has ended, or is about to."""


class Declined(Exception):
    """The other process answered with an error.

    Args:
        kind: the class of the error there.
        message: of it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


class Channel:
    """One end of a pair of connected sockets. Both ends may ask, at any time and several questions at once.

    Args:
        end: of the pair; closed when the other end is.
        answer: is given what the other side asks, by name and content, and returns the answer.
    """

    def __init__(self, end: socket.socket, answer: Callable[[str, Content], Awaitable[Content | None]]) -> None:
        self.end, self._answer = end, answer
        self._writer: asyncio.StreamWriter | None = None
        self._open = True
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Content]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._early: list[bytes] = []

    async def run(self) -> None:
        """Reads until the other process closes its end."""
        reader, self._writer = await asyncio.open_connection(sock=self.end, limit=_LONGEST)
        self._writer.write(b"".join(self._early))
        try:
            with contextlib.suppress(OSError):
                while line := await reader.readline():
                    self._take(json.loads(line))
        finally:
            self._open = False
            self._writer.close()
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(ChannelClosed())
                    # Nobody may be waiting any more, which is no error.
                    waiting.exception()

    async def ask(self, what: str, **content: Any) -> Content:
        """Asks the other side and waits for its answer.

        Args:
            what: is asked.
            content: as JSON can hold it.

        Raises:
            ChannelClosed: the other process has ended.
            Declined: it answered with an error.
        """
        if not self._open:
            raise ChannelClosed
        number = next(self._numbers)
        waiting: asyncio.Future[Content] = asyncio.get_running_loop().create_future()
        self._asked[number] = waiting
        self._send({"ask": number, "what": what, "content": content})
        try:
            return await waiting
        finally:
            del self._asked[number]

    def _take(self, message: Content) -> None:
        if "ask" in message:
            task = asyncio.ensure_future(self._reply(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        waiting = self._asked.get(message["reply"])
        if waiting is None or waiting.done():
            return
        if "error" in message:
            waiting.set_exception(Declined(*message["error"]))
        else:
            waiting.set_result(message["content"])

    async def _reply(self, message: Content) -> None:
        reply: Content = {"reply": message["ask"]}
        try:
            reply["content"] = await self._answer(message["what"], message["content"]) or {}
        except Exception as error:
            reply["error"] = type(error).__name__, str(error)
        self._send(reply)

    def _send(self, message: Content) -> None:
        line = json.dumps(message).encode() + b"\n"
        if self._writer is None:
            self._early.append(line)
        elif self._open:
            self._writer.write(line)
