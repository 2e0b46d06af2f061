"""Tasks on a cluster: each gives one result, whichever nodes and processes are lost."""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Generic, TypeVar
from uuid import uuid4

from attrformer.errors import AttrFormerError, ClusterError, ConfigurationError, require

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS: Final = 10.0
"""How long a cluster may take to answer, and how often its nodes are looked at while no result comes."""

_PATIENCE: Final = 300.0
"""Seconds that tasks wait for a node that can run them, since clusters replace lost nodes by themselves."""

_TASKS: Final = 3
"""Tasks for each processor that are not finished: one runs, and others wait, so that no processor is ever idle."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Where tasks run and how often they are tried.

    Args:
        address: of a running cluster, `host:port` or `auto` for the one that this machine belongs to. Where it is None,
            the environment variable RAY_ADDRESS says it, and otherwise Ray is started on this machine alone.
        retries: how often a task is tried again whose node or process was lost.

    Raises:
        ConfigurationError: the address is one of Ray Client, or `retries` is below 0.
    """

    address: str | None = None
    retries: int = 5

    def __post_init__(self) -> None:
        require(self.retries >= 0, "retries", self.retries, "0 or more")
        if self.address is not None and "://" in self.address:
            raise ConfigurationError(
                f"address is {self.address}, which is one of Ray Client. Run the command on a node of the cluster, "
                "such as by `ray job submit`, and give host:port or auto."
            )


@dataclass(frozen=True, slots=True)
class Work(Generic[Item, Result]):
    """What the tasks of one job do; both functions are importable by name on every node.

    Args:
        prepare: makes of `shared` what `compute` reads, once in each process.
        compute: makes the result of an item.
        shared: what all tasks read; it is sent to each node once.
        cpus: processors that a task takes.
    """

    prepare: Callable[[Any], Any]
    compute: Callable[[Any, Item], Result]
    shared: Any
    cpus: int = 1


class Cluster:
    """A connection to Ray, made by `connected`.

    Args:
        ray: the module.
        options: as given.
        fixed: whether no node will be added.
    """

    def __init__(self, ray: Any, options: RayOptions, *, fixed: bool) -> None:
        self._ray, self._options, self._fixed = ray, options, fixed
        self._running: dict[Any, tuple[Any, int]] = {}
        self.lost = 0

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """The results of all items, each once, as they come.

        A task whose node or process is lost runs again elsewhere, so `work` gives the same result each time and changes
        nothing else; `lost` counts them. Where the caller stops, nothing more is handed over. What runs ends with the
        connection, or by itself where the connection is the program's own.

        Args:
            work: what the tasks do.
            items: one for each task.

        Yields:
            An item and its result.

        Raises:
            ClusterError: no node can run the tasks, a node lacks what they need, or a task was lost too often.
            AttrFormerError: one that `work.compute` raised.
        """
        # Clusters that grow by themselves have no room until somebody asks for it.
        self._require_room(work.cpus, patient=not self._fixed)
        # Ray can repeat lost tasks too, and does not say so.
        remote = self._ray.remote(_task).options(num_cpus=work.cpus, max_retries=0)
        common = (uuid4().hex, _version(), [self._ray.put(pickle.dumps(work))])
        waiting = deque((item, 0) for item in items)
        try:
            while waiting or self._running:
                room = self._at_once(work.cpus) - len(self._running)
                for item, tries in [waiting.popleft() for _ in range(min(room, len(waiting)))]:
                    self._running[remote.remote(*common, item)] = item, tries
                for item, tries, result in self._finished(work.cpus):
                    if result is None:
                        waiting.append((item, tries + 1))
                    else:
                        yield item, result[0]
        finally:
            # `ray.cancel` of a task whose result arrives at that moment ends this process (Ray 2.60: a failed check in
            # CompletePendingTask). Whoever disconnects ends the tasks too.
            self._running.clear()

    def _finished(self, cpus: int) -> Iterator[tuple[Any, int, tuple[Any] | None]]:
        """Waits for a task: its item, how often it was lost before, and its result; None where it was lost."""
        since = time.monotonic()
        while not (ready := self._ray.wait(list(self._running), num_returns=1, timeout=SECONDS)[0]):
            self._require_room(cpus, patient=time.monotonic() - since < _PATIENCE)
        for reference in ready:
            item, tries = self._running.pop(reference)
            yield item, tries, self._result(reference, tries)

    def _at_once(self, cpus: int) -> int:
        """Tasks that are handed over and not finished; nodes may come and go."""
        return _TASKS * max(1, int(self._ray.cluster_resources().get("CPU", 0)) // cpus)

    def _require_room(self, cpus: int, *, patient: bool = False) -> None:
        most = max((node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]), default=0)
        if most < cpus and not patient:
            raise ClusterError(
                f"No node of the Ray cluster has {cpus} processors, which each task takes; the most is {most:g}. Give "
                "a smaller number of --threads, or add nodes. What is finished stays; the same command goes on."
            )

    def _result(self, reference: Any, tries: int) -> tuple[Any] | None:
        try:
            refusal, value = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise ClusterError(f"A task failed on a node of the Ray cluster: {line_of(error, -1)}.") from error
        except self._ray.exceptions.RayError as error:
            self.lost += 1
            if tries < self._options.retries:
                return None
            raise ClusterError(
                f"A task was lost {tries + 1} times ({type(error).__name__}: {line_of(error)}). What is finished "
                "stays; the same command goes on."
            ) from error
        if refusal is not None:
            raise refusal
        return (value,)


_prepared: Final[dict[str, tuple[Work[Any, Any], Any]]] = {}
"""In a process of a node: what its tasks read, by job."""


def _task(job: str, wanted: str, reference: list[Any], item: Any) -> tuple[AttrFormerError | None, Any]:
    """What a node runs: why it failed, if it did, and the result."""
    ray = import_module("ray")
    if job not in _prepared:
        try:
            if _version() != wanted:
                raise ClusterError(f"attrformer {_version()} is installed there, and {wanted} here. Install the same.")
            _prepared.clear()
            work: Work[Any, Any] = pickle.loads(ray.get(reference[0]))
            _prepared[job] = work, work.prepare(work.shared)
        except AttrFormerError as error:
            return ClusterError(f"Node {ray.util.get_node_ip_address()} of the Ray cluster: {error}"), None
    work, state = _prepared[job]
    try:
        return None, work.compute(state, item)
    except AttrFormerError as error:
        return error, None


def _version() -> str:
    try:
        return version("attrformer")
    except PackageNotFoundError:
        return "0+unknown"


def line_of(error: BaseException, place: int = 0) -> str:
    """A line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[place].rstrip(".")
