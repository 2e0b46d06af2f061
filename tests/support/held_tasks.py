"""The command line, with tasks of a Ray cluster that wait for a file: `python -m tests.support.held_tasks`.

Arguments are a folder, a pattern and a file, then the words of the command. Once three files of the folder have names
as in the pattern, no task ends before the file is there.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any


def waiting(go: Path, process: int) -> Path:
    """A file that is there once a process waits."""
    return go.with_name(f"{process} waits")


def computed(folder: Path, pattern: str, go: Path, compute: Callable[[Any, Any], Any], state: Any, item: Any) -> Any:
    """What a node runs: the result of an item, once the task may go on."""
    while len(list(folder.glob(pattern))) >= 3 and not go.exists():
        waiting(go, os.getpid()).touch()
        time.sleep(0.01)
    return compute(state, item)


def main() -> None:
    from tests.support import held_tasks

    from attrformer.cli import main
    from attrformer.cluster import Cluster, Work

    run, (folder, pattern, go) = Cluster.run, (sys.argv.pop(1) for _ in range(3))

    def held(cluster: Cluster, work: Work[Any, Any], items: Iterable[Any]) -> Iterator[Any]:
        waits = partial(held_tasks.computed, Path(folder), pattern, Path(go), work.compute)
        return run(cluster, replace(work, compute=waits), items)

    Cluster.run = held  # type: ignore[method-assign]
    main()


if __name__ == "__main__":
    main()
