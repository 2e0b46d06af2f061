"""From which size of the catalogue on the sampled loss pays: validation after equal time and after equal targets.

The logs are those of `large_catalogue.py` at several sizes: as many interactions of an item and a user at each. At
every size the full softmax trains for some epochs, and is looked at several times in each. Then the sampled loss
trains for as many seconds of the processor, and is looked at after the same steps, which see the same targets, and
after the same seconds. Seconds are of steps alone, with one thread, without the first step, which compiles; validation
NDCG@20 has seen items hidden, and the best so far counts, as in a training that keeps its best weights.

The rule: the sampled loss is to be the default from the least size on at which, in the mean over seeds, it has at least
the validation of the full softmax after equal time, and at least 98 % of it after equal targets, there and at all
larger sizes that were tried.

python benchmarks/sampled_from.py --work runs/sizes
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import bench
import large_catalogue

FULL, SAMPLED = "full", "sampled"
LEAST_AFTER_TARGETS: Final = 0.98
"""Share of the full softmax's validation that the sampled loss is to have after equal targets."""


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--work", metavar="FOLDER", type=Path, required=True, help="where logs are written and kept")
    parser.add_argument("--items", type=int, nargs="+", default=[12_000, 24_000, 40_000, 59_000], help="sizes to try")
    parser.add_argument("--epochs", type=int, default=4, help="of the full softmax")
    parser.add_argument("--looks", type=int, default=2, help="times that validation is looked at in an epoch")
    parser.add_argument("--users", type=float, default=1.0, help="times as many users as in the log of the large size")
    parser.add_argument("--validation-users", type=int, default=4_000, help="most validation users")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of training")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--one", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--loss", default=FULL, help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    return parser.parse_args()


def one(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Trains with one loss; validation after the steps and seconds of `--at`, else several times in each epoch."""
    import torch

    from attrformer import AttrFormer, Dataset
    from attrformer.config import override
    from attrformer.recommender import Config
    from attrformer.training.trainer import Trainer

    torch.set_num_threads(1)
    steps, due = json.loads(options.at) if options.at else ([], [])
    found: list[dict[str, Any]] = []
    times: list[float] = []
    targets = 0
    inner = Trainer.step

    def step(self: Trainer, example: Any) -> float:
        nonlocal targets
        if not times and not options.at:
            each = self._steps_per_epoch
            steps.extend(each * k // options.looks for k in range(1, options.epochs * options.looks + 1))
        begun = time.process_time()
        loss = inner(self, example)
        # The first step compiles.
        times.append(time.process_time() - begun if times else 0.0)
        targets += int(example.mask.sum())
        if self.progress.step in steps or (due and sum(times) >= due[0]):
            due[:] = [seconds for seconds in due if seconds > sum(times)]
            self._refresh(None)
            look = {"step": self.progress.step, "seconds": sum(times), "targets": targets}
            found.append(look | {"validation": self._validated()["seen=hidden"]["NDCG@20"]})
            self.network.train()
        if not due and self.progress.step >= steps[-1]:
            found[-1]["median_step"] = statistics.median(times[1:])
            raise large_catalogue.Enough
        return loss

    Trainer.step = step  # type: ignore[method-assign]
    set_ = ["training.device=cpu", "training.threads=1", "training.epochs=100000", "training.evaluate_every=100000"]
    set_ += [f"training.validation_users={options.validation_users}", f"training.loss={options.loss}"]
    set_ += [f"seed={options.seeds[0]}"]
    with suppress(large_catalogue.Enough):
        AttrFormer(override(Config(), set_)).fit(Dataset.load(options.one), progress=False)
    return found


def measured(folder: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Both losses on the log of one size."""
    told = ["--epochs", options.epochs, "--looks", options.looks, "--validation-users", options.validation_users]
    command = [sys.executable, __file__, "--work", ".", "--one", folder, "--seeds", seed, *told]
    found: dict[str, list[dict[str, Any]]] = {}
    for loss in (FULL, SAMPLED):
        at = [[look[of] for look in found.get(FULL, [])] for of in ("step", "seconds")]
        whole = [*map(str, command), "--loss", loss, *(["--at", json.dumps(at)] if found else [])]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        found[loss] = json.loads(subprocess.run(whole, env=environment, check=True, stdout=subprocess.PIPE).stdout)
        print(folder.name, seed, loss, found[loss], file=sys.stderr, flush=True)
    return compared(found[FULL], found[SAMPLED])


def compared(full: Sequence[dict[str, Any]], sampled: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Seconds of a step, and the best validation of both after the same targets and after the same time.

    Args:
        full: what was seen of the full softmax, in the order of time.
        sampled: the same of the sampled loss, at the steps of `full` and at its seconds.
    """
    end = full[-1]

    def best(looks: Sequence[dict[str, Any]]) -> float:
        return max(float(look["validation"]) for look in looks)

    # A step that is begun in time is ended.
    timed = [look for look in sampled if look["seconds"] <= end["seconds"]] or sampled[:1]
    timed += [look for look in sampled if look["seconds"] > end["seconds"]][:1]
    return {
        "step": {FULL: end["median_step"], SAMPLED: sampled[-1]["median_step"]},
        "targets": end["targets"],
        "validation": best(full),
        "after_equal_time": best(timed),
        "after_equal_targets": best([look for look in sampled if look["step"] <= end["step"]]),
        "looks": {FULL: full, SAMPLED: sampled},
    }


def least_size(found: dict[int, list[dict[str, Any]]]) -> int | None:
    """The least size from which on the sampled loss is to be the default; None where it is at none.

    Args:
        found: what was measured, by size, for each seed.
    """
    least = None
    for items in sorted(found, reverse=True):
        full = statistics.mean(run["validation"] for run in found[items])
        timed = statistics.mean(run["after_equal_time"] for run in found[items])
        told = statistics.mean(run["after_equal_targets"] for run in found[items])
        if timed < full or told < LEAST_AFTER_TARGETS * full:
            break
        least = items
    return least


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.one is not None:
        print(json.dumps(one(options)))
        return
    found: dict[int, list[dict[str, Any]]] = {}
    for items in options.items:
        folder = options.work / f"{items}-{options.users:g}"
        if not folder.is_dir():
            large_catalogue.write_log(folder, items / large_catalogue.ITEMS, options.users)
        found[items] = [measured(folder, seed, options) for seed in options.seeds]
    lines = [
        f"{items:,} items, seed {seed}: a step {run['step'][FULL]:.3f} and {run['step'][SAMPLED]:.3f} s of processor; "
        f"full {run['validation']:.4f} after {run['targets']:,} targets, sampled {run['after_equal_time']:.4f} after "
        f"equal time, {run['after_equal_targets']:.4f} after equal targets"
        for items, runs in found.items()
        for seed, run in zip(options.seeds, runs, strict=True)
    ]
    least = least_size(found)
    lines.append("The sampled loss pays at no size." if least is None else f"The sampled loss pays from {least:,} on.")
    bench.report({"hardware": bench.hardware(1), "found": found, "least": least}, lines, options.json)


if __name__ == "__main__":
    main()
