"""How much sooner AttrFormer has the accuracy at which another model of ours ends, in processor time.

Each model is trained by a process of its own, with the options of its row of the leaderboard, from the start of Python
on: reading, counting relations and every evaluation are included. Both are evaluated as often within an epoch, and as
many epochs without a better figure end both. The other model trains until then, and its time is that of its best
evaluation. AttrFormer's time is that of its first evaluation whose validation NDCG@20 is as high, with seen items
hidden and ranked. The bar is for the ratio in which the other model is not charged for its evaluations within epochs,
which it does not need. The test part plays no role.

python benchmarks/time_to_accuracy.py --data-root DATA
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import bench

BAR = 25.0
HERE = Path(__file__).resolve().parent
PLAN = HERE / "plans" / "leaderboard.yaml"
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
    parser.add_argument("--evaluations", type=int, default=2, help="evaluations in an epoch, of both")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option of --row")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--child", nargs=2, metavar=("ROW", "RUN"), help=argparse.SUPPRESS)
    return parser.parse_args()


def train(options: argparse.Namespace) -> None:
    """Trains a row, printing each evaluation with the processor time that it took to get there."""
    # First, as a program imports the library.
    from attrformer import Dataset, Recommender  # isort: split

    from attrformer.benchmark.jobs import Selection, jobs
    from attrformer.benchmark.options import Overrides
    from attrformer.benchmark.plan import load_plan
    from attrformer.config import override
    from attrformer.recommender.run_folder import RunFolder, passes_of
    from attrformer.training.trainer import Trainer

    row, run = options.child[0], Path(options.child[1])
    (job,) = jobs(load_plan(PLAN), Selection([row], [options.data], [options.seed]), Overrides((), 1), root=None)
    spent = 0.0
    validated, kept = Trainer._validated, RunFolder.add_epoch

    def measured(self: Trainer) -> Any:
        nonlocal spent
        begun = time.process_time()
        figures = validated(self)
        spent += time.process_time() - begun
        return figures

    def told(self: RunFolder, line: Any) -> None:
        values = {seen: figures[METRIC] for seen, figures in line["validation"].items()}
        found = {"processor": time.process_time(), "evaluating": spent, "epochs": passes_of(line), "validation": values}
        print(json.dumps(found), flush=True)
        kept(self, line)

    Trainer._validated, RunFolder.add_epoch = measured, told  # type: ignore[method-assign]
    patience = job.config.training.patience * options.evaluations
    often = [f"training.evaluations_per_epoch={options.evaluations}", f"training.patience={patience}"]
    dataset = Dataset.load(job.data, name=job.source, catalogue=job.config.data.catalogue)
    config = override(job.config, ["training.device=cpu", *often, *options.set])
    Recommender(config).fit(dataset, run=run, progress=False)


def evaluations(
    row: str, options: argparse.Namespace, settings: Sequence[str] = ()
) -> Generator[dict[str, Any], None, None]:
    """The evaluations of a training as they come; who stops asking ends it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ATTRFORMER_DATA": str(options.data_root.resolve())}
    told = ["--data", options.data, "--seed", str(options.seed), "--evaluations", str(options.evaluations)]
    told += [f"--set={setting}" for setting in settings]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / Path(__file__).name), *told, "--child", row, str(Path(folder) / "run")]
        # A plan finds what a search chose beside the folder that it is run from.
        root = HERE.parent
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=root) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    yield json.loads(line)
                if process.wait():
                    raise SystemExit(f"The training of {row} has failed.")
            finally:
                process.kill()


def mean(evaluation: dict[str, Any]) -> float:
    """What selects the best one: the mean of both variants."""
    return sum(evaluation["validation"].values()) / len(evaluation["validation"])


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.child:
        train(options)
        return
    if options.data_root is None:
        raise SystemExit("--data-root (or ATTRFORMER_DATA) is needed.")
    others = list(evaluations(options.against, options))
    best = max(others, key=mean)
    goal = best["validation"]
    found = evaluations(options.row, options, options.set)
    reached = next((one for one in found if all(one["validation"][seen] >= goal[seen] for seen in goal)), None)
    found.close()
    if reached is None:
        raise SystemExit(f"{options.row} never reaches {goal}.")
    # As if it had been evaluated at the ends of epochs alone.
    least = best["processor"] - best["evaluating"] * (1 - 1 / options.evaluations)
    ratio, ratio_alike = (seconds / reached["processor"] for seconds in (least, best["processor"]))
    result = {"hardware": bench.hardware(1), "bar": BAR, "ratio": ratio, "ratio_alike": ratio_alike}
    result |= {"best": best, "least": least, "reached": reached, "whole": others[-1], "set": options.set}
    lines = [
        f"{options.against}: best validation {goal} after {best['epochs']:g} epochs of {others[-1]['epochs']:g}, "
        f"{best['processor']:.1f} s of processor, {least:.1f} s with one evaluation an epoch",
        f"{options.row} {' '.join(options.set)}: {reached['validation']} after {reached['epochs']:g} epochs, "
        f"{reached['processor']:.1f} s of processor, evaluations {reached['evaluating']:.1f} s of it",
        f"{ratio:.1f} times as soon ({ratio_alike:.1f} where both are charged for {options.evaluations} evaluations an "
        f"epoch); bar {BAR:.0f}: {'reached' if ratio >= BAR else 'missed'}",
    ]
    bench.report(result, lines, options.json)


if __name__ == "__main__":
    main()
