"""Latency and throughput of a service on this machine: p50, p99, requests a second, at several numbers of clients.

    python benchmarks/serve_load.py runs/beauty --requests 2000 --clients 1,8,32

Starts `attrformer serve` on a free port of the loopback address, waits until it is ready, notes how long the first
request takes, and then asks for recommendations for histories drawn from the catalogue. Each client sends its next
request when it has the answer to the one before. Prints one JSON line for each number of clients. The service and the
clients share the cores of the machine: pin them apart with `taskset` to know what one core gives. Options that are not
listed go to `attrformer serve`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

HOST = "127.0.0.1"
PATIENCE = 300.0


@dataclass(frozen=True)
class Figures:
    """What one run of requests came to; milliseconds from the first byte sent to the last one read."""

    clients: int
    requests: int
    p50_ms: float
    p99_ms: float
    per_second: float
    statuses: dict[str, int]


def load(port: int, path: str, bodies: Sequence[Any], clients: int, headers: dict[str, str] | None = None) -> Figures:
    """Sends every body once, shared out among clients that each wait for their answer.

    Args:
        port: of the service on this machine.
        path: to post to.
        bodies: of the requests.
        clients: connections that are open at a time.
        headers: of every request.
    """
    texts = [json.dumps(body).encode() for body in bodies]
    seconds: list[list[float]] = [[] for _ in range(clients)]
    statuses: list[Counter[str]] = [Counter() for _ in range(clients)]
    sent = {"Content-Type": "application/json", **(headers or {})}

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        connection.connect()
        # It sends head and body apart; the second would wait 40 ms for an acknowledgement of the first.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for text in texts[number::clients]:
            started = time.perf_counter()
            connection.request("POST", path, text, sent)
            answer = connection.getresponse()
            answer.read()
            seconds[number].append(time.perf_counter() - started)
            statuses[number][str(answer.status)] += 1
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - started
    times = sorted(second for some in seconds for second in some)
    return Figures(
        clients,
        len(times),
        round(1000 * times[len(times) // 2], 3),
        round(1000 * times[min(len(times) - 1, int(0.99 * len(times)))], 3),
        round(len(times) / passed, 1),
        dict(sum(statuses, Counter())),
    )


def histories(port: int, count: int, longest: int, headers: dict[str, str], seed: int = 0) -> list[dict[str, Any]]:
    """Bodies for `/v1/recommend`: histories of items drawn from the catalogue."""
    draw = random.Random(seed)
    total = _get(port, "/v1/catalogue?limit=1", headers)["total"]
    starts = draw.sample(range(max(1, total - 99)), min(20, max(1, total - 99)))
    pages = [_get(port, f"/v1/catalogue?limit=100&offset={start}", headers)["items"] for start in starts]
    items = [item["item_id"] for page in pages for item in page]
    return [{"histories": [draw.choices(items, k=draw.randint(1, longest))], "k": 10} for _ in range(count)]


def _get(port: int, path: str, headers: dict[str, str]) -> Any:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return json.loads(body) if answer.status == 200 else {}


def _wait_until_ready(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if _get(port, "/readyz", {}).get("status") == "ready":
            return
        time.sleep(0.02)
    raise SystemExit("The service did not become ready.")


def _start(run: str, more: Sequence[str]) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "attrformer.cli", "serve", run, "--port", "0", *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    for line in process.stderr:
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("event") == "listening":
            # Read on, so that the pipe never fills.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(entry["port"])
    raise SystemExit(f"The service did not start (exit code {process.wait()}).")


def main() -> None:
    """Measures the service of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--requests", type=int, default=1000, help="for each number of clients")
    parser.add_argument("--clients", default="1,8,32", help="numbers of clients, separated by commas")
    parser.add_argument("--longest", type=int, default=20, help="items of the longest history")
    parser.add_argument("--path", default="/v1/recommend", choices=["/v1/recommend", "/v1/explain"])
    given, more = parser.parse_known_args()
    started = time.perf_counter()
    process, port = _start(given.run, more)
    try:
        _wait_until_ready(port)
        ready = time.perf_counter() - started
        bodies = histories(port, given.requests, given.longest, {})
        first = load(port, given.path, bodies[:1], 1)
        print(json.dumps({"ready_seconds": round(ready, 2), "first_request_ms": first.p50_ms}), flush=True)
        for clients in map(int, given.clients.split(",")):
            print(json.dumps({"path": given.path, **asdict(load(port, given.path, bodies, clients))}), flush=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


if __name__ == "__main__":
    main()
