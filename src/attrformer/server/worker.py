"""One of several processes that answer on the same port, from the fork that makes it to its end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attrformer.errors import AttrFormerError
from attrformer.server.app import create_app
from attrformer.server.channel import Channel, ChannelClosed, Content
from attrformer.server.monitoring import log, start_logging
from attrformer.server.options import ServeOptions
from attrformer.server.peers import Peers
from attrformer.server.running import server_config
from attrformer.server.state import Service


class SharedListener(socket.socket):
    """A listening socket that several processes accept from; how many connections wait is not theirs to set."""

    def listen(self, backlog: int = 0) -> None:
        """Does nothing: the socket listens already."""


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is given when it is made.

    Args:
        number: of the worker, from 1.
        generation: of the model that it starts with.
        version: of that model; None for the one of a run.
        at_once: whether it takes connections before it has a model, so that probes are answered.
        folder: where added items are kept.
        end: of the pair of sockets to the process that supervises it.
        listener: where connections come in.
    """

    number: int
    generation: int
    version: str | None
    at_once: bool
    folder: Path
    end: socket.socket
    listener: SharedListener


def work(run: Path, options: ServeOptions, post: Post, threads: int) -> int:
    """Answers until SIGTERM, or until the process that supervises it is gone.

    Args:
        run: the run folder.
        options: of the service.
        post: of this worker.
        threads: of the arithmetic.

    Returns:
        The exit code.
    """
    import torch

    start_logging(worker=post.number)
    torch.set_num_threads(threads)
    asyncio.run(_Worker(run, options, post).run())
    return 0


class _Worker:
    def __init__(self, run: Path, options: ServeOptions, post: Post) -> None:
        self._post, self._options = post, options
        self._channel = Channel(post.end, self._answer)
        self._peers = Peers(post.number, options.workers, post.generation, post.version, post.folder, self._channel)
        self._service = Service(run, options, self._peers)
        self._opened, self._ending = asyncio.Event(), asyncio.Event()
        if post.at_once:
            self._opened.set()

    async def run(self) -> None:
        from attrformer.server.draining import DrainingServer

        # One connection in each round of the event loop: whichever worker is idle takes the next, and a burst is
        # shared out.
        config = server_config(create_app(self._service), self._options, backlog=1)
        server = DrainingServer(config, self._service)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # While the server below runs it handles them, too.
            loop.add_signal_handler(number, self._ending.set)

        async def listen() -> None:
            await self._channel.run()
            # Without the process that supervises it nobody would end or replace this one.
            server.should_exit = True
            self._ending.set()

        listening, starting = asyncio.ensure_future(listen()), asyncio.ensure_future(self._start())
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._opened, self._ending)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self._ending.is_set():
            self._post.listener.close()
            self._service.close()
        else:
            # A signal that came just before the server below handles them would be lost.
            waiting[1].add_done_callback(lambda done: None if done.cancelled() else server.end())
            await server.serve(sockets=[self._post.listener])
        await starting
        for task in (listening, *waiting):
            task.cancel()
        log("stopped")

    async def _start(self) -> None:
        await self._service.start()
        failure = self._service.failure
        try:
            if failure is None:
                _give_back()
                await self._channel.ask("ready")
            else:
                # What was not expected may quote a user, and the log says where it happened.
                known = isinstance(failure, AttrFormerError)
                kind, message = (type(failure).__name__, str(failure)) if known else ("", "")
                await self._channel.ask("failed", kind=kind, message=message)
        except ChannelClosed:
            return

    async def _answer(self, what: str, content: Content) -> Content | None:
        """Does what the process that supervises this one asks for."""
        service = self._service
        if what == "open":
            self._opened.set()
        elif what == "reload":
            served = await service.reload_here(**content)
            _give_back()
            return {"generation": served.generation, "version": served.version}
        elif what == "catch_up":
            # On the thread of those that add: neither requests nor this loop wait for it.
            await service.catch_up()
        elif what == "figures":
            return {"text": service.metrics.text().decode()}
        return None


def _give_back() -> None:
    """Returns memory that reading a model took for a moment to the system, where its C library can do so."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def become(run: Path, options: ServeOptions, post: Post, threads: int, others: list[Any]) -> int:
    """Turns a process that was just forked into a worker.

    Args:
        run: the run folder.
        options: of the service.
        post: of this worker.
        threads: of the arithmetic.
        others: sockets of the process it was forked from, which are not for this one.

    Returns:
        The exit code.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # Which model is read is decided by the process that supervises this one.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for other in others:
        # Open here, too, they would hide from the others that their process has ended.
        socket.socket(fileno=other.detach()).close()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        return work(run, options, post, threads)
    except Exception as error:
        log("worker.failed", logging.ERROR, error=error)
        return 1
