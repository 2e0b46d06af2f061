"""Time of a training step by two gloo processes against one, on two cores, with the same global batches.

    python benchmarks/two_processes.py ../shared/data/beauty --rounds 3

In turn: one process with one thread, one with two, two processes with one thread each, which torchrun starts. Each
loads the data, counts the relations and makes some steps of the first epoch, batches included. Prints a JSON line for
each, and one with the medians and ratios. `processor_ms` is processor time of a step, of the busiest process, which
other load on the machine changes least; of one process with two threads it is that of both threads. `peak_mib` is the
largest resident memory of a process, pages that processes share included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

BAR: Final = 1.5

CASES: Final = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes": (2, 1)}


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("data", type=Path, help="dataset folder")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all cases")
    parser.add_argument("--warm-up", type=int, default=5, help="steps before the first that counts")
    parser.add_argument("--steps", type=int, default=40, help="steps that count")
    parser.add_argument("--set", action="append", default=[], help="option, such as training.batch_targets=4096")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def work(arguments: argparse.Namespace) -> None:
    """Makes the steps of one case, as one of its processes; rank 0 prints."""
    import torch
    from benchmarks.step_time import Silent

    from attrformer.config import override
    from attrformer.models.inputs import InputMaker
    from attrformer.models.registry import build_network
    from attrformer.ranks import joined
    from attrformer.recommender import Config
    from attrformer.recommender.fitting import make_examples
    from attrformer.relations.build import build_relations
    from attrformer.training.candidate_sampler import CandidateSampler
    from attrformer.training.device import keep_freed_memory
    from attrformer.training.trainer import Trainer

    config = override(Config(), arguments.set)
    keep_freed_memory()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    with joined() as ranks:
        dataset = config.data.filtered(ranks.shared(lambda: config.data.load(arguments.data)))
        train = config.data.split_of(dataset).train
        read = config.model.reads(config.relations)
        relations = ranks.shared(lambda: build_relations(dataset, train, read, config.seed))
        torch.manual_seed(config.seed)
        dropout = config.model.dropout_rate(float(train.lengths.mean()))
        network = build_network(relations, config.model, dropout).train()
        maker = InputMaker(relations, config.model.max_length, torch.device("cpu"))
        examples = make_examples(config, train, relations, maker, torch.device("cpu"), ranks)
        popularity = torch.from_numpy(relations.popularity)
        trainer = Trainer(
            network,
            examples,
            dict,
            popularity,
            config.training,
            config.target,
            torch.float32,
            None,
            Silent(),
            sampler=CandidateSampler.where_asked(popularity, config.training, config.model, ranks),
            ranks=ranks,
        )
        groups = examples.batches(0)[: arguments.warm_up + arguments.steps]
        wall, busy = [], []
        for number, group in enumerate(groups):
            begun, used = time.perf_counter(), time.process_time()
            trainer.step(examples.make(0, number, group, ranks))
            wall.append(time.perf_counter() - begun)
            busy.append(time.process_time() - used)
            trainer.progress.step = number + 1
        mine = torch.zeros(ranks.size, 2, dtype=torch.float64)
        mine[ranks.rank, 0] = statistics.fmean(busy[arguments.warm_up :])
        mine[ranks.rank, 1] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ranks.sum(mine)
        if ranks.first:
            step = {"step_ms": statistics.fmean(wall[arguments.warm_up :]), "processor_ms": float(mine[:, 0].max())}
            told = {name: round(1000 * value, 2) for name, value in step.items()}
            print(json.dumps(told | {"peak_mib": round(float(mine[:, 1].max()))}))


def run(arguments: argparse.Namespace, processes: int, threads: int) -> dict[str, Any]:
    """One case in processes of its own."""
    folder = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(folder), str(folder / "src")])
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": path, "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command += [__file__, str(arguments.data), "--worker", "--steps", str(arguments.steps)]
    command += ["--warm-up", str(arguments.warm_up), *(word for each in arguments.set for word in ("--set", each))]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measures in turn and prints."""
    arguments = parse()
    if arguments.worker:
        work(arguments)
        return
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES}
    for _ in range(arguments.rounds):
        for name, (processes, threads) in CASES.items():
            found[name].append(run(arguments, processes, threads))
            print(json.dumps({"case": name} | found[name][-1]), flush=True)
    medians = {
        name: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }
    one, threads, two = (medians[name]["step_ms"] for name in CASES)
    told = {"against one thread": one / two, "against two threads": threads / two, "bar": BAR}
    print(json.dumps({"medians": medians, "ratio": {name: round(value, 2) for name, value in told.items()}}))


if __name__ == "__main__":
    main()
