"""What a worker knows of the others: all of it goes through the process that supervises them."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from attrformer.errors import CheckpointError
from attrformer.server.added import Added
from attrformer.server.channel import Channel, ChannelClosed, Declined
from attrformer.server.engine import ReloadRunning
from attrformer.server.queueing import LineClosed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Peers:
    """One worker among others of the same service.

    Args:
        number: of this worker, from 1.
        workers: how many there are.
        generation: of the model that it starts with.
        version: of that model; None for the one of a run.
        folder: where items that were added are kept, for all workers.
        channel: to the process that supervises them.
    """

    number: int
    workers: int
    generation: int
    version: str | None
    folder: Path
    channel: Channel

    @property
    def added(self) -> Added:
        """The items that were added through any worker."""
        return Added(self.folder)

    async def reload(self) -> None:
        """Has all workers change to the model that waits, this one first.

        Raises:
            ReloadRunning: a change is under way, or a worker is being started.
            CheckpointError: the new model cannot be used; the old one stays.
            LineClosed: the service is about to stop.
        """
        try:
            await self.channel.ask("reload")
        except ChannelClosed as error:
            raise LineClosed from error
        except Declined as error:
            if error.kind == ReloadRunning.__name__:
                raise ReloadRunning from error
            raise CheckpointError(error.message) from error

    async def in_turn(self, add: Callable[[], Awaitable[T]]) -> T:
        """Adds items while no other worker does, and waits until the others have them.

        Args:
            add: adds them to this worker and to the file of added items.

        Raises:
            LineClosed: the service is about to stop.
            TimeoutError: its turn did not come in time; nothing was added.
        """
        try:
            await self.channel.ask("turn")
        except ChannelClosed as error:
            raise LineClosed from error
        except Declined as error:
            raise TimeoutError from error
        changed = False
        try:
            result = await add()
            changed = True
        finally:
            # If it is, the items are there all the same, and whoever asks is to know that.
            with contextlib.suppress(ChannelClosed):
                await self.channel.ask("added", changed=changed)
        return result

    async def figures(self) -> bytes | None:
        """The metrics of all workers; None where the supervising process cannot be asked."""
        try:
            text: str = (await self.channel.ask("figures"))["text"]
        except (ChannelClosed, Declined):
            return None
        return text.encode()
