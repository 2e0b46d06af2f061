"""A Ray cluster of two nodes on this machine, which listens on the loopback interface alone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}
_HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}


@dataclass
class Nodes:
    """A cluster of two nodes with one processor each."""

    cluster: Any
    second: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def kill_in_the_middle(self, waits: Callable[[int], bool]) -> bool:
        """Kills the second node with its processes, if one of them is within a task; whether it was killed.

        Args:
            waits: says of a process whether it is within a task that does not end by itself.
        """
        (raylet,) = (found.process.pid for found in self.second.all_processes["raylet"])
        for worker in children(raylet):
            if waits(worker):
                self.cluster.remove_node(self.second, allow_graceful=False)
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                return True
        return False

    def ensure(self) -> None:
        """Starts the second node anew where it was killed."""
        if self.second not in self.cluster.worker_nodes:
            self.second = self.cluster.add_node(**NODE)


def children(process: int) -> list[int]:
    """Processes that a process has started."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        # A thread may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, path.read_text().split())
    return found


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """Two nodes with one processor each; the test is skipped where Ray is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        # Read when Ray is imported; otherwise it takes 127.0.0.1 for the address by which others reach the machine.
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Whether nodes ask for a token must not depend on what ran on this machine before; a process cannot change it.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        # Nodes import what the tests do.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        pytest.importorskip("ray")
        from ray.cluster_utils import Cluster

        head = {**NODE, "include_dashboard": False, "_system_config": _HEALTH}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            yield Nodes(cluster, cluster.add_node(**NODE))
        finally:
            cluster.shutdown()
            for number, handler in handlers.items():
                signal.signal(number, handler)
