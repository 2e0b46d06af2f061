"""Whether the library takes a log of the size of MovieLens-25M: time and memory of each stage, and steps of training.

The log comes from the generator of the embedded sample and is written as the files of MovieLens-25M. It is as large as
the real one and no more than that: who acts on what is invented.

python benchmarks/ml25m_size.py --work runs/ml25m --config configs/ml-25m.yaml --out benchmarks/results/ml25m_size.json
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import bench
import ml25m_log

from attrformer.errors import AttrFormerError

WARM_UP = 3
EXTRAPOLATED = {"validation": 10_000, "test": ml25m_log.USERS}

Result = TypeVar("Result")


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--work", required=True, metavar="FOLDER", type=Path, help="where the log is written")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the users, items and interactions")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="options of the model, as YAML; defaults without it"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option, may be repeated")
    parser.add_argument("--steps", type=int, default=30, help="steps of training that count")
    parser.add_argument("--scored", type=int, default=256, help="test users whose whole catalogue is ranked")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and polars")
    parser.add_argument("--keep", action="store_true", help="keep the log, and use one that lies there already")
    parser.add_argument("--out", metavar="FILE", type=Path, help="JSON file, written again after each stage")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


class Stages:
    """Time and memory of one stage after the other.

    Args:
        result: what is known from the start; the figures of each stage are added under "stages", and "complete" tells
            a file whose run came to its end from one that was cut off.
        out: JSON file that holds the figures so far, or None.
    """

    def __init__(self, result: dict[str, Any], out: Path | None) -> None:
        self.result, self._out = {**result, "complete": False, "stages": {}}, out

    def run(self, name: str, stage: Callable[[], Result]) -> Result:
        """Runs a stage: seconds by the clock and of the processor, peak memory within it, memory after it."""
        _forget_peak()
        clock, processor = time.perf_counter(), time.process_time()
        made = stage()
        self.result["stages"][name] = {
            "seconds": round(time.perf_counter() - clock, 2),
            "processor_seconds": round(time.process_time() - processor, 2),
            **_memory(),
        }
        self.add()
        return made

    def add(self, **figures: Any) -> None:
        """Adds figures and writes what is known so far."""
        self.result |= figures
        if self._out is not None:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            self._out.write_text(json.dumps(self.result, indent=2) + "\n", encoding="utf-8")


def _forget_peak() -> None:
    """Lets the system count peak memory anew, where it can; elsewhere peaks are those since the start."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _memory() -> dict[str, int | None]:
    """The peak of this process and what it has now, both in MiB and at one moment; None for what is not known."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        return {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit, "after_mib": None}
    told = dict(line.split(":", 1) for line in lines)
    peak, now = (int(told[name].split()[0]) // 1024 for name in ("VmHWM", "VmRSS"))
    return {"peak_mib": peak, "after_mib": now}


class Enough(Exception):
    """As many steps as were asked for have been made."""


class Timer:
    """Times the steps of training from outside, the making of their examples included.

    Args:
        steps: after how many to stop, the first ones that do not count included.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.targets: list[int] = []
        self.clock: list[float] = []
        self.processor: list[float] = []

    def start(self) -> None:
        """Called right before the first step."""
        self.batch(None, 0, 0.0, 0)

    def batch(self, progress: Any, batches: int, loss: float, targets: int) -> None:
        """Called after each batch."""
        self.clock.append(time.perf_counter())
        self.processor.append(time.process_time())
        self.targets.append(targets)
        if len(self.clock) > self.steps:
            raise Enough

    def epoch(self, line: dict[str, object]) -> None:
        """Called after each epoch; the next one goes on."""

    def figures(self, batches: int, epoch_targets: int) -> dict[str, Any]:
        """Seconds of a step, and of an epoch as long as it has that many batches."""
        found: dict[str, Any] = {"steps": len(self.clock) - 1 - WARM_UP, "batches_per_epoch": batches}
        found["targets_per_epoch"] = epoch_targets
        found["targets_per_step"] = round(statistics.mean(self.targets[1 + WARM_UP :]), 1)
        for name, times in (("clock", self.clock), ("processor", self.processor)):
            each = [late - early for early, late in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False)]
            mean = statistics.mean(each)
            found[name] = {
                "mean_step_seconds": round(mean, 4),
                "median_step_seconds": round(statistics.median(each), 4),
                "steps_per_second": round(1 / mean, 4),
                "epoch_hours": round(mean * batches / 3600, 3),
            }
        return found


def measure(stages: Stages, options: argparse.Namespace) -> None:
    """Runs every stage."""
    from attrformer import Dataset
    from attrformer.config import load_yaml, override
    from attrformer.data.formats import prepare
    from attrformer.recommender import Config
    from attrformer.relations.build import build_relations

    config = Config() if options.config is None else load_yaml(Config, options.config)
    config = override(config, [*options.set, f"training.threads={options.threads}", "training.device=cpu"])
    raw, folder = options.work / "ml-25m", options.work / "dataset"
    if not (options.keep and folder.is_dir()):
        stages.run("generate", lambda: ml25m_log.write(raw, options.scale))
        stages.run("prepare", lambda: prepare(raw, folder, overwrite=True))
    dataset = stages.run("load", lambda: Dataset.load(folder))
    dataset = stages.run("filter", partial(config.data.filtered, dataset))
    split = stages.run("split", lambda: config.data.split_of(dataset))
    stages.add(users=dataset.user_count, items=dataset.item_count, interactions=len(dataset.sequences.items))
    read = config.model.reads(config.relations)
    relations = stages.run("relations", lambda: build_relations(dataset, split.train, read, config.seed))
    tables = {
        name: sum(block.nbytes for block in (rows.dense, rows.indices, rows.values) if block is not None) >> 20
        for name, rows in relations.rows.items()
    }
    stages.add(relation_table_mib=tables, model=config.model.name)
    train(stages, options, config, dataset, split, relations)


def train(stages: Stages, options: argparse.Namespace, config: Any, dataset: Any, split: Any, relations: Any) -> None:
    """Steps of training as `fit` makes them, and a ranking of the whole catalogue for some users."""
    import torch

    from attrformer.evaluation import evaluate
    from attrformer.models.inputs import InputMaker
    from attrformer.models.registry import build_network
    from attrformer.models.scorer import CatalogueScorer
    from attrformer.recommender.fitting import sample_targets
    from attrformer.training.batches import Examples
    from attrformer.training.candidate_sampler import CandidateSampler
    from attrformer.training.device import choose_precision
    from attrformer.training.trainer import Trainer

    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    device = torch.device("cpu")
    precision = choose_precision(config.training.precision, device)
    maker = InputMaker(relations, config.model.max_length, device)
    timer = Timer(options.steps + WARM_UP)

    def ready() -> tuple[Any, Examples, Trainer]:
        network = build_network(relations, config.model, config.model.dropout_rate(float(split.train.lengths.mean())))
        training, model = config.training, config.model
        examples = Examples(
            split.train, relations, maker, model.max_length, training, config.target, config.seed,
            prefixes=model.ENDS_BEFORE_TARGET, partners=model.CONTRASTS_SAME_TARGET,
        )  # fmt: skip
        popularity = torch.from_numpy(relations.popularity)
        nothing = {seen: {"NDCG@20": 0.0} for seen in ("seen=hidden", "seen=ranked")}
        settings = (training, config.target, precision, None, timer)
        sampler = CandidateSampler.where_asked(popularity, training, model)
        return network, examples, Trainer(network, examples, lambda: nothing, popularity, *settings, sampler=sampler)

    network, examples, trainer = stages.run("network", ready)
    stages.run("steps", lambda: _until_enough(trainer, timer))
    figures = timer.figures(len(examples.batches(0)), examples.target_count)
    loss = "full" if trainer.sampler is None else trainer.sampler.text
    stages.add(training={"precision": str(precision).removeprefix("torch."), "loss": loss, **figures})
    sample = sample_targets(split.test, options.scored, config.seed)
    stages.run(
        "scoring",
        lambda: evaluate(
            CatalogueScorer(network, relations, maker),
            sample,
            item_count=dataset.item_count,
            dataset=dataset.name,
            config=replace(config.evaluation, batch_size=min(config.evaluation.batch_size, len(sample))),
        ).values(),
    )
    each = stages.result["stages"]["scoring"]["processor_seconds"] / len(sample)
    whole = {part: round(each * count / 3600, 3) for part, count in EXTRAPOLATED.items()}
    stages.add(
        scoring={"users": len(sample), "processor_seconds_per_user": round(each, 5), "hours": whole}, complete=True
    )


def _until_enough(trainer: Any, timer: Timer) -> None:
    timer.start()
    try:
        trainer.fit()
    except Enough:
        return


def lines(result: dict[str, Any]) -> list[str]:
    """The figures for people."""
    found = [f"{result['interactions']:,} interactions, {result['users']:,} users, {result['items']:,} items"]
    for name, stage in result["stages"].items():
        found.append(
            f"  {name:10} {stage['seconds']:9.1f} s ({stage['processor_seconds']:.1f} s of the processor)  "
            f"peak {stage['peak_mib']:,} MiB"
        )
    training = result["training"]
    for name in ("clock", "processor"):
        step = training[name]
        found.append(f"  by {name}: {step['mean_step_seconds']:.2f} s a step, {step['epoch_hours']:.1f} hours an epoch")
    return found


def main() -> None:
    """Measures and prints."""
    parser, options = parse()
    # Both libraries read these once, when they are first imported.
    os.environ["POLARS_MAX_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    sizes = {"scale": options.scale, "seed": ml25m_log.SEED}
    stages = Stages({"hardware": bench.hardware(options.threads), **sizes}, options.out)
    try:
        measure(stages, options)
    except AttrFormerError as error:
        parser.error(str(error))
    finally:
        if not options.keep:
            shutil.rmtree(options.work / "ml-25m", ignore_errors=True)
            shutil.rmtree(options.work / "dataset", ignore_errors=True)
    bench.report(stages.result, lines(stages.result), options.json)


if __name__ == "__main__":
    main()
