"""A catalogue of 711,000 items: from the dataset's folder to the first step of training, a step, and peak memory.

The log is invented: users take items of a few categories each, by a Zipf law over categories and within them; items
have a category and one of 50,000 brands. With --against, another build of the library takes turns, each run a process
of its own. Times are those of the processor, with one thread.

python benchmarks/large_catalogue.py --work runs/large --against ../earlier

With --data, another dataset's folder takes the place of the log, and the bar is that a step is five times as fast, or
twice with `--set training.loss=full`; with `--data runs/ml25m/dataset --config configs/ml-25m.yaml` that is the log of
`ml25m_size.py --keep`. Histories of a batch are about as long as each other, and batches differ: both builds make the
same ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import bench

USERS, ITEMS, INTERACTIONS, CATEGORIES, BRANDS = 300_000, 711_000, 3_600_000, 2_000, 50_000
SEED: Final = 0
FASTER: Final = {"sampled": 5.0, "full": 2.0}
"""How many times as fast as the other build a step is to be on another dataset, by the loss of this one."""
BARS: Final = {"load_to_first_step": 60.0, "step": 0.5, "peak_gib": 4.0}
"""Seconds of the processor until the first step begins, for a step, and GiB."""


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--work", metavar="FOLDER", type=Path, required=True, help="where the log is written and kept")
    parser.add_argument("--against", metavar="CHECKOUT", type=Path, help="checkout of another build")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="folder of a dataset in place of the log")
    parser.add_argument("--config", metavar="FILE", type=Path, help="options of both builds, as YAML")
    parser.add_argument("--scale", type=float, default=1.0, help="share of users, items, categories and brands")
    parser.add_argument("--steps", type=int, default=20, help="steps of this build that count")
    parser.add_argument(
        "--other-steps", type=int, help="steps of the other build that count; 2, or as many as of this one with --data"
    )
    parser.add_argument("--rounds", type=int, default=1, help="runs of each build")
    parser.add_argument("--scored", type=int, default=100, help="validation users ranked by this build after its steps")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option of this build")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--one", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_log(folder: Path, scale: float, more_users: float = 1.0) -> None:
    """Writes a dataset folder: interactions and items.

    Args:
        folder: made where needed.
        scale: share of users, items, categories and brands; histories are as long at every scale.
        more_users: times as many users, and interactions, as that share.
    """
    import numpy as np
    import polars as pl

    users, items, rows, categories, brands = (
        max(2, round(count * scale))
        for count in (USERS * more_users, ITEMS, INTERACTIONS * more_users, CATEGORIES, BRANDS)
    )
    rng = np.random.default_rng(SEED)
    category = np.sort(rng.choice(categories, items, p=_zipf(categories, 0.5)))
    sizes = np.bincount(category, minlength=categories)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    each = max(1, brands // categories)
    brand = category * each + np.floor(each * rng.random(items) ** 2).astype(np.int64)
    # Histories of 5 and more, 12 on average.
    lengths = 5 + rng.poisson(rows / users - 5, users)
    user = np.repeat(np.arange(users), lengths)
    favourites = rng.choice(categories, (users, 3), p=_zipf(categories, 0.8))
    chosen = favourites[user, rng.choice(3, len(user), p=[0.6, 0.25, 0.15])]
    chosen = np.where(sizes[chosen] > 0, chosen, category[0])
    # The inverse of a Zipf law with exponent 1: ranks are even on a logarithmic scale.
    rank = np.minimum(np.exp(rng.random(len(user)) * np.log(sizes[chosen] + 1)).astype(np.int64), sizes[chosen]) - 1
    begun = rng.integers(0, 3 * 365 * 86_400, users)
    times = 1_600_000_000 + begun[user] + np.cumsum(rng.exponential(86_400, len(user)).astype(np.int64) + 1) % 7_776_000
    item = rng.permutation(items)
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"user_id": user, "item_id": item[starts[chosen] + rank], "timestamp": times}).write_parquet(
        folder / "interactions.parquet"
    )
    names = {"category": [f"c{k}" for k in category.tolist()], "brand": [f"b{k}" for k in brand.tolist()]}
    pl.DataFrame({"item_id": item, **names}).write_parquet(folder / "items.parquet")
    (folder / "dataset.json").write_text(json.dumps({"name": "large catalogue", "catalogue": "all"}) + "\n")


def _zipf(count: int, exponent: float) -> Any:
    import numpy as np

    weights = 1.0 / np.arange(1, count + 1) ** exponent
    return weights / weights.sum()


class Enough(Exception):
    """As many steps as were asked for have been made."""


def one(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Trains as `fit` does until enough steps are made; the imports do not count."""
    import torch

    from attrformer import AttrFormer, Dataset
    from attrformer.training.trainer import Trainer

    torch.set_num_threads(1)
    config = _config(options)
    found: dict[str, Any] = {}
    steps: list[float] = []
    targets: list[float] = []
    begun = time.process_time()
    first = 0.0
    inner = Trainer.step

    def step(self: Trainer, example: Any) -> float:
        nonlocal first
        first = first or time.process_time() - begun
        if len(steps) > options.steps:
            found.update(_afterwards(self, options.scored))
            raise Enough
        started = time.process_time()
        loss = inner(self, example)
        steps.append(time.process_time() - started)
        targets.append(float(example.mask.sum()))
        return loss

    Trainer.step = step  # type: ignore[method-assign]
    try:
        dataset = Dataset.load(folder)
        found["load"] = time.process_time() - begun
        AttrFormer(config).fit(dataset, progress=False)
    except Enough:
        pass
    # The first step makes what is made once.
    return found | {
        "load_to_first_step": first,
        "step": statistics.median(steps[1:]),
        "targets": statistics.mean(targets[1:]),
        "peak_gib": _peak_gib(),
    }


def _afterwards(trainer: Any, scored: int) -> dict[str, float]:
    """Peak memory of the training, and what it takes then to score a validation user."""
    found, started = {"training_peak_gib": _peak_gib()}, time.process_time()
    if scored:
        trainer._validated()
        found["scoring_a_user"] = (time.process_time() - started) / scored
    return found


def _config(options: argparse.Namespace) -> Any:
    """The options of a training that is measured."""
    from attrformer.config import load_yaml, override
    from attrformer.recommender import Config

    fixed = ["training.device=cpu", "training.threads=1", f"training.validation_users={max(1, options.scored)}"]
    config = Config() if options.config is None else load_yaml(Config, options.config)
    return override(config, [*fixed, *options.set])


def _peak_gib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform != "darwin" else 1 << 30)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Runs each build in turn."""
    builds = {"this": Path(__file__).resolve().parents[1]}
    if options.against is not None:
        builds["other"] = options.against.resolve()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in builds}
    for _ in range(options.rounds):
        for name, checkout in builds.items():
            other = options.other_steps or (2 if options.data is None else options.steps)
            steps = options.steps if name == "this" else other
            command = [sys.executable, __file__, "--work", ".", "--one", str(folder), "--steps", str(steps)]
            command += ["--scored", str(options.scored if name == "this" else 0)]
            command += [f"--set={given}" for given in options.set] if name == "this" else []
            command += [] if options.config is None else ["--config", str(options.config.resolve())]
            environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
            environment["POLARS_MAX_THREADS"] = "1"
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            found[name].append(json.loads(done.stdout))
            print(name, found[name][-1], file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.one is not None:
        print(json.dumps(one(options, options.one)))
        return
    folder = options.work / f"large-{options.scale:g}" if options.data is None else options.data
    if options.data is None and not folder.is_dir():
        write_log(folder, options.scale)
    runs = measure(options, folder)
    medians = {
        name: {figure: statistics.median(run[figure] for run in found) for figure in BARS}
        for name, found in runs.items()
    }
    result: dict[str, Any] = {"hardware": bench.hardware(1), "scale": options.scale, "runs": runs, "medians": medians}
    loss = "full" if "training.loss=full" in options.set else "sampled"
    bench.report(result, words(medians, None if options.data is None else FASTER[loss]), options.json)


def words(medians: dict[str, dict[str, float]], faster: float | None) -> Iterator[str]:
    """A line for each figure, with the ratio to the other build and the bar.

    Args:
        medians: by build and figure.
        faster: the bar of the ratio of steps; None: each figure has a bar of its own.
    """
    for figure, bar in BARS.items():
        own = medians["this"][figure]
        met = f" (bar {bar:g}: {'met' if own <= bar else 'missed'})" if faster is None else ""
        if "other" in medians:
            ratio = medians["other"][figure] / own
            met += f", other build {medians['other'][figure]:.3f}, ratio {ratio:.2f}"
            if figure == "step" and faster is not None:
                met += f" (bar {faster:g}: {'met' if ratio >= faster else 'missed'})"
        yield f"{figure}: {own:.3f}{met}"


if __name__ == "__main__":
    main()
