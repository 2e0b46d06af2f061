"""How much sooner AttrFormer has the accuracy at which another model of ours ends, in processor time.

Each model is trained by a process of its own, with the options of its row of the leaderboard, from the start of Python
on: reading, counting relations and validation after each epoch are included. The other model trains until its patience
ends, and its time is that of its best epoch. AttrFormer's time is that of the first epoch whose validation NDCG@20 is
as high, with seen items hidden and ranked. The test part plays no role.

python benchmarks/time_to_accuracy.py --data-root DATA
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench

BAR = 25.0
PLAN = Path(__file__).parent / "plans" / "leaderboard.yaml"
METRIC = "NDCG@20"


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=os.environ.get("ATTRFORMER_DATA"), help="folder of the data")
    parser.add_argument("--data", default="beauty", help="data set of the plan")
    parser.add_argument("--row", default="attrformer", help="row whose time is asked for")
    parser.add_argument("--against", default="sasrec_ce", help="row whose accuracy is to be had")
    parser.add_argument("--seed", type=int, default=0, help="of both")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--child", nargs=2, metavar=("ROW", "RUN"), help=argparse.SUPPRESS)
    return parser.parse_args()


def train(options: argparse.Namespace) -> None:
    """Trains a row into a run folder, printing each epoch with the processor time that it took to get there."""
    from attrformer.benchmark.jobs import Selection, jobs
    from attrformer.benchmark.options import Overrides
    from attrformer.benchmark.plan import load_plan
    from attrformer.config import override
    from attrformer.data.dataset import Dataset
    from attrformer.recommender import Recommender

    row, run = options.child[0], Path(options.child[1])
    (job,) = jobs(load_plan(PLAN), Selection([row], [options.data], [options.seed]), Overrides((), 1), root=None)
    threading.Thread(target=follow, args=(run / "metrics.jsonl",), daemon=True).start()
    dataset = Dataset.load(job.data, name=job.source, catalogue=job.config.data.catalogue)
    Recommender(override(job.config, ["training.device=cpu"])).fit(dataset, run=run, progress=False)
    time.sleep(1)


def follow(metrics: Path) -> None:
    """Prints every line of a file of metrics as it comes."""
    told = 0
    while True:
        lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []
        for line in lines[told:]:
            values = {seen: figures[METRIC] for seen, figures in json.loads(line)["validation"].items()}
            print(json.dumps({"processor": time.process_time(), "validation": values}), flush=True)
        told = len(lines)
        time.sleep(0.1)


def epochs(row: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The epochs of a training as they come; who stops asking ends it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ATTRFORMER_DATA": str(options.data_root)}
    told = ["--data", options.data, "--seed", str(options.seed)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *told, "--child", row, str(Path(folder) / "run")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    yield json.loads(line)
            finally:
                process.kill()


def mean(epoch: dict[str, Any]) -> float:
    """What selects the best epoch: the mean of both variants."""
    return sum(epoch["validation"].values()) / len(epoch["validation"])


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.child:
        train(options)
        return
    if options.data_root is None:
        raise SystemExit("--data-root (or ATTRFORMER_DATA) is needed.")
    others = list(epochs(options.against, options))
    best = max(others, key=mean)
    reached = None
    for count, epoch in enumerate(epochs(options.row, options), 1):
        if all(epoch["validation"][seen] >= value for seen, value in best["validation"].items()):
            reached = {"epochs": count, **epoch}
            break
    if reached is None:
        raise SystemExit(f"{options.row} never reaches {best['validation']}.")
    ratio = best["processor"] / reached["processor"]
    result = {"hardware": bench.hardware(1), "bar": BAR, "ratio": ratio, "best": best, "reached": reached}
    result |= {"epochs": len(others), "whole": others[-1]["processor"]}
    lines = [
        f"{options.against}: best validation {best['validation']} after {best['processor']:.0f} s of processor, epoch "
        f"{others.index(best) + 1} of {len(others)}, which take {result['whole']:.0f} s",
        f"{options.row}: {reached['validation']} after {reached['processor']:.0f} s, epoch {reached['epochs']}",
        f"{ratio:.1f} times as soon; bar {BAR:.0f}: {'reached' if ratio >= BAR else 'missed'}",
    ]
    bench.report(result, lines, options.json)


if __name__ == "__main__":
    main()
