"""How long `attrformer check` takes and how much memory, on a log of the size of MovieLens-25M or on data of your own.

The command runs in a process of its own, imports and all. The log comes from the generator of the embedded sample.

python benchmarks/check_speed.py --work runs/check
python benchmarks/check_speed.py --data data/ml-1m --repeats 3
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bench

from attrformer.errors import AttrFormerError


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--work", metavar="FOLDER", type=Path, help="where the log is written")
    source.add_argument("--data", metavar="DATA", type=Path, help="what to check instead of a log that is made")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the users, items and interactions")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of polars")
    parser.add_argument("--repeats", type=int, default=1, help="how often the command runs; the best time counts")
    parser.add_argument("--keep", action="store_true", help="keep the log, and use one that lies there already")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


def prepared(options: argparse.Namespace) -> Path:
    """The dataset folder, made where there is none."""
    if options.data is not None:
        return Path(options.data)
    raw, folder = options.work / "ml-25m", options.work / "dataset"
    if not (options.keep and folder.is_dir()):
        # In a process of its own, whose memory is given back.
        code = (
            "import sys; from pathlib import Path; import ml25m_log; from attrformer.data.formats import prepare;"
            f"ml25m_log.write(Path({str(raw)!r}), {options.scale});"
            f"prepare(Path({str(raw)!r}), Path({str(folder)!r}), overwrite=True)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, env=_environment(options))
        shutil.rmtree(raw)
    return Path(folder)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Runs the command: seconds by the clock and of the processor, peak memory, and what it found."""
    command = [sys.executable, "-m", "attrformer.cli", "check", str(folder), "--json"]
    runs = []
    for _ in range(options.repeats):
        with tempfile.TemporaryFile() as output:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=output, env=_environment(options))
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            if status:
                raise AttrFormerError(f"{' '.join(command)} ended with code {os.waitstatus_to_exitcode(status)}")
            output.seek(0)
            report = json.load(output)
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        runs.append(
            {
                "interactions": report["facts"]["interactions"],
                "findings": {finding["id"]: finding["severity"] for finding in report["findings"]},
                "seconds": round(seconds, 2),
                "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
                "peak_mib": used.ru_maxrss // unit,
            }
        )
    return min(runs, key=lambda run: run["seconds"])


def _environment(options: argparse.Namespace) -> dict[str, str]:
    here = str(Path(__file__).parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "POLARS_MAX_THREADS": str(options.threads)}


def main() -> None:
    """Measures and prints."""
    parser, options = parse()
    try:
        figures = measure(prepared(options), options)
    except AttrFormerError as error:
        parser.error(str(error))
    finally:
        if options.work is not None and not options.keep:
            shutil.rmtree(options.work / "dataset", ignore_errors=True)
    result = {"hardware": bench.hardware(options.threads), **figures}
    lines = [
        f"{figures['interactions']:,} interactions: {figures['seconds']:.1f} s by the clock "
        f"({figures['processor_seconds']:.1f} s of the processor), peak {figures['peak_mib']:,} MiB",
        ", ".join(f"{id} ({severity})" for id, severity in figures["findings"].items()),
    ]
    bench.report(result, lines, options.json)


if __name__ == "__main__":
    main()
