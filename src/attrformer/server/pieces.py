"""Answers that are sent a piece at a time: others are answered between two pieces, and nothing is copied as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send


class InPieces(Response):
    """JSON that is there in pieces.

    Args:
        pieces: of the body, one at least.
        headers: of the answer.
    """

    media_type = "application/json"

    def __init__(self, pieces: Sequence[bytes], headers: Mapping[str, str]) -> None:
        super().__init__(headers={**headers, "Content-Length": str(sum(map(len, pieces)))})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends head and body; waits while the other side does not take them."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for left, piece in zip(range(len(self._pieces) - 1, -1, -1), self._pieces, strict=True):
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            if left:
                # As long as the system takes what is sent, nothing else is waited for.
                await asyncio.sleep(0)
