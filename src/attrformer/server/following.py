"""Following a file of changes while a service answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from attrformer.server.engine import ReloadRunning
from attrformer.server.monitoring import log


async def follow(every: float, adder: Executor, look: Callable[[], bool], lost: Callable[[], int]) -> None:
    """Looks again and again whether the file has changed, in each process for itself; until it is cancelled.

    Args:
        every: seconds between two looks.
        adder: where items are added and changed.
        look: takes up what has changed; returns whether anything has.
        lost: changes that could not be taken so far.
    """
    while True:
        await asyncio.sleep(every)
        try:
            work = adder.submit(look)
        except RuntimeError:
            # The service is about to stop.
            return
        try:
            changed = await asyncio.wrap_future(work)
        except ReloadRunning:
            continue
        except Exception as error:
            # The next look may find it mended.
            log("changes.failed", logging.ERROR, error=error)
            continue
        if changed:
            log("changes.read", changes_lost=lost())
