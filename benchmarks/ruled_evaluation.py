"""What `evaluate` takes under rules whose conditions read values that change often, beside another build.

    python benchmarks/ruled_evaluation.py --targets 100000 --changes 1e6
    python benchmarks/ruled_evaluation.py --targets 500 --changes 1e6 --against CHECKOUT

Generates a log in which every user has four interactions at times of their own, and items whose price and stock change
at any time (seed 0). The model is popularity, so that nearly all of the time is that of the rules and of ranking. Each
build is a process; they take turns. Prints a JSON line for each, with processor seconds of the evaluation without rules
and of each rule, and one with the ratios, medians over the rounds. Both builds have to find the same ranks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OWN = Path(__file__).resolve().parents[1]
START, SPAN = 1_600_000_000, 50_000_000
RULES: dict[str, Any] = {
    "nothing": None,
    "where": {"where": "price < 50 and stock > 0"},
    "where, boost": {"where": "stock > 0", "boost": [["price < 20", 0.5]]},
    "where, at_most": {"where": "stock > 0", "at_most": {"brand": 2}},
}


def measured(targets: int, changes: int, items: int) -> dict[str, Any]:
    """Processor seconds and a checksum of all ranks for each rule, in this process."""
    import zlib

    import numpy as np
    import polars as pl
    import torch

    from attrformer import Config, Dataset, Recommender
    from attrformer.config import override

    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(targets), 4)
    taken = random.integers(0, items, 4 * targets)
    log = pl.DataFrame(
        {"user_id": users, "item_id": taken, "timestamp": START + np.sort(random.integers(0, SPAN, 4 * targets))}
    )
    table = pl.DataFrame({"item_id": np.arange(items), "brand": [f"b{n % 500}" for n in range(items)]})
    priced = np.arange(changes) % 2 == 0
    values = np.where(priced, random.integers(1, 100, changes), random.integers(0, 4, changes)).astype(float)
    history = pl.DataFrame(
        {
            "item_id": random.integers(0, items, changes),
            "timestamp": START + random.integers(0, SPAN, changes),
            "column": np.where(priced, "price", "stock"),
            "value": values,
        }
    )
    data = Dataset.from_frames(log, table, item_changes=history, catalogue="all")
    settings = ("model.name=popularity", "evaluation.resamples=1")
    model = Recommender(override(Config(), settings)).fit(data, progress=False)
    found: dict[str, Any] = {}
    for name, rules in RULES.items():
        began = time.process_time()
        figures = model.evaluate(data, rules=rules)
        found[name] = {
            "seconds": round(time.process_time() - began, 3),
            "ranks": zlib.crc32(figures.ranks["hidden"].tobytes()),
        }
    return found


def main() -> None:
    """Measures the builds in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--changes", type=float, default=1e6)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", metavar="CHECKOUT", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = given.targets, int(given.changes), given.items
    if given.here:
        print(json.dumps(measured(*size)))
        return
    builds = {"this": OWN} | ({} if given.against is None else {"other": given.against.resolve()})
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in builds}
    options = [
        word
        for name, value in zip(("targets", "changes", "items"), size, strict=True)
        for word in (f"--{name}", str(value))
    ]
    for _ in range(given.rounds):
        for name, folder in builds.items():
            environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
            run = [sys.executable, __file__, "--here", *options]
            told = subprocess.run(run, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name].append(json.loads(told))
            print(json.dumps({"build": name, "targets": size[0], "changes": size[1], **found[name][-1]}), flush=True)
    if given.against is not None:
        same = all(one[rule]["ranks"] == found["this"][0][rule]["ranks"] for one in found["other"] for rule in RULES)
        medians = {
            name: {rule: statistics.median(one[rule]["seconds"] for one in runs) for rule in RULES}
            for name, runs in found.items()
        }
        ratios = {rule: round(medians["other"][rule] / medians["this"][rule], 2) for rule in RULES}
        print(json.dumps({"times_as_fast": ratios, "same_ranks": same}))


if __name__ == "__main__":
    main()
