"""Logs of any size in files that are mapped, made in parts, and counting them in a process with a limit of memory."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

USERS_OF_PART = 16_384
CATEGORIES = 400
GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)
"""Where limits are set, by the first version of control groups and by the second."""


def write(folder: Path, interactions: int, items: int, each: float, seed: int = 0) -> int:
    """Writes histories by user as arrays; returns how many interactions there are.

    Users have three categories each, and take items within them by Zipf; lengths of histories are lognormal.

    Args:
        folder: that is there.
        interactions: about how many.
        items: size of the catalogue.
        each: mean interactions of a user.
        seed: of everything.
    """
    import numpy as np
    from numpy.lib.format import open_memmap

    random = np.random.default_rng(seed)
    lengths = random.lognormal(0, 1, round(interactions / each))
    lengths = np.maximum(np.rint(lengths * interactions / lengths.sum()), 2).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    np.save(folder / "offsets.npy", offsets)
    count = int(offsets[-1])
    log = {
        "items": open_memmap(folder / "items.npy", "w+", np.int32, (count,)),
        "times": open_memmap(folder / "times.npy", "w+", np.int64, (count,)),
    }
    code, first = random.permutation(items).astype(np.int32), np.linspace(0, items, CATEGORIES + 1).astype(np.int64)
    share = 1 / np.arange(1, CATEGORIES + 1) ** 0.7
    for start in range(0, len(lengths), USERS_OF_PART):
        users = slice(start, min(start + USERS_OF_PART, len(lengths)))
        owner = np.repeat(np.arange(users.stop - start), lengths[users])
        liked = random.choice(CATEGORIES, (users.stop - start, 3), p=share / share.sum())
        category = liked[owner, random.integers(0, 3, len(owner))]
        size = np.diff(first)[category]
        rank = np.minimum((size ** random.random(len(owner))).astype(np.int64) - 1, size - 1)
        at = slice(int(offsets[start]), int(offsets[users.stop]))
        log["items"][at] = code[first[category] + rank]
        begun = random.integers(800_000_000, 1_500_000_000, users.stop - start)
        log["times"][at] = begun[owner] + (np.arange(at.start, at.stop) - offsets[start + owner]) * 600
    del log
    for file in folder.glob("*.npy"):
        # Pages that this process wrote would not count within the limit of the one that reads them.
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return count


def count(folder: Path, items: int, threads: int, memory: float) -> dict[str, Any]:
    """Counts all counted relations of a log in files, within a limit of memory where the system allows to set one.

    Args:
        folder: see `write`.
        items: size of the catalogue.
        threads: to count on.
        memory: gigabytes.
    """
    capped, watch = _cap(memory), Watch()
    import numpy as np
    import polars as pl

    from attrformer.data.id_map import IdMap
    from attrformer.data.sequences import Sequences
    from attrformer.relations.base import Sources
    from attrformer.relations.build import relations_from
    from attrformer.relations.config import RelationsConfig
    from attrformer.relations.folds import assign_folds
    from attrformer.relations.threads import on_threads

    train = Sequences(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("offsets", "items", "times")))
    config = RelationsConfig(memory=memory)
    sources = Sources(
        IdMap(pl.Series(range(items), dtype=pl.Int64)), None, {}, {}, {}, train,
        assign_folds(len(train), config.folds, 0), config.kept_entries(items),
    )  # fmt: skip
    compiling = compile_first()
    clock, processor = time.perf_counter(), time.process_time()
    with on_threads(threads):
        relations = relations_from(sources, config)
    seconds, used = time.perf_counter() - clock, time.process_time() - processor
    return {
        "interactions": len(train.items),
        "seconds": round(seconds, 1),
        "processor_seconds": round(used, 1),
        "million_a_second": round(len(train.items) / seconds / 1e6, 3),
        "processor_seconds_a_million": round(used / len(train.items) * 1e6, 3),
        "compiling_seconds": compiling,
        "capped": capped,
        "peak_mib": _status("VmHWM"),
        "peak_without_files_mib": watch.end(),
        "relations": list(relations),
    }


def compile_first() -> float:
    """Compiles what counts, or reads it from the cache of numba, where a build does; returns the seconds that took."""
    import numpy as np

    from attrformer.data.sequences import Sequences
    from attrformer.relations.config import CooccurrenceConfig
    from attrformer.relations.cooccurrence import cooccurrence_relation

    try:
        from attrformer.relations import compiled
    except ImportError:
        return 0.0
    start, least = time.perf_counter(), compiled.LEAST_PAIRS
    compiled.LEAST_PAIRS = 0
    train = Sequences(np.array([0, 3, 5]), np.array([0, 1, 2, 1, 0], dtype=np.int32))
    cooccurrence_relation("near", train, 3, np.arange(2), CooccurrenceConfig(), top_k=1)
    compiled.LEAST_PAIRS = least
    return round(time.perf_counter() - start, 2)


class Watch(threading.Thread):
    """Largest memory that lies in no file, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._most, self._ended = 0, threading.Event()
        self.start()

    def run(self) -> None:
        """Looks until the end."""
        while not self._ended.wait(0.1):
            self._most = max(self._most, _status("RssAnon"))

    def end(self) -> int:
        """The largest one in MiB."""
        self._ended.set()
        self.join()
        return max(self._most, _status("RssAnon"))


def _status(name: str) -> int:
    """A figure of this process in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _cap(memory: float) -> bool:
    """Puts this process under a limit, pages of files included; says whether that was allowed."""
    for parent, limit in GROUPS:
        group = parent / f"attrformer-benchmark-{os.getpid()}"
        try:
            group.mkdir()
            # Where this is no group of processes, the file is not there, and must not be made.
            for name, value in ((limit, int(memory * 1e9)), ("cgroup.procs", os.getpid())):
                with (group / name).open("r+", encoding="ascii") as file:
                    file.write(str(value))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        return True
    return False


def clean_up() -> None:
    """Removes the limits of processes that have ended."""
    for group in (group for parent, _ in GROUPS for group in parent.glob("attrformer-benchmark-*")):
        with contextlib.suppress(OSError):  # Another benchmark is at work.
            group.rmdir()
