"""Import time, a training step and a single answer, each against a limit that even a CI machine must keep.

The limits are in benchmarks/thresholds.yaml; a figure above its limit ends the command with 1. Each figure is the best
of some rounds, since whatever else a shared machine does can only add to it. Everything runs on the embedded sample
with one thread.

Example: python benchmarks/thresholds.py --json
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import bench
import yaml

LIMITS: Final = Path(__file__).with_suffix(".yaml")
PLAN: Final = """\
data:
  sample:
    folder: "${ATTRFORMER_DATA}/sample"
    set: {training.precision: float32, training.batch_targets: 256}
rows: [{name: attrformer}]
"""
PROGRAMS: Final = {
    "import_seconds": ("-c", "import attrformer"),
    "help_seconds": ("-m", "attrformer.cli", "--help"),
    "model_import_seconds": ("-c", "from attrformer import AttrFormer"),
}


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--limits", metavar="FILE", type=Path, default=LIMITS, help="YAML with a limit by figure")
    parser.add_argument("--rounds", type=int, default=3, help="times that each program is started; the best counts")
    parser.add_argument("--steps", type=int, default=20, help="training steps, and answers, that count")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


def limits_of(path: Path) -> dict[str, float]:
    """The limits of a file.

    Args:
        path: YAML, the name of a figure and a number on each line.

    Raises:
        ValueError: the file names other figures than those that are measured, or a limit is no positive number.
    """
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = {*PROGRAMS, "step_ms", "answer_ms"}
    if not isinstance(read, dict) or set(read) != names:
        raise ValueError(f"{path} has to give a limit for each of {', '.join(sorted(names))}, and for nothing else.")
    wrong = [name for name, limit in read.items() if not isinstance(limit, int | float) or limit <= 0]
    if wrong:
        raise ValueError(f"{path}: the limit of {', '.join(wrong)} is no number above 0.")
    return {name: float(limit) for name, limit in read.items()}


def best(run: Callable[[], Any], rounds: int) -> float:
    """The fewest seconds that a run took."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def program_seconds(rounds: int) -> dict[str, float]:
    """How long each program runs, less what an interpreter takes that does nothing."""

    def started(*arguments: str) -> float:
        command = [sys.executable, *arguments]
        return best(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), rounds)

    nothing = started("-c", "pass")
    return {name: max(started(*arguments) - nothing, 0.0) for name, arguments in PROGRAMS.items()}


def step_and_answer(steps: int) -> dict[str, float]:
    """Milliseconds of a training step, batch included, and of one answer of a model that was trained for an epoch."""
    # Imported here, since the programs are to be measured before this process keeps two cores busy.
    import step_time
    import torch

    from attrformer.benchmark.jobs import jobs
    from attrformer.benchmark.options import Overrides
    from attrformer.benchmark.plan import load_plan
    from attrformer.data.sample import sample_dataset
    from attrformer.recommender import AttrFormer

    torch.set_num_threads(1)
    dataset = sample_dataset()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dataset.save(root / "sample")
        (root / "plan.yaml").write_text(PLAN, encoding="utf-8")
        overrides = Overrides(("training.epochs=1", "evaluation.resamples=10"), 1)
        (job,) = jobs(load_plan(root / "plan.yaml"), overrides=overrides, root=root)
        trainer, examples, _ = step_time.prepare(job)
        batches = examples.batches(0)
        made = (examples.make(0, number % len(batches), batches[number % len(batches)]) for number in range(steps + 5))
        for _ in range(5):
            trainer.step(next(made))
        step = best(lambda: trainer.step(next(made)), steps)
        model = AttrFormer(job.config).fit(dataset, progress=False)
    history = dataset.item_ids.values[:5].to_list()
    model.recommend(histories=[history], k=10)
    return {"step_ms": 1000 * step, "answer_ms": 1000 * best(lambda: model.recommend(histories=[history], k=10), steps)}


def main() -> None:
    """Measures, prints, and ends with 1 where a limit is exceeded."""
    parser, options = parse()
    try:
        limits = limits_of(options.limits)
    except (OSError, ValueError, yaml.YAMLError) as error:
        parser.error(str(error))
    os.environ["OMP_NUM_THREADS"] = "1"
    figures = program_seconds(options.rounds) | step_and_answer(options.steps)
    over = [name for name, value in figures.items() if value > limits[name]]
    lines = [
        f"{name}: {value:.3g}, limit {limits[name]:g}{', EXCEEDED' if name in over else ''}"
        for name, value in figures.items()
    ]
    result = {"hardware": bench.hardware(1), "figures": figures, "limits": limits, "over": over}
    bench.report(result, lines, options.json)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
