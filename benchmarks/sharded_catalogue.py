"""Several gloo processes on a large catalogue: what a step sends, and memory and time of a validation.

    python benchmarks/sharded_catalogue.py --work runs/large --against ../earlier --scale 1

The log is that of `large_catalogue.py`, the loss sampled. The builds take turns; each is started by torchrun, with one
thread for each process. `own_mib` is memory that a process does not share (RssAnon), of the one that has most:
before validation, and the peak while it runs. `sent_mib` is what a step hands to collective operations.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import bench
from large_catalogue import Enough, write_log

FIGURES = ("step_s", "sent_mib", "validation_s", "own_mib_before", "own_mib_validating")


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--work", metavar="FOLDER", type=Path, required=True, help="where the log is written and kept")
    parser.add_argument("--against", metavar="CHECKOUT", type=Path, help="checkout of another build")
    parser.add_argument("--scale", type=float, default=1.0, help="share of users, items, categories and brands")
    parser.add_argument("--processes", type=int, default=2, help="ranks")
    parser.add_argument("--steps", type=int, default=10, help="steps that count")
    parser.add_argument("--scored", type=int, default=1000, help="validation users")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each build")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option of both builds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--one", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


class Watched:
    """The largest own memory of this process within a block."""

    def __enter__(self) -> Watched:
        self.peak, self._done = own_mib(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._done.wait(0.005):
            self.peak = max(self.peak, own_mib())

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


def own_mib() -> float:
    """Memory of this process that it shares with nobody."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def counted(sent: list[int]) -> None:
    """Adds up the bytes that are handed to collective operations."""
    import torch.distributed as dist

    def wrap(name: str) -> None:
        inner = getattr(dist, name)

        def call(tensor: Any, *arguments: Any, **named: Any) -> Any:
            sent[0] += tensor.numel() * tensor.element_size()
            return inner(tensor, *arguments, **named)

        setattr(dist, name, call)

    for name in ("all_reduce", "broadcast"):
        wrap(name)


def one(options: argparse.Namespace, folder: Path) -> None:
    """Trains as `fit` does until enough steps are made, and validates; rank 0 prints."""
    import torch

    from attrformer import AttrFormer, Dataset
    from attrformer.config import override
    from attrformer.ranks import joined
    from attrformer.recommender import Config
    from attrformer.training.trainer import Trainer

    found: dict[str, float] = {}
    sent, steps = [0], []
    inner = Trainer.step
    counted(sent)

    def step(self: Trainer, example: Any) -> float:
        if len(steps) > options.steps:
            found["sent_mib"] = sent[0] / len(steps) / (1 << 20)
            found["step_s"] = statistics.median(steps[1:])
            found["own_mib_before"], begun = own_mib(), time.process_time()
            with Watched() as watched:
                figures = self._validated()
            found["validation_s"], found["own_mib_validating"] = time.process_time() - begun, watched.peak
            found["ndcg"] = figures["seen=hidden"]["NDCG@20"]
            raise Enough
        sent[0] *= bool(steps)
        begun = time.process_time()
        loss = inner(self, example)
        steps.append(time.process_time() - begun)
        return loss

    Trainer.step = step  # type: ignore[method-assign]
    fixed = ["training.device=cpu", "training.threads=1", f"training.validation_users={options.scored}"]
    config = override(Config(), [*fixed, "training.loss=sampled", "training.average=0", *options.set])
    with joined() as ranks:
        with suppress(Enough):
            AttrFormer(config).fit(ranks.shared(lambda: Dataset.load(folder)), progress=False)
        told = torch.zeros(ranks.size, len(found), dtype=torch.float64)
        told[ranks.rank] = torch.tensor(list(found.values()), dtype=torch.float64)
        ranks.sum(told)
        if ranks.first:
            print(json.dumps(dict(zip(found, told.amax(0).tolist(), strict=True))))


def main() -> None:
    """Measures in turn and prints."""
    options = parse()
    if options.one is not None:
        one(options, options.one)
        return
    folder = options.work / f"large-{options.scale:g}"
    if not folder.is_dir():
        write_log(folder, options.scale)
    builds = {"this": Path(__file__).resolve().parents[1]}
    if options.against is not None:
        builds["other"] = options.against.resolve()
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
    for _ in range(options.rounds):
        for name, checkout in builds.items():
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            command += ["--nproc-per-node", str(options.processes), __file__, "--work", ".", "--one", str(folder)]
            command += ["--steps", str(options.steps), "--scored", str(options.scored)]
            command += [f"--set={given}" for given in options.set]
            told = {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
            done = subprocess.run(command, env=os.environ | told, check=True, stdout=subprocess.PIPE, text=True)
            runs[name].append(json.loads(done.stdout))
            print(name, runs[name][-1], file=sys.stderr, flush=True)
    medians = {
        name: {key: statistics.median(each[key] for each in found) for key in FIGURES} for name, found in runs.items()
    }
    result: dict[str, Any] = {"hardware": bench.hardware(1), "scale": options.scale, "runs": runs, "medians": medians}
    bench.report(result, (line(key, medians) for key in FIGURES), options.json)


def line(figure: str, medians: dict[str, dict[str, float]]) -> str:
    """A figure of this build, and its ratio to the other one."""
    own = medians["this"][figure]
    if "other" not in medians:
        return f"{figure}: {own:.3f}"
    return (
        f"{figure}: {own:.3f}, other build {medians['other'][figure]:.3f}, ratio {medians['other'][figure] / own:.2f}"
    )


if __name__ == "__main__":
    main()
