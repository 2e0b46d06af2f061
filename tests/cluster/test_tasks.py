"""Tasks on a Ray that a block starts on this machine: results, lost tasks, refusals, and what is left behind."""

from __future__ import annotations

import operator
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from attrformer.cluster import Cluster, RayOptions, Work, connected
from attrformer.errors import ClusterError, ConfigurationError

pytestmark = pytest.mark.slow

OWN_NUMBER = "__import__('os').getpid()"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Importing it would decide which addresses it listens on.
    if find_spec("ray") is None:
        pytest.skip("needs Ray")
    with connected(RayOptions(retries=2)) as started:
        yield started


def test_every_item_has_one_result(cluster: Cluster) -> None:
    work = Work(list, operator.getitem, range(0, 1000, 10))
    found = list(cluster.run(work, range(99, -1, -1)))
    assert sorted(found) == [(item, 10 * item) for item in range(100)]
    assert list(cluster.run(work, [])) == []


def test_what_tasks_share_is_prepared_once_in_a_process(cluster: Cluster) -> None:
    work = Work(partial(eval, f"[{OWN_NUMBER}, __import__('time').monotonic_ns()]"), operator.getitem, {})
    prepared = {tuple(result) for _, result in cluster.run(work, [slice(2)] * 40)}
    # Ray ends processes that have nothing to do, and starts others.
    assert len({process for process, _ in prepared}) == len(prepared) < 40


def test_a_task_that_is_lost_again_and_again_ends_the_job(cluster: Cluster) -> None:
    # It kills the process that it runs in.
    work = Work(partial(eval, OWN_NUMBER), os.kill, {})
    before = cluster.lost
    with pytest.raises(ClusterError, match="A task was lost 3 times"):
        list(cluster.run(work, [signal.SIGKILL]))
    assert cluster.lost == before + 3
    assert [result for _, result in cluster.run(Work(list, operator.getitem, "ab"), [1])] == ["b"]


def test_a_task_that_fails_ends_the_job(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="A task failed on a node of the Ray cluster: ZeroDivisionError"):
        list(cluster.run(Work(int, operator.truediv, "1"), [2, 0]))


def test_more_processors_than_any_node_has(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"has 100000 processors, which each task takes; .* --threads"):
        list(cluster.run(Work(list, operator.getitem, "ab", cpus=100_000), [1]))


def test_a_caller_that_stops_leaves_no_task_and_its_handlers_stay(cluster: Cluster) -> None:
    results = cluster.run(Work(list, operator.getitem, range(1000)), range(1000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not cluster._running
    # Ray replaces it by one that ends the process without cleaning up.
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_connection_of_the_program_is_used_and_left(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    import ray

    with connected() as second:
        assert list(second.run(Work(list, operator.getitem, "ab"), [1])) == [(1, "b")]
        print("said within")
    assert ray.is_initialized()
    assert capsys.readouterr() == ("", "said within\n")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at sockets in /proc")
def test_other_machines_cannot_reach_what_was_started(cluster: Cluster) -> None:
    listening = "0A"
    ours = {path.name for path in sockets_of_ray()}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == listening and fields[9] in ours:
                address = fields[1].partition(":")[0]
                assert address.endswith("0100007F"), line
    assert ours


def sockets_of_ray() -> Iterator[Path]:
    """The inodes of the sockets of this process and of those that it started, as names."""
    waiting = [os.getpid()]
    while waiting:
        process = waiting.pop()
        try:
            for handle in Path(f"/proc/{process}/fd").iterdir():
                target = os.readlink(handle)
                if target.startswith("socket:["):
                    yield Path(target[8:-1])
            for told in Path(f"/proc/{process}/task").glob("*/children"):
                waiting += map(int, told.read_text().split())
        except OSError:
            continue


def test_options_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(ConfigurationError, match="Ray Client"), connected():
        pass
    with pytest.raises(ConfigurationError, match="retries is -1"):
        RayOptions(retries=-1)
    with pytest.raises(ConfigurationError, match="Ray Client"):
        RayOptions("ray://head:10001")
