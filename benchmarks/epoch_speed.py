"""How much faster an epoch of training is than that of another checkout, both builds in turn on the same batches.

Each build is a process of its own that loads the data once; then they take turns over equal shares of the first epoch,
drawn over all its lengths. The making of batches is included, validation is not. Compiled passes are compiled before
the first turn, and OpenMP's threads wait as those of `attrformer train` do. With `--validate`, both make the whole
first epoch once more from the same seed and evaluate it.

python benchmarks/epoch_speed.py --against CHECKOUT --data-root DATA --threads 2
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

import bench

BAR = 1.7
PLAN = "benchmarks/plans/leaderboard.yaml"


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--against", type=Path, help="checkout of the other build")
    parser.add_argument("--data-root", type=Path, default=os.environ.get("ATTRFORMER_DATA"), help="folder of the data")
    parser.add_argument("--data", default="beauty,ml-1m", help="data sets, separated by commas")
    parser.add_argument("--row", default="attrformer", help="row of the plan")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each build")
    parser.add_argument("--steps", type=int, default=24, help="steps of a turn")
    parser.add_argument("--validate", action="store_true", help="evaluate the first epoch of both as well")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


class Build:
    """A build in a process of its own, which answers a line for each line it is told.

    Args:
        checkout: its root.
        data: name of the data set.
        options: of the command line.
    """

    def __init__(self, checkout: Path, data: str, options: argparse.Namespace) -> None:
        # As `attrformer train` does: threads of OpenMP that spin while they wait take the other threads' time. Another
        # policy that the environment names stays.
        environment = os.environ | {
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
            "PYTHONPATH": str(checkout / "src"),
            "OMP_NUM_THREADS": str(options.threads),
            "ATTRFORMER_DATA": str(options.data_root),
        }
        told = ["--threads", str(options.threads), "--steps", str(options.steps), "--row", options.row]
        command = [sys.executable, __file__, "--child", str(checkout), "--data", data, *told]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to a line: seconds by the clock and of the processor, and what else it gives."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("A build has ended; its message is above.")
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(options: argparse.Namespace) -> None:
    """Answers lines on standard input, as the checkout that it is run from."""
    checkout = Path(options.child)
    sys.path.insert(0, str(checkout / "benchmarks"))
    import step_time
    import torch

    from attrformer.training.device import keep_freed_memory

    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    keep_freed_memory()
    selection = step_time.Selection([options.row], [options.data])
    overrides = step_time.Overrides((), options.threads)
    (job,) = step_time.jobs(step_time.load_plan(checkout / PLAN), selection, overrides, root=None)
    trainer, examples, _ = step_time.prepare(job)
    groups = examples.batches(0)
    every = max(1, len(groups) // options.steps)
    for line in sys.stdin:
        clock, processor, losses = time.perf_counter(), time.process_time(), []
        numbers = range(len(groups)) if line.strip() == "epoch" else range(0, len(groups), every)
        for number in numbers:
            losses.append(trainer.step(examples.make(0, number, groups[number])))
        found = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
        print(json.dumps({**found, "loss": statistics.fmean(losses), "steps": len(losses)}), flush=True)


def fitted(checkout: Path, data: str, options: argparse.Namespace) -> dict[str, Any]:
    """The validation figures of the first epoch of a build, by its command."""
    program = (
        "import json, sys; from pathlib import Path; import torch; sys.path.insert(0, sys.argv[1] + '/benchmarks')\n"
        "from step_time import Overrides, Selection, jobs, load_plan; from attrformer import AttrFormer\n"
        "from attrformer.data.dataset import Dataset\n"
        "(job,) = jobs(load_plan(Path(sys.argv[1]) / sys.argv[2]), Selection([sys.argv[3]], [sys.argv[4]]),\n"
        "    Overrides(('training.epochs=1',), int(sys.argv[5])), root=None)\n"
        "data = Dataset.load(job.data, name=job.source, catalogue=job.config.data.catalogue)\n"
        "model = AttrFormer(job.config).fit(data)\n"
        "print(json.dumps({k: v['NDCG@20'] for k, v in model.evaluate(data, part='validation').values().items()}))"
    )
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "ATTRFORMER_DATA": str(options.data_root)}
    told = [str(checkout), PLAN, options.row, data, str(options.threads)]
    done = subprocess.run(
        [sys.executable, "-c", program, *told], stdout=subprocess.PIPE, text=True, env=environment, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(data: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both builds on one data set: seconds of every turn, and the ratio of their medians."""
    checkouts = {"today": options.against.resolve(), "new": Path(__file__).resolve().parent.parent}
    builds = {name: Build(checkout, data, options) for name, checkout in checkouts.items()}
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in builds}
    for number in range(options.rounds + 1):
        for name, build in builds.items():
            found = build.ask("turn")
            if number:
                turns[name].append(found)
    for build in builds.values():
        build.end()
    medians = {
        name: {kind: statistics.median(turn[kind] for turn in own) for kind in ("clock", "processor")}
        for name, own in turns.items()
    }
    ratios = {kind: medians["today"][kind] / medians["new"][kind] for kind in ("clock", "processor")}
    result = {"data": data, "turns": turns, "medians": medians, "ratio": ratios}
    if options.validate:
        result["validation"] = {name: fitted(checkout, data, options) for name, checkout in checkouts.items()}
    return result


def words(row: dict[str, Any]) -> str:
    """A line for people."""
    today, new, ratio = row["medians"]["today"], row["medians"]["new"], row["ratio"]
    validation = f"; validation NDCG@20 {row['validation']}" if "validation" in row else ""
    return (
        f"{row['data']}: a turn {today['clock']:.2f} and {new['clock']:.2f} s, {ratio['clock']:.2f} times as fast "
        f"(processor {today['processor']:.2f} and {new['processor']:.2f} s, {ratio['processor']:.2f} times); "
        f"bar {BAR}: {'reached' if ratio['clock'] >= BAR else 'missed'}{validation}"
    )


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.child:
        serve(options)
        return
    if options.against is None or options.data_root is None:
        raise SystemExit("Both --against and --data-root (or ATTRFORMER_DATA) are needed.")
    found = [compare(data, options) for data in options.data.split(",")]
    result = {"hardware": bench.hardware(options.threads), "bar": BAR, "rows": found}
    bench.report(result, map(words, found), options.json)


if __name__ == "__main__":
    main()
