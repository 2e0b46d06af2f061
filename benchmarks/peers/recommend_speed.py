"""Processor time of recommendations for everybody: a model of this project beside the SASRec of RecTools.

    python -m benchmarks.peers.recommend_speed runs/beauty --work runs/peers

Both recommend the same number of unseen items to the same users from the same histories, on one thread, each in a
process of its own that stays. They take turns. The first call of each is reported apart. RecTools is measured with its
own default settings and with others; the ratio is given to the default and to the best of all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.peers import environments

from benchmarks import bench

BAR: Final = 0.8
"""Of RecTools' time."""

OURS: Final = """\
import json, sys, time
import numpy as np
import attrformer
model = attrformer.AttrFormer.load(sys.argv[1], device="cpu")
histories = model.fitted.knowledge.histories
rows = np.repeat(np.arange(len(histories)), histories.lengths)
np.savez(sys.argv[2], users=rows, items=histories.items, places=np.arange(len(rows)) - histories.offsets[:-1][rows])
print(json.dumps({"dtype": str(next(model.fitted.network.parameters()).dtype), "users": len(histories),
    "interactions": len(rows), "items": len(model.fitted.knowledge.item_ids),
    "precision": model.fitted.knowledge.precision}), flush=True)
for line in sys.stdin:
    started = time.process_time()
    found = model.recommend(k=json.loads(line)["k"])
    used = time.process_time() - started
    print(json.dumps({"seconds": used, "rows": len(found), "users": found["user_id"].n_unique()}), flush=True)
"""
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "batches of 1,024": {"batch": 1024},
    "batches of 4,096": {"batch": 4096},
    "ranking by implicit": {"torch_ranking": False},
    "ranking by implicit, batches of 1,024": {"torch_ranking": False, "batch": 1024},
}


class Side:
    """A process that recommends when it is asked to.

    Args:
        command: that starts it.
        keep_memory: whether the C library keeps freed memory, as this library tells it to for many users.
    """

    def __init__(self, command: list[str], keep_memory: bool) -> None:
        environment = os.environ | environments.variables(1, keep_memory)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.about = self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"A side ended with exit code {self._process.wait()}; what it said is above.")
        told: dict[str, Any] = json.loads(line)
        return told

    def recommend(self, **asked: Any) -> dict[str, Any]:
        """Processor seconds of one call, and the rows that it gave."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `attrformer train` wrote")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="folder for RecTools' environment")
    parser.add_argument("--python", default=sys.executable, help="interpreter to make the environment with")
    parser.add_argument("--k", type=int, default=10, help="items for each user")
    parser.add_argument("--rounds", type=int, default=3, help="calls of each that count, after the first")
    parser.add_argument("--keep-memory", action="store_true", help="give RecTools our setting of the C library")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def measure(ours: Side, theirs: Side, k: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call by what was called, the first of each before the others."""
    taken: dict[str, list[float]] = {"attrformer": [], **{name: [] for name in SETTINGS}}
    for _ in range(rounds + 1):
        answered = {"attrformer": ours.recommend(k=k)}
        answered |= {name: theirs.recommend(k=k, **setting) for name, setting in SETTINGS.items()}
        for name, told in answered.items():
            taken[name].append(told["seconds"])
        if len({(told["rows"], told["users"]) for told in answered.values()}) != 1:
            raise SystemExit(f"The two did not recommend the same number of items: {answered}")
    return taken


def main() -> None:
    """Measures and prints."""
    given = parse()
    environment = environments.interpreter("rectools", given.work, given.python)
    with tempfile.TemporaryDirectory() as folder:
        histories = str(Path(folder) / "histories.npz")
        ours = Side([sys.executable, "-c", OURS, str(given.run / "model"), histories], keep_memory=False)
        script = str(environments.FOLDER / "recommend_rectools.py")
        theirs = Side([environment, script, histories], given.keep_memory)
        taken = measure(ours, theirs, given.k, given.rounds)
        ours.end()
        theirs.end()
    medians = {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
    own, best = medians.pop("attrformer"), min(medians, key=lambda name: medians[name])
    ratios = {"default": own / medians["default"], "best": own / medians[best]}
    result = {
        "hardware": bench.hardware(1),
        "load": os.getloadavg()[0],
        "k": given.k,
        "rectools keeps memory": given.keep_memory,
        "attrformer": ours.about,
        "rectools": theirs.about,
        "first": {name: seconds[0] for name, seconds in taken.items()},
        "seconds": {"attrformer": own, **medians},
        "best": best,
        "ratio": ratios,
        "bar": BAR,
        "reached": max(ratios.values()) <= BAR,
    }
    about = ours.about
    sizes = ", ".join(f"{about[name]:,} {name}" for name in ("users", "interactions", "items"))
    first = taken["attrformer"][0]
    lines = [
        f"{sizes}, {given.k} for each user",
        f"attrformer ({about['dtype']}, {about['precision']}): {own:.2f} s of processor, first {first:.2f} s",
        *(f"RecTools, {name}: {seconds:.2f} s, first {taken[name][0]:.2f} s" for name, seconds in medians.items()),
        f"{ratios['default']:.2f} of RecTools' time with its defaults, {ratios['best']:.2f} with {best}; bar {BAR}",
    ]
    bench.report(result, lines, given.json)


if __name__ == "__main__":
    main()
