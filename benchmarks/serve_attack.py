"""What a service does under attack: probes beside idle connections, small requests beside heavy ones, items in a loop.

    python benchmarks/serve_attack.py runs/beauty --seconds 60

Starts `attrformer serve` on a free port of the loopback address for each part and prints one JSON line for it:

- `idle`: 1,100 connections are held open, half of which have sent half of a head; how fast probes are, and how often
  a request is answered.
- `waiting`: 16 clients send nothing but heavy requests (256 histories with k = 1,000; reasons for 256 x 78 scores);
  how long one other client waits for the answer to a request about one history of one item.
- `load`: 64 clients, every fourth of which sends heavy requests; statuses of all, and how long small ones wait.
- `items`: items are added 250 at a time until `--items` have been; seconds of the first and last add, memory of the
  process, and how long a small request waits meanwhile.

A client that is told to come back later does so after the time in Retry-After. Statuses count "none" where a connection
was closed without an answer. Service and clients share the cores of the machine. Options that are not listed go to
`attrformer serve`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serve_load import HOST, _get, _start, _wait_until_ready

PARTS = ("idle", "waiting", "load", "items")
PROBES = ("/healthz", "/readyz", "/metrics")
JSON = {"Content-Type": "application/json"}
HALF = b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le"


@dataclass
class Told:
    """Statuses and seconds of many requests; several threads may write."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    without_retry: int = 0

    def figures(self) -> dict[str, Any]:
        """Counts by status, and milliseconds of what was answered with 200 or 201."""
        times = sorted(self.seconds)
        at = (lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1)) if times else None
        told = {"statuses": dict(self.statuses), "refused_without_retry_after": self.without_retry}
        return told | ({} if at is None else {"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)})


class Client:
    """One connection, opened anew where it was closed.

    Args:
        port: of the service.
        told: where to note what comes.
    """

    def __init__(self, port: int, told: Told) -> None:
        self.port, self.told = port, told
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: bytes | None = None) -> float:
        """Sends a request and reads its answer; gives the seconds to wait before the next one."""
        started, later = time.perf_counter(), 0.0
        try:
            connection = self._connection or http.client.HTTPConnection(HOST, self.port, timeout=60)
            if connection.sock is None:
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = connection
            connection.request(method, path, body, JSON)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            self.told.statuses["none"] += 1
            return 0.05
        if answer.status in (200, 201):
            self.told.seconds.append(time.perf_counter() - started)
        elif answer.status in (429, 503):
            wanted = answer.getheader("Retry-After")
            self.told.without_retry += wanted is None
            later = float(wanted or 1)
        self.told.statuses[str(answer.status)] += 1
        return later

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run_clients(
    port: int, seconds: float, clients: Sequence[tuple[Told, Callable[[random.Random], tuple[str, bytes]], float]]
) -> None:
    """Lets clients send requests for some time.

    Args:
        port: of the service.
        seconds: for which each of them goes on.
        clients: where to note what comes, what makes path and body of the next request, and the pause after each.
    """
    end = time.monotonic() + seconds

    def run(number: int) -> None:
        told, make, pause = clients[number]
        client, draw = Client(port, told), random.Random(number)
        while time.monotonic() < end:
            path, body = make(draw)
            later = client.ask("POST", path, body) or pause
            time.sleep(max(0.0, min(later, end - time.monotonic())))
        client.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Requests:
    """Bodies of small and heavy requests for the items of a service."""

    def __init__(self, port: int) -> None:
        found = _get(port, "/v1/catalogue?limit=100", {})["items"]
        self._items = [item["item_id"] for item in found]

    def small(self, draw: random.Random) -> tuple[str, bytes]:
        """One history of one item."""
        return "/v1/recommend", json.dumps({"histories": [[draw.choice(self._items)]]}).encode()

    def heavy(self, draw: random.Random) -> tuple[str, bytes]:
        """Many answers for many histories, or reasons for many scores."""
        histories = [draw.choices(self._items, k=draw.randint(1, 10)) for _ in range(256)]
        if draw.random() < 0.5:
            return "/v1/recommend", json.dumps({"histories": histories, "k": 1000}).encode()
        return "/v1/explain", json.dumps({"histories": histories, "k": 78}).encode()


def idle(port: int, process: subprocess.Popen[str], given: argparse.Namespace) -> dict[str, Any]:
    """Holds connections open and asks beside them."""
    held = []
    for number in range(given.connections):
        try:
            held.append(socket.create_connection((HOST, port), timeout=10))
            held[-1].sendall(HALF if number % 2 else b"")
        except OSError:
            continue
    requests, draw = Requests(port) if _get(port, "/v1/catalogue?limit=1", {}) else None, random.Random(0)
    found = {path: Told() for path in (*PROBES, "request")}
    end = time.monotonic() + given.seconds / 4
    while time.monotonic() < end:
        for path in PROBES:
            client = Client(port, found[path])
            client.ask("GET", path)
            client.close()
        client = Client(port, found["request"])
        path, body = requests.small(draw) if requests else ("/v1/recommend", b'{"user_attributes": {"x": {}}}')
        client.ask("POST", path, body)
        client.close()
        time.sleep(0.05)
    for connection in held:
        connection.close()
    return {"held": len(held)} | {name: told.figures() for name, told in found.items()}


def waiting(port: int, process: subprocess.Popen[str], given: argparse.Namespace) -> dict[str, Any]:
    """One small request at a time beside heavy ones."""
    requests, small, heavy = Requests(port), Told(), Told()
    clients = [(heavy, requests.heavy, 0.0)] * 16 + [(small, requests.small, 0.05)]
    run_clients(port, given.seconds / 2, clients)
    return {"small": small.figures(), "heavy": heavy.figures()}


def load(port: int, process: subprocess.Popen[str], given: argparse.Namespace) -> dict[str, Any]:
    """Many clients of both kinds."""
    requests, small, heavy = Requests(port), Told(), Told()
    clients = [(heavy, requests.heavy, 0.0) if n % 4 == 0 else (small, requests.small, 0.0) for n in range(64)]
    run_clients(port, given.seconds, clients)
    return {"small": small.figures(), "heavy": heavy.figures()}


def items(port: int, process: subprocess.Popen[str], given: argparse.Namespace) -> dict[str, Any]:
    """Adds items until no more can be, with a small request now and then."""
    requests, small, added = Requests(port), Told(), Told()
    memory, stop = [_memory(process.pid)], threading.Event()

    def ask() -> None:
        client, draw = Client(port, small), random.Random(0)
        while not stop.is_set():
            client.ask("POST", *requests.small(draw))
            time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    client, number = Client(port, added), 0
    while number < given.items and added.statuses.total() == added.statuses["201"]:
        rows = [{"item_id": f"attack-{n}"} for n in range(number, number + 250)]
        client.ask("POST", "/v1/items", json.dumps({"items": rows}).encode())
        number += 250
        memory.append(_memory(process.pid))
    stop.set()
    asking.join()
    seconds = [round(value, 3) for value in added.seconds]
    return {
        "added": 250 * added.statuses["201"],
        "statuses": dict(added.statuses),
        "first_add_s": seconds[0] if seconds else None,
        "last_add_s": seconds[-1] if seconds else None,
        "memory_mb": [memory[0], memory[-1]],
        "small": small.figures(),
    }


def _memory(process: int) -> int:
    """Resident memory in MB; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 >> 20
    except OSError:
        return 0


def main() -> None:
    """Attacks the service of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--seconds", type=float, default=60, help="of the load; the other parts take some of it")
    parser.add_argument("--connections", type=int, default=1100, help="connections that are held open")
    parser.add_argument("--items", type=int, default=25_000, help="items to add")
    parser.add_argument("--parts", default=",".join(PARTS), help="parts, separated by commas")
    given, more = parser.parse_known_args()
    for part in given.parts.split(","):
        process, port = _start(given.run, more)
        try:
            _wait_until_ready(port)
            figures = globals()[part](port, process, given)
            print(json.dumps({"part": part, **figures}), flush=True)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
