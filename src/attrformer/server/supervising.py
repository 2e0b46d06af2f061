"""The process that makes, replaces and ends workers: it relays what one asks of the others, and answers no request."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attrformer import errors
from attrformer.errors import AttrFormerError, CheckpointError, ConfigurationError, WorkerError
from attrformer.server import model_store, versions
from attrformer.server.channel import Channel, ChannelClosed, Content, Declined
from attrformer.server.engine import ReloadRunning
from attrformer.server.merging import merged
from attrformer.server.monitoring import log
from attrformer.server.options import ServeOptions
from attrformer.server.restarts import DEATHS, WITHIN, Deaths
from attrformer.server.worker import Post, SharedListener, become

_PATIENCE: Final = 5.0
"""Seconds that others are waited for when items were added, or figures are asked for."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP, signal.SIGCHLD) if os.name == "posix" else ()))


@dataclass(slots=True, eq=False)
class _Worker:
    """A process that was made, and how far it is."""

    number: int
    process: int
    channel: Channel
    listens: asyncio.Task[None]
    open: bool
    ready: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Makes the workers of a service and sees to them.

    Args:
        run: the run folder, or the folder of versions.
        options: of the service.
        listener: the open port.
        folder: where added items are kept.
        threads: of the arithmetic of each worker.
    """

    def __init__(self, run: Path, options: ServeOptions, listener: SharedListener, folder: Path, threads: int) -> None:
        self._run, self._options, self._listener = run, options, listener
        self._folder, self._threads = folder, threads
        self.failure: AttrFormerError | None = None
        self._workers: dict[int, _Worker] = {}
        self._generation, self._restarts = 1, 0
        self._version = versions.current(run).name if versions.is_versioned(run) else None
        self._deaths = Deaths()
        self._ending, self._changed = asyncio.Event(), asyncio.Event()
        self._changing, self._turn = asyncio.Lock(), asyncio.Lock()
        self._adds: _Worker | None = None
        self._reload_waits = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Makes the workers, and replaces them until the service is to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        host, port = self._listener.getsockname()[:2]
        log("listening", host=host, port=port, process=os.getpid(), workers=self._options.workers)
        self._soon(self._start_all())
        following = asyncio.ensure_future(self._follow())
        await self._ending.wait()
        following.cancel()
        await self._end()
        log("stopped")

    def _soon(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_all(self) -> None:
        async with self._changing:
            made = [self._fork(number, at_once=number == 1) for number in range(1, self._options.workers + 1)]
            await asyncio.gather(*(worker.settled.wait() for worker in made))

    def _fork(self, number: int, at_once: bool = False) -> _Worker:
        ours, theirs = socket.socketpair()
        post = Post(number, self._generation, self._version, at_once, self._folder, theirs, self._listener)
        others = [ours, *(worker.channel.end for worker in self._workers.values())]
        sys.stderr.flush()
        # A signal that came before the child has handlers of its own would be taken for one to this process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        with warnings.catch_warnings():
            # Threads of libraries that have been imported wait for work, which this process gives them none of.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            code = 1
            try:
                code = become(self._run, self._options, post, self._threads, others)
            finally:
                sys.stderr.flush()
                os._exit(code)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

        async def answer(what: str, content: Content) -> Content | None:
            return await self._answer(worker, what, content)

        channel = Channel(ours, answer)
        worker = _Worker(number, process, channel, asyncio.ensure_future(channel.run()), at_once)
        self._workers[number] = worker
        log("worker.started", worker=number, process=process)
        return worker

    async def _answer(self, worker: _Worker, what: str, content: Content) -> Content | None:
        """What a worker asks for."""
        if what == "ready":
            worker.ready = True
            worker.settled.set()
            await self._open_ready()
        elif what == "failed":
            self._fail(worker, **content)
        elif what == "reload":
            if self._changing.locked():
                raise ReloadRunning
            async with self._changing:
                await self._reload(worker)
        elif what == "turn":
            await asyncio.wait_for(self._turn.acquire(), self._options.timeout)
            if self._workers.get(worker.number) is not worker:
                # It has died while it waited, and nobody would end its turn.
                self._turn.release()
                return None
            self._adds = worker
        elif what == "added":
            self._end_turn(worker)
            if content["changed"]:
                others = [other for other in self._ready() if other is not worker]
                await self._ask(others, "catch_up")
        elif what == "figures":
            return {"text": await self._figures()}
        return None

    def _ready(self) -> list[_Worker]:
        return [worker for _, worker in sorted(self._workers.items()) if worker.ready]

    async def _ask(self, workers: list[_Worker], what: str) -> list[Content | BaseException]:
        """Asks several at a time; an error, or None, for who does not answer soon."""
        asked = (asyncio.wait_for(asyncio.shield(self._asked(other, what)), _PATIENCE) for other in workers)
        return await asyncio.gather(*asked, return_exceptions=True)

    def _asked(self, worker: _Worker, what: str) -> asyncio.Task[Content]:
        task = asyncio.ensure_future(worker.channel.ask(what))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _open_ready(self) -> None:
        """Lets those accept connections that have a model, unless one that has none answers probes meanwhile."""
        if any(worker.open and not worker.ready for worker in self._workers.values()):
            return
        for worker in self._ready():
            if not worker.open:
                worker.open = True
                with suppress(ChannelClosed):
                    await worker.channel.ask("open")

    async def _figures(self) -> str:
        workers = self._ready()
        told = await self._ask(workers, "figures")
        texts = {w.number: t["text"] for w, t in zip(workers, told, strict=True) if isinstance(t, dict)}
        return merged(texts, workers=self._options.workers, ready=len(workers), restarts=self._restarts)

    def _end_turn(self, worker: _Worker) -> None:
        if self._adds is worker:
            self._adds = None
            self._turn.release()

    def _fail(self, worker: _Worker, kind: str, message: str) -> None:
        """A worker cannot read the model: the first ones end the service, which has nothing to answer with."""
        if not self._restarts and not self._ready() and self.failure is None:
            made = getattr(errors, kind, None) if kind else None
            if not isinstance(made, type) or not issubclass(made, (CheckpointError, ConfigurationError)):
                made, message = (
                    CheckpointError,
                    message or f"The model of {self._run} cannot be served. The log says why.",
                )
            self.failure = made(message)
            self._ending.set()
        worker.settled.set()
        with suppress(ProcessLookupError):
            os.kill(worker.process, signal.SIGTERM)

    def _reload_soon(self, again: bool = False) -> None:
        """One that has not begun stands for all that are asked for until then."""
        if not self._reload_waits:
            self._reload_waits = True
            self._soon(self._reload_later(again))

    async def _follow(self) -> None:
        """Has the workers change whenever another version becomes current."""
        if self._version:
            seconds = self._options.follow_every
            async for _, again in versions.changes(self._run, seconds, lambda: self._version or ""):
                # What is being read at this moment may be that very version.
                if not (again and self._changing.locked()):
                    self._reload_soon(again)

    async def _reload_later(self, again: bool) -> None:
        async with self._changing:
            self._reload_waits = False
            ready = self._ready()
            if ready:
                # Its worker has logged why, and the old model is still in use.
                with suppress(Declined, ChannelClosed):
                    await self._reload(ready[0], again)

    async def _reload(self, first: _Worker, again: bool = False) -> None:
        """Changes the model of one worker after the other, so that the rest answer and only one holds two models."""
        done = await first.channel.ask("reload", wait=True, again=again)
        self._generation = done["generation"]
        self._version = done["version"] if self._version else None
        for worker in self._ready():
            if worker is first:
                continue
            try:
                await worker.channel.ask("reload", wait=True, follow=self._generation, version=self._version)
            except (Declined, ChannelClosed):
                # The one that takes its place starts with the new model.
                log("worker.left.behind", logging.ERROR, worker=worker.number)
                with suppress(ProcessLookupError):
                    os.kill(worker.process, signal.SIGTERM)

    def _reap(self) -> None:
        """Notes which workers have ended, and has others take their places."""
        for worker in list(self._workers.values()):
            ended, status = os.waitpid(worker.process, os.WNOHANG)
            if not ended:
                continue
            del self._workers[worker.number]
            self._end_turn(worker)
            worker.settled.set()
            self._changed.set()
            if not self._ending.is_set():
                log("worker.died", logging.ERROR, worker=worker.number, status=os.waitstatus_to_exitcode(status))
                self._soon(self._replace(worker.number))

    async def _replace(self, number: int) -> None:
        wait = self._deaths.seconds_to_wait(time.monotonic())
        if wait is None:
            self.failure = self.failure or WorkerError(
                f"More than {DEATHS} workers died within {WITHIN:.0f} seconds, and so would others. Look in the log "
                "for why: with status -9 the system may lack memory for them. Give fewer --workers."
            )
            self._ending.set()
            return
        await asyncio.sleep(wait)
        async with self._changing:
            if self._ending.is_set():
                return
            # It may have died while it moved models.
            model_store.recover(self._run)
            self._restarts += 1
            await self._fork(number).settled.wait()

    async def _end(self) -> None:
        """Closes the port and lets the workers end; who has not when the time of running requests is over is killed."""
        self._listener.close()
        for worker in self._workers.values():
            with suppress(ProcessLookupError):
                os.kill(worker.process, signal.SIGTERM)
        end = time.monotonic() + self._options.drain + self._options.grace + _PATIENCE
        while self._workers and time.monotonic() < end:
            self._changed.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 0.2)
            self._reap()
        for worker in self._workers.values():
            log("worker.killed", logging.ERROR, worker=worker.number)
            with suppress(ProcessLookupError):
                os.kill(worker.process, signal.SIGKILL)
            os.waitpid(worker.process, 0)
