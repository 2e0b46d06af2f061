"""A service as tests reach it: the application in this process, a server in a thread, a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from attrformer.server.app import create_app
from attrformer.server.options import ServeOptions
from attrformer.server.server import server_config
from attrformer.server.state import Service

T = TypeVar("T")

TOKEN = "a-token-for-tests-only"
PATIENT = ServeOptions(timeout=120)
"""For requests that are to be answered though the machine does much else."""
START = "import typer\nfrom attrformer.cli.serve import serve\ntyper.run(serve)"


@functools.cache
def application(service: Service) -> FastAPI:
    return create_app(service)


def with_client(service: Service, work: Callable[[httpx.AsyncClient], Awaitable[T]], **headers: str) -> T:
    """Runs requests against the application of a service, in this process and without a socket."""

    async def run() -> T:
        transport = httpx.ASGITransport(app=application(service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
            return await work(client)

    return asyncio.run(run())


def posted(service: Service, path: str, body: Any, **headers: str) -> httpx.Response:
    return with_client(service, lambda client: client.post(path, json=body), **headers)


def got(service: Service, path: str, **headers: str) -> httpx.Response:
    return with_client(service, lambda client: client.get(path), **headers)


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Lets the event loop go on until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to this"
        await asyncio.sleep(0.005)


class Busy:
    """Work for the thread of the model, which then does nothing else until it is let go."""

    def __init__(self) -> None:
        self._begun, self._on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._begun.set()
        assert self._on.wait(120)

    async def begun(self) -> None:
        await until(self._begun.is_set)

    def let_go(self) -> None:
        self._on.set()


@contextlib.contextmanager
def busy(service: Service) -> Iterator[Busy]:
    """The thread of the model of a service that other threads serve is busy until it is let go, or the block ends."""
    work = Busy()
    asking = threading.Thread(target=lambda: asyncio.run(service.line.submit(work, 120)))
    asking.start()
    try:
        asyncio.run(work.begun())
        yield work
    finally:
        work.let_go()
        asking.join()


class Process:
    """`attrformer serve` as a process of its own on a free port of the loopback address."""

    def __init__(self, run: Path, *options: str) -> None:
        self.run, self.options = run, options
        self.headers = {"Authorization": f"Bearer {TOKEN}"}
        self.start()

    def start(self) -> None:
        environment = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "ATTRFORMER_TOKEN": TOKEN}
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(self.run), "--port", "0", *self.options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.lines: list[dict[str, Any]] = []
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reading = threading.Thread(target=self._read, args=(self.lines, self._events), daemon=True)
        self._reading.start()
        self.port = self.wait_for("listening")["port"]

    def _read(self, lines: list[dict[str, Any]], events: queue.Queue[dict[str, Any]]) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"event": "text", "text": line}
            lines.append(entry)
            events.put(entry)

    def wait_for(self, event: str, seconds: float = 180.0) -> dict[str, Any]:
        """The next line of the log with this event."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # Looked at first: what a process has said before its end is still read.
            over = not self._reading.is_alive()
            try:
                entry = self._events.get(timeout=0.2)
            except queue.Empty:
                if over:
                    break
                continue
            if entry["event"] == event:
                return entry
        raise AssertionError(f"no '{event}' in {self.lines}")

    def figure(self, pattern: str) -> float:
        """The sum of the figures of `/metrics` whose names and labels begin with a pattern."""
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(pattern, line))

    def wait_for_requests(self, count: int, path: str) -> None:
        """Returns when so many requests have come in, answered or not."""
        # Those that were answered come first, so that none is counted twice.
        pattern = rf'attrformer_(requests_total\{{.*route="{path}"|waiting_requests)'
        asyncio.run(until(lambda: self.figure(pattern) >= count))

    def processor_seconds(self) -> float:
        """Seconds of the processor that it has used; 0 where the system does not tell."""
        told = Path(f"/proc/{self.process.pid}/stat")
        if not told.exists():
            return 0.0
        user, system = told.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def client(self) -> httpx.Client:
        # By itself it gives up a connection that was idle for five seconds; a new one may reach another worker.
        limits = httpx.Limits(keepalive_expiry=None)
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=self.headers, timeout=120, limits=limits)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 150.0) -> int:
        """The exit code of a process that ends by itself, once all that it said has been read."""
        code = self.process.wait(seconds)
        self._reading.join(seconds)
        return code

    def end(self) -> int:
        self.process.kill()
        return self.process.wait()


@contextlib.contextmanager
def listening(service: Service, port: int = 0) -> Iterator[str]:
    """A real server in a thread of this process, by its address; the service ends with it."""
    with listening_app(create_app(service), service.options, port) as address:
        yield address


@contextlib.contextmanager
def listening_app(app: Any, options: ServeOptions, port: int = 0) -> Iterator[str]:
    """The same for any application."""
    with serving(app, options, port) as (_, address):
        yield address


@contextlib.contextmanager
def serving(app: Any, options: ServeOptions, port: int = 0) -> Iterator[tuple[uvicorn.Server, str]]:
    """The same with the server itself."""
    server = uvicorn.Server(server_config(app, options))
    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
