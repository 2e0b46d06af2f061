"""Kills training, `recommend --out`, saving a model and saving a dataset at random moments, and checks what is left.

Run:  python benchmarks/kill_tests.py --kills 20

After each SIGKILL:

- training: `--resume` ends in the same model, bit for bit, as a run that nobody touched, and no step that the
  checkpoint had acknowledged before is lost;
- `recommend --out`: the same command ends in the same file, byte for byte;
- saving: the old or the new model loads and answers as it did, and the folder can be saved to again;
- datasets: the old or the new one loads whole.

Everything happens in children that are forked from a process which has computed nothing yet, so that a kill costs no
start of the interpreter.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "2")

import polars as pl

from attrformer.cli.app import app
from attrformer.data import Dataset, save_dataset
from attrformer.data.sample import make_sample
from attrformer.recommender import Recommender

ERRORS = Path(tempfile.gettempdir()) / f"kill-tests-{os.getpid()}.txt"
TINY = (
    "training.epochs=4",
    "training.threads=1",
    "training.precision=float32",
    "training.batch_targets=128",
    "training.checkpoint_minutes=0.0001",
    "model.width=16",
    "model.layers=1",
    "evaluation.resamples=20",
)


def forked(work: Callable[[], object]) -> int:
    """Starts some work in a child; its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with ERRORS.open("w") as told, contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Waits for a child; its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def checked(work: Callable[[], object]) -> float:
    """Does some work in a child to its end; the seconds it took."""
    start = time.perf_counter()
    assert ended(forked(work)) == 0, ERRORS.read_text()
    return time.perf_counter() - start


def killed(work: Callable[[], object], seconds: float, watch: Callable[[], None] = lambda: None) -> bool:
    """Kills a child after some time, looking on meanwhile; whether it was still at work."""
    child = forked(work)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        watch()
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def command(*words: object) -> Callable[[], object]:
    """A command of the library."""
    return lambda: app([str(word) for word in words], standalone_mode=False)


def train(data: Path, run: Path, *more: str) -> Callable[[], object]:
    """The command that trains."""
    settings = [word for setting in (() if "--resume" in more else TINY) for word in ("--set", setting)]
    return command("train", "--data", data, "--out", run, "--quiet", *settings, *more)


def kill_training(folder: Path, data: Path, kills: int, drawn: random.Random) -> int:
    """Kills training; the number of kills that hit it."""
    whole = folder / "whole"
    seconds = checked(train(data, whole))
    hit = 0
    for number in range(kills):
        run, seen = folder / f"run{number}", [0]

        def look(run: Path = run, seen: list[int] = seen) -> None:
            with contextlib.suppress(FileNotFoundError):
                seen[0] = json.loads((run / "checkpoint" / "state.json").read_text())["step"]

        hit += killed(train(data, run), drawn.uniform(0.1, 1.0) * seconds, look)
        state = run / "checkpoint" / "state.json"
        reached = json.loads(state.read_text())["step"] if state.is_file() else 0
        assert reached >= seen[0], f"step {seen[0]} was saved, {reached} is left"
        checked(train(data, run, *(["--resume"] if (run / "config.json").is_file() else [])))
        for name in ("model/model.safetensors", "model/model.json", "figures.json", "relations.json"):
            assert (run / name).read_bytes() == (whole / name).read_bytes(), f"{run / name} differs"
        assert not [path for path in run.rglob("*") if path.name.endswith((".tmp", ".lock"))]
    return hit


def kill_recommend(folder: Path, run: Path, kills: int, drawn: random.Random) -> int:
    """Kills `recommend --out`; the number of kills that hit it."""
    hit = 0
    for ending in ("csv", "parquet"):
        whole = folder / f"whole.{ending}"
        asked = ("recommend", run, "-k", 5, "--save-every", 4, "--quiet", "--out")
        seconds = checked(command(*asked, whole))
        for number in range(kills // 2 + (kills % 2 if ending == "csv" else 0)):
            out = folder / f"{number}" / f"answers.{ending}"
            hit += killed(command(*asked, out), drawn.uniform(0.3, 1.0) * seconds)
            checked(command(*asked, out))
            assert out.read_bytes() == whole.read_bytes(), f"{out} differs"
            assert list(out.parent.iterdir()) == [out] or ending == "parquet"
    return hit


def kill_saving(folder: Path, run: Path, kills: int, drawn: random.Random) -> int:
    """Kills a process that saves two models in turn; the number of kills that hit it."""
    both = folder / "one", folder / "two"

    def make() -> None:
        model = Recommender.load(run / "model")
        model.save(both[0])
        history = model.fitted.knowledge.user_ids.values.head(1).to_list()
        item = model.fitted.knowledge.item_ids.values.head(1).to_list()
        model.update(pl.DataFrame({"user_id": history, "item_id": item, "timestamp": [2_000_000_000]}))
        model.save(both[1])

    place, hit = folder / "model", 0

    def save() -> None:
        models = [Recommender.load(one) for one in both]
        while True:
            for model in models:
                model.save(place)

    def compare() -> None:
        known = [Recommender.load(one).recommend(k=5) for one in both]
        model = Recommender.load(place)
        assert any(model.recommend(k=5).equals(one) for one in known)
        model.save(place)
        assert sorted(path.name for path in place.iterdir()) == ["model.json", "model.safetensors"]

    checked(make)
    checked(lambda: Recommender.load(both[0]).save(place))
    for _ in range(kills):
        hit += killed(save, drawn.uniform(0.2, 0.7))
        checked(compare)
    return hit


def kill_dataset(folder: Path, kills: int, drawn: random.Random) -> int:
    """Kills a process that saves two datasets in turn; the number of kills that hit it."""
    place, hit = folder / "shop", 0

    def save() -> None:
        pair = [dataset(users) for users in (20, 40)]
        while True:
            for one in pair:
                save_dataset(one, place)

    def compare() -> None:
        found = Dataset.load(place)
        assert found.user_count == found.sequences.offsets.size - 1
        assert found.name == f"shop of {found.user_count}", "tables of two datasets are mixed"

    checked(lambda: save_dataset(dataset(20), place))
    for _ in range(kills):
        hit += killed(save, drawn.uniform(0.1, 0.4))
        checked(compare)
    return hit


def dataset(users: int) -> Dataset:
    """A small shop whose name says how many users it has."""
    sample = make_sample(0, users=users, items=40, brands=4)
    name = f"shop of {users}"
    return Dataset.from_frames(sample.interactions, sample.items, sample.users, name=name, catalogue="all")


def main() -> None:
    """Runs all kills and prints how many hit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="kills of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    drawn, start = random.Random(options.seed), time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = folder / "data"
        checked(lambda: save_dataset(dataset(60), data))
        hits = {"training": kill_training(folder, data, options.kills, drawn)}
        hits["recommend --out"] = kill_recommend(folder, folder / "whole", options.kills, drawn)
        hits["save"] = kill_saving(folder, folder / "whole", options.kills, drawn)
        hits["dataset"] = kill_dataset(folder, options.kills, drawn)
    for what, hit in hits.items():
        print(f"{what}: {options.kills} kills, {hit} while it was at work, nothing lost")
    ERRORS.unlink(missing_ok=True)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
