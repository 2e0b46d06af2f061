"""How long it takes to prepare a log of interactions, beside polars' own read and sort, and how that grows.

python benchmarks/preparation.py                         # 25 million rows of csv, in turn with polars
python benchmarks/preparation.py --rows 25e6 100e6 400e6 --cap 8    # parquet in parts, memory capped at 8 GB

The log comes in the order of time, each user with 150 interactions, the items by a power law. Each run is a process of
its own; its peak is VmHWM, which counts mapped files. The cap is a control group of the system, page cache included,
where one can be made (as root), else a limit of the memory that is not of files (RLIMIT_DATA); the output says which.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import bench

SEED, PART, ITEMS, EACH = 0, 5_000_000, 60_000, 150
RATIO, PEAK, LINEAR = 1.5, 3.0, 1.2
GROUPS = Path("/sys/fs/cgroup/memory")


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rows", type=float, nargs="+", default=[25e6], help="interactions; several for growth")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each that count")
    parser.add_argument("--memory", type=float, default=1.0, help="GB for the rows that are looked at together")
    parser.add_argument("--cap", type=float, help="GB that the process may use")
    parser.add_argument("--folder", type=Path, help="where the logs are kept; a temporary one by default")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--child", nargs=3, metavar="WHAT", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_log(folder: Path, rows: int) -> None:
    """Writes a log as a folder of parquet files, the same for the same number of rows."""
    import numpy as np
    import polars as pl

    place = folder / "interactions"
    unfinished = folder / "unfinished"
    if place.is_dir():
        return
    unfinished.mkdir(parents=True, exist_ok=True)
    users = max(1, rows // EACH)
    for number, first in enumerate(range(0, rows, PART)):
        count = min(PART, rows - first)
        random = np.random.default_rng([SEED, number])
        times = 1_000_000_000 + (first + np.sort(random.integers(0, count, count))) * 500_000_000 // rows
        pl.DataFrame(
            {
                "user_id": random.integers(0, users, count),
                "item_id": (ITEMS * random.random(count) ** 3).astype(np.int64) * 7 + 1,
                "rating": (random.integers(1, 11, count) / 2).astype(np.float32),
                "timestamp": times,
            }
        ).write_parquet(unfinished / f"part-{number:05d}.parquet")
    unfinished.rename(place)


def write_csv(folder: Path, log: Path) -> None:
    """Writes the same log as one csv file."""
    import polars as pl

    if not (folder / "interactions.csv").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pl.scan_parquet(log / "interactions" / "*.parquet").sink_csv(folder / "unfinished")
        (folder / "unfinished").rename(folder / "interactions.csv")


def child(what: str, source: str, out: str, memory: float) -> None:
    """Reads and sorts, or prepares and opens; prints what it took."""
    start = time.perf_counter()
    if what == "polars":
        import polars as pl

        begun = time.perf_counter()
        rows = len(pl.read_csv(Path(source) / "interactions.csv").sort("user_id", "timestamp"))
    else:
        from attrformer.data import Dataset
        from attrformer.data.prepare_tables import prepare_tables

        begun = time.perf_counter()
        prepare_tables(source, out, memory=int(memory * 1e9), overwrite=True)
        rows = len(Dataset.load(out).sequences.items)
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1e6
    found = {"seconds": time.perf_counter() - begun, "imports": begun - start, "rows": rows, "peak_gb": peak}
    print(json.dumps({**found, "processor_seconds": used.ru_utime + used.ru_stime}))


def measured(what: str, source: Path, options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """What one process took; its memory is capped where that is asked for."""
    out = place / "prepared"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, __file__, "--child", what, str(source), str(out), "--memory", str(options.memory)]
    group = _group(options.cap)
    limit = None if options.cap is None else int(options.cap * 1e9)

    def enter() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")
        elif limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=enter)
        if done.returncode:
            raise SystemExit(f"{what} of {source} failed ({done.returncode}): {done.stderr[-2000:]}")
        found = json.loads(done.stdout)
        if group is not None:
            found["group_peak_gb"] = int((group / "memory.max_usage_in_bytes").read_text(encoding="utf-8")) / 1e9
    finally:
        if group is not None:
            with suppress(OSError):
                group.rmdir()
    return {**found, "cap": None if limit is None else "control group" if group is not None else "RLIMIT_DATA"}


def _group(cap: float | None) -> Path | None:
    """A control group of its own with a limit of memory, where one can be made."""
    group = GROUPS / f"attrformer-{os.getpid()}"
    if cap is None:
        return None
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(int(cap * 1e9)), encoding="utf-8")
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def against_polars(options: argparse.Namespace, place: Path) -> tuple[dict[str, Any], list[str]]:
    """Prepares a csv file and reads and sorts it with polars, in turn."""
    rows = int(options.rows[0])
    log, source = place / f"log-{rows}", place / f"csv-{rows}"
    write_log(log, rows)
    write_csv(source, log)
    runs: dict[str, list[dict[str, Any]]] = {"polars": [], "prepare": []}
    for _ in range(options.repeats):
        for what, found in runs.items():
            found.append(measured(what, source, options, place))
    middle = {
        what: {key: statistics.median(run[key] for run in found) for key in ("seconds", "processor_seconds", "peak_gb")}
        for what, found in runs.items()
    }
    ratio = middle["prepare"]["seconds"] / middle["polars"]["seconds"]
    work = middle["prepare"]["processor_seconds"] / middle["polars"]["processor_seconds"]
    lines = [f"{rows:,} rows of csv, medians of {options.repeats} runs in turn"]
    for what, words in (("polars", "polars: read and sort"), ("prepare", "prepare, and open")):
        own = middle[what]
        lines.append(
            f"  {words:24}{own['seconds']:8.1f} s  processor {own['processor_seconds']:6.1f} s  "
            f"peak {own['peak_gb']:.2f} GB"
        )
    lines.append(f"  ratio {ratio:.2f} (bar {RATIO}), of processor time {work:.2f}; peak bar {PEAK} GB")
    return {"rows": rows, "runs": runs, "medians": middle, "ratio": ratio, "processor_ratio": work}, lines


def growth(options: argparse.Namespace, place: Path) -> tuple[dict[str, Any], list[str]]:
    """Prepares logs of several sizes."""
    found, lines = [], [f"parquet in parts; {options.memory} GB of rows at a time"]
    for rows in map(int, options.rows):
        log = place / f"log-{rows}"
        write_log(log, rows)
        runs = [measured("prepare", log, options, place) for _ in range(options.repeats)]
        seconds = statistics.median(run["seconds"] for run in runs)
        work = statistics.median(run["processor_seconds"] for run in runs)
        peak = max(run["peak_gb"] for run in runs)
        found.append({"rows": rows, "seconds": seconds, "processor_seconds": work, "peak_gb": peak, "runs": runs})
        cap = runs[0]["cap"]
        lines.append(
            f"  {rows:>13,} rows {seconds:8.1f} s {rows / seconds / 1e6:6.2f} million a second  "
            f"processor {work:7.1f} s  peak {peak:.2f} GB{f', capped at {options.cap} GB by {cap}' if cap else ''}"
        )
    first, last = found[0], found[-1]
    shares = {key: last[key] / last["rows"] / (first[key] / first["rows"]) for key in ("seconds", "processor_seconds")}
    lines.append(
        f"  a row of the largest takes {shares['seconds']:.2f} times as long as one of the smallest (bar {LINEAR}), "
        f"{shares['processor_seconds']:.2f} of processor time"
    )
    return {"sizes": found, "growth": shares}, lines


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.child:
        child(*options.child, options.memory)
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = options.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        result, lines = (growth if len(options.rows) > 1 else against_polars)(options, place)
    bench.report({"hardware": bench.hardware(os.cpu_count() or 1), **result}, lines, options.json)


if __name__ == "__main__":
    main()
