"""Answers a second and memory of `attrformer serve --workers 2` against one process, in turn in one run.

    python benchmarks/serve_workers.py runs/beauty --seconds 5 --rounds 5

Starts both services, waits until they are ready, and lets the same clients ask one after the other for
recommendations, round by round; each client sends its next request when it has the answer to the one before. The
clients are one thread without a library for HTTP, since they share the cores with the services. Prints a JSON line for
each round, and one with the medians: answers a second, answers for each second of processor time (which other load on
the machine changes least), what an answer costs the clients, and the proportional set size (PSS) of all processes
before and after the load. PSS counts a library's pages in parts where other processes have them, too: let nothing else
run.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serve_load import HOST, histories

TICKS = os.sysconf("SC_CLK_TCK")
BAR, MEMORY_BAR = 1.7, 1.25


@dataclass
class Service:
    """A started service with its processes."""

    run: str
    workers: int
    processes: list[int] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        """Starts it and waits until every worker has a model."""
        command = [sys.executable, "-m", "attrformer.cli", "serve", self.run, "--port", "0"]
        command += ["--workers", str(self.workers)] if self.workers > 1 else []
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        self.processes.append(self._process.pid)
        assert self._process.stderr is not None
        ready = 0
        for line in self._process.stderr:
            entry = json.loads(line) if line.startswith("{") else {}
            self.port = entry.get("port", self.port)
            self.processes += [entry["process"]] if entry.get("event") == "worker.started" else []
            ready += entry.get("event") == "ready"
            if ready == self.workers:
                # Read on, so that the pipe never fills.
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return
        raise SystemExit(f"The service did not start (exit code {self._process.wait()}).")

    def stop(self) -> None:
        """Ends it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    @property
    def pss(self) -> list[float]:
        """Proportional set size of each process, MiB."""
        return [_pss(number) for number in self.processes]

    @property
    def seconds(self) -> float:
        """Processor time of all processes."""
        fields = [Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split() for number in self.processes]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def _pss(process: int) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Client:
    """One connection that asks again when it has been answered."""

    def __init__(self, port: int, texts: list[bytes], place: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._texts, self._place, self._got, self._needed = texts, place, b"", 0
        self.answers = self.errors = 0

    def send(self) -> None:
        """Sends the next request."""
        self._place += 1
        self._got, self._needed = b"", 0
        self.socket.sendall(self._texts[self._place % len(self._texts)])

    def read(self) -> bool:
        """Reads what has come, and says whether the answer is whole."""
        self._got += self.socket.recv(1 << 16)
        end = self._got.find(b"\r\n\r\n")
        if not self._needed and end >= 0:
            head = self._got[:end].lower()
            self._needed = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if not self._needed or len(self._got) < self._needed:
            return False
        self.answers += 1
        self.errors += not self._got.startswith(b"HTTP/1.1 200")
        return True


def load(port: int, bodies: list[Any], clients: int, seconds: float) -> tuple[float, int]:
    """Answers a second, and answers that were errors."""
    texts = []
    for body in bodies:
        content = json.dumps(body).encode()
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        texts.append(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    ask = [Client(port, texts, number * 37) for number in range(clients)]
    with selectors.DefaultSelector() as ready:
        started = time.perf_counter()
        for client in ask:
            ready.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        while time.perf_counter() < started + seconds:
            for key, _ in ready.select(1):
                if key.data.read():
                    key.data.send()
        passed = time.perf_counter() - started
    for client in ask:
        client.socket.close()
    return sum(client.answers for client in ask) / passed, sum(client.errors for client in ask)


def memory_alone(service: Service, clients: int) -> tuple[list[int], list[int]]:
    """PSS of each process of a service before and after load, while no other service shares libraries with it."""
    try:
        service.start()
        bodies = histories(service.port, 500, 20, {})
        idle = [round(value) for value in service.pss]
        load(service.port, bodies, clients, 5.0)
        return idle, [round(value) for value in service.pss]
    finally:
        service.stop()


def main() -> None:
    """Measures two services of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round and service")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    found: dict[int, list[tuple[float, float]]] = {1: [], given.workers: []}
    memory = [memory_alone(Service(given.run, workers), given.clients) for workers in found]
    services = [Service(given.run, workers) for workers in found]
    asked, spent = 0.0, time.process_time()
    try:
        for service in services:
            service.start()
        bodies = histories(services[0].port, 500, 20, {})
        for number in range(given.rounds + 1):
            for service in services if number % 2 else services[::-1]:
                used = service.seconds
                answers, errors = load(service.port, bodies, given.clients, given.seconds if number else 2.0)
                used = service.seconds - used
                asked += answers * (given.seconds if number else 2.0)
                told = {"round": number, "workers": service.workers, "answers_per_second": round(answers, 1)}
                told |= {"processor_seconds": round(used, 2), "errors": errors, "load": os.getloadavg()[0]}
                print(json.dumps(told), flush=True)
                if number:
                    found[service.workers].append((answers, answers * given.seconds / max(used, 0.01)))
    finally:
        for service in services:
            if service.port:
                service.stop()
    spent = time.process_time() - spent
    one, more = (list(map(statistics.median, zip(*rows, strict=True))) for rows in found.values())
    print(
        json.dumps(
            {
                "answers_per_second": [round(one[0], 1), round(more[0], 1)],
                "ratio": round(more[0] / one[0], 3),
                "bar": BAR,
                "answers_per_processor_second": [round(one[1], 1), round(more[1], 1)],
                "client_ms_per_answer": round(1000 * spent / asked, 3),
                "pss_mib": memory,
                "memory_ratio": [round(sum(b) / sum(a), 3) for a, b in zip(*memory, strict=True)],
                "memory_bar": MEMORY_BAR,
                "cores": len(os.sched_getaffinity(0)),
            }
        )
    )


if __name__ == "__main__":
    main()
