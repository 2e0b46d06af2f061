"""Tables prepared by a Ray cluster: its tasks make the files that one machine makes, in a folder that all share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attrformer.cluster import Cluster, Work
from attrformer.data.preparing import KEY, Task
from attrformer.errors import ClusterError


@dataclass(frozen=True, slots=True)
class _Shared:
    """A step, and how its folder is recognised."""

    task: Task
    folder: Path
    key: str


def done_on_ray(cluster: Cluster, task: Task, count: int) -> Iterator[int]:
    """Runs a task of a preparation for every number below a count, on the nodes of a cluster.

    A file is written whole or not at all, and is the same whoever makes it, so that a lost task may run again while
    what is left of it still ends. What the files depend on is decided here, between the steps.

    Args:
        cluster: to compute on.
        task: as `prepare_tables` hands it over.
        count: of parts, or ranges of users.

    Yields:
        The number of each task that is done.

    Raises:
        ClusterError: a node lacks the tables or the folder of the output, or a task was lost too often.
        DataError: a table cannot be used as it is.
    """
    folder = task.args[0].folder
    shared = _Shared(task, folder, (folder / KEY).read_text(encoding="utf-8"))
    for number, _ in cluster.run(Work(_checked, _done, shared), range(count)):
        yield number


def _checked(shared: _Shared) -> Task:
    try:
        same = (shared.folder / KEY).read_text(encoding="utf-8") == shared.key
    except OSError:
        same = False
    tables = Path(shared.task.args[0].reading.source.path)
    lacking = shared.folder if not same else None if tables.exists() else tables
    if lacking is not None:
        raise ClusterError(
            f"There is no {lacking}. Put the tables and the output on a file system that all nodes have under the same "
            "path; tasks read and write there."
        )
    return shared.task


def _done(task: Task, number: int) -> Any:
    return task(number)
