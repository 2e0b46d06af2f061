"""What every benchmark shares: the line that says where it ran, timing, and output as lines or as one JSON object."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any


def hardware(threads: int) -> dict[str, Any]:
    """Processor, cores, threads, torch version and commit.

    Args:
        threads: that the benchmark computes with.
    """
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        "torch": version("torch"),
        "commit": _commit(),
    }


def times(runs: dict[str, Callable[[], Any]], repeats: int, *, warm_up: bool = True) -> dict[str, dict[str, float]]:
    """Median and best seconds of each run; they take turns, so that a machine that slows down slows all of them.

    Args:
        runs: what to time, by name.
        repeats: rounds that count.
        warm_up: whether there is a round before the first that does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(repeats + warm_up):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return {name: {"median": statistics.median(found), "best": min(found)} for name, found in seconds.items()}


def report(result: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Prints the result: the hardware, then the lines; or everything as one JSON object.

    Args:
        result: all figures, the hardware among them.
        lines: the same figures for people.
        as_json: whether to print JSON.
    """
    if as_json:
        print(json.dumps(result, indent=2))
        return
    where = result["hardware"]
    print(
        f"{where['cpu']} | {where['cores']} cores | {where['threads']} threads | torch {where['torch']} | "
        f"commit {where['commit']}"
    )
    for line in lines:
        print(line)


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (" and changes" if git("status", "--porcelain", "../src") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
