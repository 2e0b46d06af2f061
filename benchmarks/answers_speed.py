"""Processor time of a first answer, and of answers for all users, of this build and of another checkout in turn.

Every round starts a process for each build, so that both meet the same neighbours on a shared machine; the result is
the ratio of the medians. The first answer is counted from the start of the interpreter; torch alone is its floor. A
round before the others writes the bytecode of both builds, as an installation does, and is not counted.

python benchmarks/answers_speed.py runs/beauty --against ../before
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import bench

OWN: Final = Path(__file__).resolve().parents[1]
FIRST: Final = """\
import sys
import attrformer
model = attrformer.AttrFormer.load(sys.argv[1], device="cpu")
users = model.fitted.knowledge.user_ids.decode([0])
model.recommend(users=users, k=5)
import time
print(time.process_time())
"""
EVERYBODY: Final = """\
import sys, time
import attrformer
model = attrformer.AttrFormer.load(sys.argv[1], device="cpu")
started = time.process_time()
model.recommend(k=10)
print(time.process_time() - started)
"""
TORCH: Final = "import time, torch; print(time.process_time())"
PROGRAMS: Final = {"first answer": FIRST, "all users": EVERYBODY}


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `attrformer train` wrote")
    parser.add_argument("--against", metavar="CHECKOUT", type=Path, help="another checkout of the library")
    parser.add_argument("--what", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), help="what is measured")
    parser.add_argument("--rounds", type=int, default=5, help="times that each program runs in each build")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


def seconds(program: str, source: Path, model: Path, cache: Path) -> float:
    """Processor time that a program says it took, with one thread.

    Args:
        program: Python that prints it.
        source: checkout whose library it imports.
        model: the saved model.
        cache: folder for bytecode.

    Raises:
        RuntimeError: the program failed; the message holds what it said.
    """
    environment = os.environ | {
        "PYTHONPATH": str(source / "src"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPYCACHEPREFIX": str(cache),
        # Empty is as if it were not set: where it is, every start would compile the library.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    ended = subprocess.run(
        [sys.executable, "-c", program, str(model)], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"{source}: {ended.stderr.strip()}")
    return float(ended.stdout)


def measure(what: list[str], builds: dict[str, Path], model: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds by program and build, the builds in turn within each round.

    Args:
        what: names of programs.
        builds: checkouts by name.
        model: the saved model.
        rounds: that count.
    """
    programs = {name: PROGRAMS[name] for name in what} | ({"import torch": TORCH} if "first answer" in what else {})
    taken = {name: {build: list[float]() for build in builds} for name in programs}
    with tempfile.TemporaryDirectory() as cache:
        for number in range(rounds + 1):
            for name, program in programs.items():
                for build, source in builds.items():
                    if number:
                        taken[name][build].append(seconds(program, source, model, Path(cache)))
                    elif name == "first answer":
                        seconds(program, source, model, Path(cache))
    return {name: {build: statistics.median(of) for build, of in each.items()} for name, each in taken.items()}


def main() -> None:
    """Measures and prints."""
    parser, options = parse()
    builds = {"this": OWN} | ({} if options.against is None else {"other": options.against.resolve()})
    try:
        medians = measure(options.what, builds, options.run / "model", options.rounds)
    except RuntimeError as error:
        parser.error(str(error))
    result: dict[str, Any] = {
        "hardware": bench.hardware(1),
        "load": os.getloadavg()[0],
        "rounds": options.rounds,
        "seconds": medians,
    }
    lines = []
    for name, each in medians.items():
        line = f"{name}: {each['this']:.2f} s of processor"
        if "other" in each:
            ratio = each["other"] / each["this"]
            result.setdefault("times as fast", {})[name] = ratio
            line += f", the other build {each['other']:.2f} s: {ratio:.2f} times as fast"
        lines.append(line)
    bench.report(result, lines, options.json)


if __name__ == "__main__":
    main()
