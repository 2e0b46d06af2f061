"""What the parts of one service share."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from attrformer.server import versions
from attrformer.server.answering import Answer, Served
from attrformer.server.calls import Call, flat
from attrformer.server.engine import Engine, ReloadRunning
from attrformer.server.errors import not_ready
from attrformer.server.following import follow
from attrformer.server.monitoring import Metrics, log
from attrformer.server.options import ServeOptions
from attrformer.server.peers import Peers
from attrformer.server.queueing import Line, LineClosed, LineFull

ADDS: Final = 8
"""Requests that add items and wait for each other."""


class Service:
    """One run behind HTTP: its model, the line before it, its figures.

    Args:
        run: the run folder, or the folder of versions.
        options: of the service.
        peers: other processes of the same service; None where this one is alone.
    """

    def __init__(self, run: Path, options: ServeOptions, peers: Peers | None = None) -> None:
        self.options, self.peers = options, peers
        self.metrics = Metrics()
        if peers is None:
            self.engine = Engine(run, options, self.metrics.call)
        else:
            self.engine = Engine(run, options, self.metrics.call, peers.added, peers.generation, peers.version)
        self.line = Line(
            self.engine.answer,
            options.queue,
            options.batch,
            price=self.engine.price,
            pieces=self.engine.pieces,
            seconds=options.timeout,
        )
        # One at a time, beside the thread of the model.
        self._adder = ThreadPoolExecutor(1, thread_name_prefix="attrformer-items")
        self._adding = 0
        self.metrics.watch(self.engine, self.line)
        self.failure: Exception | None = None
        self._reloading: asyncio.Task[Served] | None = None
        self._soon = False
        # Why a model that is tried again and again could not be used.
        self._reasons: set[str] = set()
        self.draining = False
        self._following: list[asyncio.Task[None]] = []

    @property
    def served(self) -> Served:
        """The model in use.

        Raises:
            Refused: there is none yet.
        """
        if self.engine.served is None:
            raise not_ready()
        return self.engine.served

    async def start(self) -> None:
        """Reads the model; `failure` says so where it cannot be read."""
        try:
            await asyncio.to_thread(self.engine.start, ready=_spare)
        except Exception as error:
            self.failure = error
            log("start.failed", logging.ERROR, error=error)
        else:
            log("ready", version=self.served.version, items=len(self.served.catalogue), **_carried(self.served))
            if self.options.changes_file is not None:
                look = (self._adder, self.engine.follow, lambda: self.served.changes_lost)
                self._following.append(asyncio.ensure_future(follow(self.options.follow_every, *look)))
            # Several processes change when the one that supervises them says so.
            if self.engine.versioned and self.peers is None:
                self._following.append(asyncio.ensure_future(self._follow_versions()))

    async def _follow_versions(self) -> None:
        """Changes to each version that becomes the current one."""
        seconds = self.options.follow_every
        async for _, again in versions.changes(self.engine.run, seconds, lambda: self.served.version):
            # The log says why, and the version before stays. Whatever it was, the next version is looked for.
            with contextlib.suppress(Exception):
                await self.reload_here(wait=True, again=again)

    async def ask(self, method: str, body: Any) -> Answer:
        """Waits for the answer to a call of the model.

        Args:
            method: of `Recommender`.
            body: of the request, whose fields are the arguments; what was not given is left out.
        """
        _ = self.served
        arguments = body.model_dump(exclude_unset=True, exclude_none=True)
        for name in ("users", "items"):
            if name in arguments:
                arguments[name] = list(dict.fromkeys(arguments[name]))
        if "histories" in arguments:
            arguments["histories"] = flat(arguments["histories"])
        answer: Answer = await self.line.submit(Call(method, arguments), self.options.timeout)
        return answer

    async def between(self, work: Callable[[], Any]) -> Any:
        """Runs a function on the thread of the model, between calls."""
        _ = self.served
        return await self.line.submit(work, self.options.timeout)

    async def add(self, rows: list[dict[str, Any]]) -> Served:
        """Adds items, one request after the other; requests are answered meanwhile.

        Args:
            rows: item_id and attributes of each.

        Raises:
            LineFull: others are being added, and enough wait for them.
            LineClosed: the service is about to stop.
            TimeoutError: its turn did not come in time; nothing was added.
            ReloadRunning: a new model is being read.
            CatalogueFull: as many items have been added as may be.
            AttrFormerError: the items cannot be added; none is then.
        """
        return await self._in_turn(lambda: self.engine.add_items(rows))

    async def change(self, rows: list[dict[str, Any]], new_columns: bool) -> Served:
        """Takes up changes of items, in turn with requests that add some.

        Args:
            rows: item_id, timestamp, column and value of each.
            new_columns: whether columns that the model does not have may be among them.

        Raises:
            LineFull: others are being added, and enough wait for them.
            LineClosed: the service is about to stop.
            TimeoutError: its turn did not come in time; nothing was changed.
            ReloadRunning: a new model is being read.
            ChangesFull: as many have been taken up as may be.
            AttrFormerError: they cannot be taken up; none is then.
        """
        return await self._in_turn(lambda: self.engine.change_items(rows, new_columns))

    async def _in_turn(self, change: Callable[[], Served]) -> Served:
        _ = self.served
        if self._adding >= ADDS:
            raise LineFull
        self._adding += 1
        try:
            if self.peers is None:
                return await self._apply(change)
            # Goes on where nobody waits any more: the others wait for the end of this turn.
            turn = asyncio.ensure_future(self.peers.in_turn(lambda: self._apply(change)))
            turn.add_done_callback(lambda done: done.cancelled() or done.exception())
            return await asyncio.shield(turn)
        finally:
            self._adding -= 1

    async def _apply(self, change: Callable[[], Served]) -> Served:
        try:
            work = self._adder.submit(change)
        except RuntimeError as error:
            raise LineClosed from error
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(work)), self.options.timeout)
        except asyncio.TimeoutError as error:
            # What has begun is waited for: whoever asks has to know whether the items are there.
            if work.cancel():
                raise TimeoutError from error
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.cancel()
            raise

    async def catch_up(self) -> None:
        """Takes up items that other processes have added.

        Raises:
            CheckpointError: what they have added cannot be read.
        """
        await asyncio.wrap_future(self._adder.submit(self.engine.catch_up))

    async def reload(self, *, wait: bool = False) -> Served:
        """Changes to the model that waits in the run folder, in all processes; requests go on meanwhile.

        Args:
            wait: for another change, or the first model, where that is under way.

        Raises:
            Refused: there is no model yet.
            ReloadRunning: another change is under way.
            AttrFormerError: the new model cannot be used; the old one stays.
        """
        if not wait:
            _ = self.served
        if self.peers is None:
            return await self.reload_here(wait)
        await self.peers.reload()
        return self.served

    async def reload_here(
        self, wait: bool = False, follow: int | None = None, version: str | None = None, again: bool = False
    ) -> Served:
        """Changes the model of this process.

        Args:
            wait: as for `reload`.
            follow: the number of the model that another process has put in its place.
            version: of that model.
            again: whether it is tried once more without anybody having asked; what was logged of it is not repeated.

        Raises:
            ReloadRunning: another change is under way.
            AttrFormerError: the new model cannot be used; the old one stays.
        """
        # Goes on where nobody waits any more: the model changes all the same, which is to be counted and logged.
        change = asyncio.ensure_future(self._change_model(wait, follow, version, again))
        change.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(change)

    async def _change_model(self, wait: bool, follow: int | None, version: str | None, again: bool) -> Served:
        if not again:
            self._reasons.clear()
            log("reload.started")
        try:
            served = await asyncio.to_thread(self.engine.reload, wait, follow, version)
            # The old model leaves by itself; a collection now would stop all requests.
            gc.freeze()
        except ReloadRunning:
            raise
        except Exception as error:
            self.metrics.reload("failed")
            reason = f"{type(error).__name__} {error}"
            if reason not in self._reasons:
                self._reasons.add(reason)
                log("reload.failed", logging.ERROR, error=error)
            raise
        # After the model has changed: whoever reads that it has finds the new one.
        self.metrics.reload("done")
        log(
            "reload.done",
            model=served.generation,
            version=served.version,
            items=len(served.catalogue),
            **_carried(served),
        )
        return served

    def reload_soon(self) -> None:
        """Starts a reload and forgets about it: its outcome is in the log and in the figures.

        Where a model is being read, it begins after that, since what it asks for may have come meanwhile. One that has
        not begun stands for all that are asked for until then.
        """
        if self._soon:
            return
        self._soon = True
        self._reloading = asyncio.ensure_future(self._reload_later(self._reloading))
        self._reloading.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _reload_later(self, before: asyncio.Task[Served] | None) -> Served:
        if before is not None:
            await asyncio.wait((before,))
        self._soon = False
        return await self.reload(wait=True)

    def close(self) -> None:
        """Answers what is waiting and takes no more."""
        for following in self._following:
            following.cancel()
        self.line.close()
        self._adder.shutdown()


def _spare() -> None:
    """Keeps what is there now out of later collections of garbage, each of which would stop all requests for long."""
    gc.collect()
    gc.freeze()


def _carried(served: Served) -> dict[str, Any]:
    """What the log says of items and changes that came before, where there were any."""
    told = {"added": served.added, "lost": served.lost} if served.added or served.lost else {}
    if served.changes or served.changes_lost:
        told |= {"changes": served.changes, "changes_lost": served.changes_lost}
    return told
