"""How long counting all relations takes, beside another build of the library, in turn in one run.

The log comes from the generator of the embedded sample: users by `--scale`, histories as long as in MovieLens-25M, and
the whole catalogue of MovieLens-25M at every scale unless `--items` says otherwise. Each count is a process of its own.
Compiling is timed apart, since numba keeps what it has compiled for later processes.

python benchmarks/counting_speed.py --against ../earlier --scale .1

With --interactions, logs of these sizes lie in files and are counted within --memory: rate, peak, and whether the time
grows as the log does.

python benchmarks/counting_speed.py --interactions 25e6 100e6 400e6 --memory 8
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bench
import large_log
import ml25m_log


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--against", metavar="FOLDER", type=Path, help="checkout of another build")
    parser.add_argument("--scale", type=float, default=0.1, help="share of the users")
    parser.add_argument("--items", type=int, default=ml25m_log.ITEMS, help="size of the catalogue")
    parser.add_argument("--threads", type=int, default=2, help="threads of this build; the other takes what it can")
    parser.add_argument("--repeats", type=int, default=3, help="counts by each build")
    parser.add_argument("--out", metavar="FILE", type=Path, help="JSON file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--interactions", type=float, nargs="+", metavar="N", help="sizes of logs that lie in files")
    parser.add_argument("--memory", type=float, default=8, help="gigabytes for counting these")
    parser.add_argument("--folder", metavar="FOLDER", type=Path, help="where these are written for a while")
    parser.add_argument("--count", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_log(file: Path, scale: float, items: int) -> int:
    """Writes the histories, time-ordered; returns how many interactions there are."""
    import numpy as np
    import polars as pl

    from attrformer.data.sample import make_sample

    users = max(1, round(ml25m_log.USERS * scale))
    each = ml25m_log.INTERACTIONS / ml25m_log.USERS
    log = make_sample(ml25m_log.SEED, users, items, interactions_per_user=each).interactions
    user, item = (
        np.unique(log[name].str.extract(r"(\d+)$").cast(pl.Int64).to_numpy(), return_inverse=True)[1]
        for name in ("user_id", "item_id")
    )
    order = np.lexsort((log["timestamp"].to_numpy(), user))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(user))])
    np.savez(file, offsets=offsets, items=item[order].astype(np.int32), times=log["timestamp"].to_numpy()[order])
    return len(order)


def count(file: Path, threads: int) -> dict[str, Any]:
    """Counts all counted relations of a log, and tells time and memory."""
    import numpy as np
    import polars as pl
    import torch

    from attrformer.data.id_map import IdMap
    from attrformer.data.sequences import Sequences
    from attrformer.relations.base import Sources
    from attrformer.relations.build import relations_from
    from attrformer.relations.config import RelationsConfig
    from attrformer.relations.folds import assign_folds

    try:
        from attrformer.relations.threads import on_threads
    except ImportError:
        on_threads = contextlib.nullcontext  # A build of before counts on one thread.
    torch.set_num_threads(threads)
    with np.load(file) as log:
        train = Sequences(log["offsets"], log["items"], log["times"].astype(np.int64))
    items, config = int(train.items.max()) + 1, RelationsConfig()
    sources = Sources(
        IdMap(pl.Series(range(items), dtype=pl.Int64)), None, {}, {}, {}, train,
        assign_folds(len(train), config.folds, 0), config.kept_entries(items),
    )  # fmt: skip
    compiling = large_log.compile_first()
    clock, processor = time.perf_counter(), time.process_time()
    with on_threads(threads):
        relations = relations_from(sources, config)
    return {
        "seconds": round(time.perf_counter() - clock, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
        "compiling_seconds": compiling,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "relations": list(relations),
    }


def _environment(checkout: Path, threads: int) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": str(threads)}


def measure(options: argparse.Namespace, file: Path) -> dict[str, Any]:
    """Counts by each build in turn."""
    builds = {"this": Path(__file__).resolve().parents[1]}
    if options.against is not None:
        builds["other"] = options.against.resolve()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in builds}
    for _ in range(options.repeats):
        for name, checkout in builds.items():
            command = [sys.executable, __file__, "--count", str(file), "--threads", str(options.threads)]
            environment = _environment(checkout, options.threads)
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found[name].append({**json.loads(done.stdout), "load": os.getloadavg()[0]})
            print(name, found[name][-1], file=sys.stderr, flush=True)
    return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Medians of each build, and how many times as fast this one is."""
    figures = ("seconds", "processor_seconds", "peak_mib")
    medians = {name: {f: statistics.median(run[f] for run in runs) for f in figures} for name, runs in found.items()}
    ratios = {}
    if "other" in medians:
        ratios = {name: round(medians["other"][name] / medians["this"][name], 2) for name in figures}
    return {"runs": found, "medians": medians, "other_by_this": ratios}


def report_sizes(options: argparse.Namespace) -> None:
    """Counts logs in files, each in a process of its own, and prints rate, peak and how the time grows."""
    runs = []
    for interactions in options.interactions:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            each = ml25m_log.INTERACTIONS / ml25m_log.USERS
            large_log.write(Path(folder), int(interactions), options.items, each)
            command = [sys.executable, __file__, "--count", folder, "--interactions", "1"]
            for name in ("threads", "items", "memory"):
                command += [f"--{name}", str(getattr(options, name))]
            environment = _environment(Path(__file__).resolve().parents[1], options.threads)
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        large_log.clean_up()
        runs.append(json.loads(done.stdout))
        print(runs[-1], file=sys.stderr, flush=True)
    grows = {
        name: round(runs[-1][name] / runs[0][name] * runs[0]["interactions"] / runs[-1]["interactions"], 3)
        for name in ("seconds", "processor_seconds")
    }
    result = {"hardware": bench.hardware(options.threads), "runs": runs, "last_by_first_per_interaction": grows}
    lines = [
        f"{run['interactions']:,} interactions: {run['seconds']} s, {run['million_a_second']} million a second, peak "
        f"{run['peak_mib']} MiB, {run['peak_without_files_mib']} MiB without files, limit set: {run['capped']}"
        for run in runs
    ]
    bench.report(result, [*lines, f"  seconds per interaction, last by first: {grows} (bar: 1.2)"], options.json)
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.count is not None and options.interactions:
        print(json.dumps(large_log.count(options.count, options.items, options.threads, options.memory)))
        return
    if options.interactions:
        report_sizes(options)
        return
    if options.count is not None:
        print(json.dumps(count(options.count, options.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.npz"
        interactions = write_log(file, options.scale, options.items)
        result = {"hardware": bench.hardware(options.threads), "scale": options.scale, "interactions": interactions}
        result |= summary(measure(options, file))
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    lines = [f"{interactions:,} interactions", *(f"  {name}: {each}" for name, each in result["medians"].items())]
    bench.report(result, [*lines, f"  other by this: {result['other_by_this']}"], options.json)


if __name__ == "__main__":
    main()
