"""Answers a second and memory of `attrformer serve --workers 2` against one process, in turn in one run.

    python benchmarks/serve_workers.py runs/beauty --seconds 5 --rounds 5
    python benchmarks/serve_workers.py runs/beauty --seconds 5 --rounds 5 --against CHECKOUT

Starts the services, waits until they are ready, and lets the same clients ask one after the other for recommendations,
round by round; each client sends its next request when it has the answer to the one before. With `--against` the one
process of another checkout takes part, and its workers where it has them.

The clients are one thread without a library for HTTP. They share the cores with the services: with two cores, one
process leaves them a core and two workers do not. What they cost is in the results, and no figure is corrected for it.
An answer counts if its status is 200 and it holds ten items.

Prints a JSON line for each round, and one with the medians over the rounds: answers a second; processor time of an
answer in the service, which other load on the machine changes least, and in the clients; and the proportional set size
(PSS) of all processes before and after the load. PSS counts a library's pages in parts where other processes have them,
too: let nothing else run.
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
BAR, MEMORY_BAR, ITEMS = 1.7, 1.25, 10


@dataclass
class Service:
    """A started service with its processes."""

    run: str
    workers: int
    source: Path | None = None
    processes: list[int] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        """Starts it and waits until every worker has a model."""
        command = [sys.executable, "-m", "attrformer.cli", "serve", self.run, "--port", "0"]
        command += ["--workers", str(self.workers)] if self.workers > 1 else []
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment |= {} if self.source is None else {"PYTHONPATH": str(self.source / "src")}
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
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

    @property
    def name(self) -> str:
        """How results call it."""
        return f"{'' if self.source is None else 'other '}{self.workers}"

    def stop(self) -> None:
        """Ends it where it was started."""
        if not self.processes:
            return
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
        right = self._got.startswith(b"HTTP/1.1 200") and self._got.count(b'"rank":') == ITEMS
        self.answers, self.errors = self.answers + right, self.errors + (not right)
        return True


@dataclass(frozen=True)
class Load:
    """What the clients met: right answers, others, seconds, and processor time of the clients."""

    answers: int
    errors: int
    seconds: float
    client: float


def load(port: int, bodies: list[Any], clients: int, seconds: float) -> Load:
    """Lets clients ask for some seconds."""
    texts = []
    for body in bodies:
        content = json.dumps(body).encode()
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        texts.append(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    ask = [Client(port, texts, number * 37) for number in range(clients)]
    with selectors.DefaultSelector() as ready:
        started, spent = time.perf_counter(), time.thread_time()
        for client in ask:
            ready.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        while time.perf_counter() < started + seconds:
            for key, _ in ready.select(1):
                if key.data.read():
                    key.data.send()
        passed, spent = time.perf_counter() - started, time.thread_time() - spent
    for client in ask:
        client.socket.close()
    return Load(sum(client.answers for client in ask), sum(client.errors for client in ask), passed, spent)


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


@dataclass
class Rounds:
    """What the rounds of one service came to."""

    speeds: list[float] = field(default_factory=list)
    service: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)

    def add(self, found: Load, used: float) -> dict[str, float]:
        """Notes a round in which the service used so many seconds of processor."""
        answers = max(found.answers, 1)
        self.speeds.append(found.answers / found.seconds)
        self.service.append(1000 * used / answers)
        self.client.append(1000 * found.client / answers)
        return {name: round(values[-1], 3) for name, values in vars(self).items()} | {"errors": found.errors}

    @property
    def medians(self) -> dict[str, float]:
        """Of answers a second and of milliseconds of processor for an answer."""
        return {
            "answers_per_second": round(statistics.median(self.speeds), 1),
            "service_ms_per_answer": round(statistics.median(self.service), 3),
            "client_ms_per_answer": round(statistics.median(self.client), 3),
        }


def main() -> None:
    """Measures the services of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round and service")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--against", type=Path, help="another checkout")
    given = parser.parse_args()
    counts = (1, given.workers)
    memory = [memory_alone(Service(given.run, workers), given.clients) for workers in counts]
    services = [Service(given.run, workers) for workers in counts]
    if given.against:
        able = (given.against / "src/attrformer/server/workers.py").exists()
        services += [Service(given.run, workers, given.against) for workers in (counts if able else (1,))]
    found = {service.name: Rounds() for service in services}
    try:
        for service in services:
            service.start()
        bodies = histories(services[0].port, 500, 20, {})
        for service in services:
            load(service.port, bodies, given.clients, 2.0)
        for number in range(given.rounds):
            for service in services if number % 2 else services[::-1]:
                used = service.seconds
                met = load(service.port, bodies, given.clients, given.seconds)
                told = found[service.name].add(met, service.seconds - used)
                print(json.dumps({"round": number, "of": service.name, **told, "load": os.getloadavg()[0]}), flush=True)
    finally:
        for service in services:
            service.stop()
    print(json.dumps(summary(found, memory, given)))


def summary(found: dict[str, Rounds], memory: list[tuple[list[int], list[int]]], given: Any) -> dict[str, Any]:
    """The medians, and what stands against the bars."""
    told = {name: rounds.medians for name, rounds in found.items()}
    more, few = told[str(given.workers)], told["1"]
    ratios = {name: round(more["answers_per_second"] / each["answers_per_second"], 3) for name, each in told.items()}
    return {
        "protocol": f"{given.clients} clients in one thread on the same {len(os.sched_getaffinity(0))} cores, which is "
        f"part of the load; median of {given.rounds} rounds of {given.seconds:g} s in turn",
        **told,
        "ratio": ratios["1"],
        "ratio_to_each": ratios,
        "bar": BAR,
        "processor_of_an_answer_ratio": round(more["service_ms_per_answer"] / few["service_ms_per_answer"], 3),
        "pss_mib": memory,
        "memory_ratio": [round(sum(b) / sum(a), 3) for a, b in zip(*memory, strict=True)],
        "memory_bar": MEMORY_BAR,
    }


if __name__ == "__main__":
    main()
