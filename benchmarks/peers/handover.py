"""What passes between the driver and a peer: the split on one side, vectors and measurements on the other.

The driver and every peer import this file, each in an environment of its own, hence NumPy and the standard library
only. Users and items are called by their codes in the driver's dataset throughout.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLIT = "split.json"
RESULT = "result.json"
PARTS = ("train", "validation")
HEADER = "user_id,item_id,position"

WIDTH, LAYERS, HEADS, DROPOUT, MAX_LENGTH, LEARNING_RATE = 64, 2, 2, 0.5, 50, 1e-3
"""What every peer is set to; all else is the peer's own default, save for what its script names."""


@dataclass(frozen=True)
class Handover:
    """What a peer hands back: a score is the product of a user's vector with an item's.

    Args:
        users: int64 `[n]`, codes of the users that were asked for.
        vectors: float32 `[n, d]`, one row for each of them.
        item_vectors: float32 `[n_items, d]`, in the order of the catalogue.
        known: bool `[n_items]`, whether the peer ever saw the item; others cannot be recommended.
        result: measurements, as `measurements` gives them.
    """

    users: NDArray[np.int64]
    vectors: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    known: NDArray[np.bool_]
    result: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Writes the arrays, and last the measurements, whose presence says that the peer is done."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("users", "vectors", "item_vectors", "known"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        write_result(folder, self.result)

    @classmethod
    def read(cls, folder: Path) -> Handover:
        """What `write` wrote."""
        arrays = {name: np.load(folder / f"{name}.npy") for name in ("users", "vectors", "item_vectors", "known")}
        return cls(**arrays, result=read_result(folder))


class Stopwatch:
    """Seconds of each stage of a run, and of each epoch of the training.

    Processor seconds are kept beside them, since they say more where the machine was busy with something else.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor_seconds: dict[str, float] = {}
        self.epochs: list[float] = []
        self._epoch = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what is done inside; the first epoch of the training starts with the stage."""
        start, busy = time.perf_counter(), time.process_time()
        self._epoch = start
        yield
        self.seconds[name] = time.perf_counter() - start
        self.processor_seconds[name] = time.process_time() - busy

    def epoch(self) -> None:
        """Ends an epoch, validation included, and starts the next."""
        now = time.perf_counter()
        self.epochs.append(now - self._epoch)
        self._epoch = now


def parse(description: str) -> argparse.Namespace:
    """The options that the driver gives to every peer.

    Args:
        description: what the script does, for its help text.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("split", type=Path, help="folder with the exported split")
    parser.add_argument("out", type=Path, help="folder for what is handed back")
    parser.add_argument("--epochs", type=int, required=True, help="most epochs")
    parser.add_argument("--patience", type=int, required=True, help="epochs without a better validation before the end")
    parser.add_argument("--threads", type=int, required=True, help="threads to compute with")
    parser.add_argument("--seed", type=int, required=True, help="of weights and order")
    options = parser.parse_args()
    options.split, options.out = options.split.resolve(), options.out.resolve()
    return options


def write_part(folder: Path, part: str, table: NDArray[np.int64]) -> None:
    """Writes one part of the split.

    Args:
        folder: of the split.
        part: one of `PARTS`.
        table: int64 `[m, 3]`, user, item, and place of the interaction in the user's history, in that order.
    """
    np.savetxt(folder / f"{part}.csv", table, fmt="%d", delimiter=",", header=HEADER, comments="")


def read_part(folder: Path, part: str) -> NDArray[np.int64]:
    """What `write_part` wrote."""
    return np.loadtxt(folder / f"{part}.csv", dtype=np.int64, delimiter=",", skiprows=1, ndmin=2)


def read_contexts(folder: Path) -> NDArray[np.int64]:
    """What each user did before the test target, int64 `[m, 3]`: training, then the validation target."""
    table = np.concatenate([read_part(folder, part) for part in PARTS])
    return table[np.lexsort((table[:, 2], table[:, 0]))]


def read_split(folder: Path) -> dict[str, Any]:
    """What the driver tells about the split: `items`, `users`, `digest`."""
    return dict(json.loads((folder / SPLIT).read_text(encoding="utf-8")))


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Writes the measurements of a peer."""
    (folder / RESULT).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def read_result(folder: Path) -> dict[str, Any]:
    """The measurements of a peer."""
    return dict(json.loads((folder / RESULT).read_text(encoding="utf-8")))


def peak_memory() -> int:
    """Most bytes that this process has held in memory so far.

    `getrusage` would do, but on Linux a child starts with the peak of the process that started it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def limit_threads(count: int) -> None:
    """Lets torch compute with so many threads; the driver has set the variables that other libraries read."""
    import torch

    torch.set_num_threads(count)


def measurements(
    options: argparse.Namespace,
    watch: Stopwatch,
    *,
    packages: tuple[str, ...],
    settings: dict[str, Any],
    parameters: int,
    validation: list[float],
    memory: int,
    unknown_items: int = 0,
) -> dict[str, Any]:
    """What is reported beside the figures of a peer.

    Args:
        options: of the script.
        watch: with the stages and epochs of the run.
        packages: whose versions are told.
        settings: of the model and its training.
        parameters: numbers that were learned.
        validation: the figure that chose the epoch, of each epoch.
        memory: most bytes held until the training ended.
        unknown_items: items of the catalogue that the peer never saw.
    """
    return {
        "split": read_split(options.split)["digest"],
        "seed": options.seed,
        "threads": options.threads,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "settings": settings | {"epochs": options.epochs, "patience": options.patience},
        "parameters": parameters,
        "epochs": len(watch.epochs),
        "best_epoch": int(np.argmax(validation)) + 1,
        "validation": validation,
        "seconds": watch.seconds,
        "processor_seconds": watch.processor_seconds,
        "seconds_per_epoch": statistics.median(watch.epochs),
        "peak_memory_bytes": memory,
        "kept_memory": "MALLOC_MMAP_THRESHOLD_" in os.environ,
        "unknown_items": unknown_items,
        "load_average": os.getloadavg()[0],
    }
