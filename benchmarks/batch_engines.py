"""What an engine costs: answers for all users by one process, by two shards beside each other, and by Ray.

Ray runs a worker on each processor of this machine; the figures compare the same number of processors on two.

Every round computes the same file in each way, in turn, and compares the bytes. Each command starts anew: the start of
Python, of Ray and of its processes, loading the model and joining the shards are all counted, and `start` says how much
of it there is before the first user is answered, so that longer jobs can be judged too.

python benchmarks/batch_engines.py --users 40000
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import bench

from attrformer import AttrFormer, Config, Dataset
from attrformer.data.sample import make_sample

SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
WORKERS: Final = 2
ONE: Final = "one process"
SHARDS: Final = f"{WORKERS} shards beside each other, joined"
RAY: Final = f"Ray on {os.cpu_count()} processors"
TRAINED: Final = 2000
SMALL: Final = ("model.width=64", "training.epochs=1", "training.threads=1", "evaluation.resamples=20")


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--users", type=int, default=40_000, help="users of the shop")
    parser.add_argument("--items", type=int, default=4_000, help="items of its catalogue")
    parser.add_argument("--save-every", type=int, default=1024, help="users of a piece")
    parser.add_argument("--rounds", type=int, default=3, help="times that each way is measured")
    parser.add_argument("--run", type=Path, help="a training folder, in place of a model of a generated shop")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def made_run(folder: Path, users: int, items: int) -> Path:
    """A model of a generated shop, trained on some users; the others come in afterwards, since only answers count."""
    sample = make_sample(0, users=users, items=items)
    first = sample.users["user_id"].head(TRAINED).implode()
    seen = sample.interactions["user_id"].is_in(first)
    dataset = Dataset.from_frames(sample.interactions.filter(seen), sample.items, name="shop", catalogue="all")
    model = AttrFormer(Config().override(*SMALL)).fit(dataset, progress=False)
    model.update(sample.interactions.filter(~seen)).save(folder / "model")
    return folder


def command(*words: object) -> subprocess.Popen[str]:
    """Starts a command with one thread."""
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    started = [sys.executable, "-m", "attrformer.cli", *map(str, words)]
    return subprocess.Popen(started, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(*processes: subprocess.Popen[str]) -> None:
    """Waits for commands.

    Raises:
        RuntimeError: one failed; the message holds what it said.
    """
    for process in processes:
        _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(said)


def ways(asked: tuple[object, ...]) -> dict[str, Callable[[Path], None]]:
    """How a file is computed, by name."""

    def shards(out: Path) -> None:
        parts = [f"{number}/{WORKERS}" for number in range(1, WORKERS + 1)]
        ended(*(command(*asked, "--out", out, "--shard", part) for part in parts))
        ended(command("join", out))

    return {
        ONE: lambda out: ended(command(*asked, "--out", out)),
        SHARDS: shards,
        RAY: lambda out: ended(command(*asked, "--out", out, "--engine", "ray")),
    }


def measure(asked: tuple[object, ...], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds by way, of each round.

    Raises:
        RuntimeError: two ways made different files.
    """
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        made = set()
        for name, write in ways(asked).items():
            out = folder / "out.parquet"
            started = time.perf_counter()
            write(out)
            found.setdefault(name, []).append(time.perf_counter() - started)
            made.add(out.read_bytes())
            out.unlink()
        if len(made) != 1:
            raise RuntimeError("the files differ")
    return found


def main() -> None:
    """Measures and prints."""
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="batch-"))
    try:
        run = options.run or made_run(folder / "run", options.users, options.items)
        asked = ("recommend", run, "--save-every", options.save_every, "--threads", 1, "--quiet", "--users")
        every = measure((*asked, "all"), folder, options.rounds)
        (user,) = AttrFormer.load(run / "model", device="cpu").fitted.knowledge.user_ids.decode([0])
        # A shard is a piece at least, and one user is one piece.
        starts = {
            name: statistics.median(timed(write, folder) for _ in range(options.rounds))
            for name, write in ways((*asked, user)).items()
            if name != SHARDS
        }
    finally:
        shutil.rmtree(folder)
    medians = {name: statistics.median(seconds) for name, seconds in every.items()}
    result = {"hardware": bench.hardware(1), "seconds": every, "start": starts}
    bench.report(result, lines(medians, starts), options.json)


def lines(medians: dict[str, float], starts: dict[str, float]) -> Iterator[str]:
    """What is printed.

    Args:
        medians: seconds for all users, by way.
        starts: seconds for one user, by way.
    """
    for name, seconds in medians.items():
        said = f", start {starts[name]:.1f} s" if name in starts else ""
        yield f"{name}: {seconds:.1f} s{said}; {medians[ONE] / seconds:.2f} times as fast as one process"
    computing = {name: medians[name] - start for name, start in starts.items()}
    yield f"without the start, Ray is {computing[ONE] / computing[RAY]:.2f} times as fast as one process"


def timed(write: Callable[[Path], None], folder: Path) -> float:
    """Seconds that a way takes."""
    started = time.perf_counter()
    write(folder / "one.parquet")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
