"""Time of a training step of the rows of a plan: making the batch, the step itself, and what an epoch comes to.

Each row is measured in this process, one after the other, on batches of its first epoch. On an accelerator the step is
timed until the device is done. `--operations` counts the operations of one step, which is what bounds it where each of
them is short.

Example: python benchmarks/step_time.py benchmarks/plans/leaderboard.yaml --data-root ../shared/data --data beauty
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import bench
import torch

from attrformer.benchmark.environment import peak_accelerator, peak_memory
from attrformer.benchmark.jobs import Job, Selection, jobs
from attrformer.benchmark.options import Overrides
from attrformer.benchmark.plan import load_plan
from attrformer.data.dataset import Dataset
from attrformer.models.inputs import InputMaker
from attrformer.models.registry import build_network
from attrformer.nn.batch import Example
from attrformer.recommender.fitting import make_examples
from attrformer.relations.build import build_relations
from attrformer.training.batches import Examples
from attrformer.training.candidate_sampler import CandidateSampler
from attrformer.training.checkpoint import Progress
from attrformer.training.device import choose_device, choose_precision
from attrformer.training.trainer import Trainer


class Silent:
    """A watcher that says nothing."""

    def batch(self, progress: Progress, batches: int, loss: float, targets: int) -> None:
        """See `Watcher`."""

    def epoch(self, line: dict[str, object]) -> None:
        """See `Watcher`."""


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("plan", type=Path, help="plan whose rows are measured")
    parser.add_argument("--data-root", type=Path, default=None, help="folder of the data")
    parser.add_argument("--rows", default=None, help="only these rows, separated by commas")
    parser.add_argument("--data", default=None, help="only these data sets, separated by commas")
    parser.add_argument("--set", action="append", default=[], help="option of every row, such as training.device=cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--warm-up", type=int, default=10, help="steps before the first that counts")
    parser.add_argument("--steps", type=int, default=30, help="steps that count")
    parser.add_argument("--operations", action="store_true", help="count the operations of a step as well")
    parser.add_argument("--json", action="store_true", help="one JSON object for each row")
    return parser.parse_args()


def prepare(job: Job) -> tuple[Trainer, Examples, dict[str, float]]:
    """A trainer that has not made a step, its batches, and how long both took.

    Args:
        job: the row on its data.
    """
    config, begun = job.config, time.perf_counter()
    dataset = config.data.filtered(Dataset.load(job.data, name=job.source, catalogue=config.data.catalogue))
    split = config.data.split_of(dataset)
    loaded = time.perf_counter()
    device = choose_device(config.training.device)
    torch.manual_seed(config.seed)
    relations = build_relations(dataset, split.train, config.model.reads(config.relations), config.seed)
    dropout = config.model.dropout_rate(float(split.train.lengths.mean()))
    network = build_network(relations, config.model, dropout).to(device).train()
    maker = InputMaker(relations, config.model.max_length, device)
    examples = make_examples(config, split.train, relations, maker, device)
    popularity = torch.from_numpy(relations.popularity).to(device)
    precision = choose_precision(config.training.precision, device)
    sampler = CandidateSampler.where_asked(popularity, config.training, config.model)
    options = config.training, config.target, precision
    trainer = Trainer(network, examples, dict, popularity, *options, None, Silent(), sampler=sampler)
    return trainer, examples, {"load_seconds": loaded - begun, "relation_seconds": time.perf_counter() - loaded}


def measure(job: Job, warm_up: int, steps: int, operations: bool) -> dict[str, Any]:
    """Times some steps of one row.

    Args:
        job: the row on its data.
        warm_up: steps before the first that counts.
        steps: that count.
        operations: whether the operations of a step are counted.
    """
    trainer, examples, seconds = prepare(job)
    groups = examples.batches(0)
    making, stepping = [], []
    for number in range(min(warm_up + steps, len(groups))):
        begun = time.perf_counter()
        example = examples.make(0, number, groups[number])
        made = time.perf_counter()
        trainer.step(example)
        _wait()
        if number >= warm_up or number == len(groups) - 1:
            making.append(made - begun)
            stepping.append(time.perf_counter() - made)
    making_mean, stepping_mean = statistics.fmean(making), statistics.fmean(stepping)
    return {
        "row": job.row.name,
        "data": job.source,
        **seconds,
        "make_ms": 1000 * making_mean,
        "step_ms": 1000 * stepping_mean,
        "steps_per_epoch": len(groups),
        "epoch_seconds": (making_mean + stepping_mean) * len(groups),
        "operations": _operations(trainer, example) if operations else None,
        "memory_mib": peak_memory(),
        "accelerator_mib": peak_accelerator(),
    }


def _wait() -> None:
    """Waits for what a CUDA device still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _operations(trainer: Trainer, example: Example) -> int:
    """Operations that compute something in one step, views and allocations left out."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        trainer.step(example)
    free = ("view", "reshape", "expand", "unsqueeze", "squeeze", "empty", "slice", "select", "transpose", "as_strided")
    events = [event for event in seen.events() if event.cpu_children == [] and event.name.startswith("aten::")]
    return sum(not event.name.removeprefix("aten::").startswith(free) for event in events)


def main() -> None:
    """Measures and prints."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    chosen = Selection(*((text.split(",") if text else None) for text in (arguments.rows, arguments.data)))
    overrides = Overrides(tuple(arguments.set), arguments.threads)
    found = [
        measure(job, arguments.warm_up, arguments.steps, arguments.operations)
        for job in jobs(load_plan(arguments.plan), chosen, overrides, root=arguments.data_root)
    ]
    where = bench.hardware(arguments.threads)
    where["accelerator"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    bench.report({"hardware": where, "rows": found}, map(words, found), arguments.json)


def words(row: dict[str, Any]) -> str:
    """A line for people."""
    counted = "" if row["operations"] is None else f" ({row['operations']} operations)"
    accelerator = "" if row["accelerator_mib"] is None else f", {row['accelerator_mib']:.0f} MiB on the accelerator"
    return (
        f"{row['row']} on {row['data']}: load {row['load_seconds']:.1f} s, relations {row['relation_seconds']:.1f} s, "
        f"batch {row['make_ms']:.1f} ms, step {row['step_ms']:.1f} ms{counted}, {row['steps_per_epoch']} steps, "
        f"{row['epoch_seconds']:.1f} s an epoch, {row['memory_mib']:.0f} MiB{accelerator}"
    )


if __name__ == "__main__":
    main()
