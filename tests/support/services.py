"""A service as tests reach it: the application in this process, a server in a thread, a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import queue
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
        threading.Thread(target=self._read, args=(self.lines, self._events), daemon=True).start()
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
            try:
                entry = self._events.get(timeout=0.2)
            except queue.Empty:
                assert self.process.poll() is None, self.lines
                continue
            if entry["event"] == event:
                return entry
        raise AssertionError(f"no '{event}' in {self.lines}")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=self.headers, timeout=30)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

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
    server = uvicorn.Server(server_config(app, options))
    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
