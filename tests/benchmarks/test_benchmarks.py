"""Every benchmark runs at a tiny size, in a process of its own, and gives figures that can be true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import attrformer
from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.recommender import AttrFormer, Config

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "benchmarks"


def run(name: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(attrformer.__file__).parents[1])}
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == code, done.stderr
    return done


def figures(name: str, *arguments: object) -> dict[str, Any]:
    begun = time.perf_counter()
    found = json.loads(run(name, *arguments, "--json").stdout)
    assert set(found["hardware"]) == {"cpu", "cores", "threads", "torch", "commit"}
    assert isinstance(found, dict)
    return found | {"elapsed": time.perf_counter() - begun}


def assert_times(seconds: dict[str, float], elapsed: float) -> None:
    assert 0 < seconds["best"] <= seconds["median"] < elapsed


def test_fused_loss() -> None:
    sizes = ("--targets=240", "--places=4", "--items=3000", "--width=8", "--repeats=2", "--precision=float32")
    found = figures("fused_loss", *sizes, "--block-elements", 24000)
    assert found["precision"] == "float32"
    for allocation, runs in found["seconds"].items():
        assert list(runs) == ["plain", "fused, 24,000 logits at a time"]
        for seconds in runs.values():
            assert_times(seconds, found["elapsed"])
        ratio = found["ratio"][allocation]["fused, 24,000 logits at a time"]["best"]
        assert ratio == pytest.approx(runs["plain"]["best"] / runs["fused, 24,000 logits at a time"]["best"])
    if sys.platform != "win32":
        plain, fused = found["peak_bytes"]["plain"], found["peak_bytes"]["fused"]
        assert list(plain) == list(fused) == ["240", "480", "960"]
        # Plain holds at least logits and their gradient; 2 MiB are 17 of the 80 blocks of fused logits.
        assert plain["960"] > 2 * 960 * 3000 * 4 - (1 << 20)
        assert fused["960"] < plain["960"] / 3


def test_fused_loss_refuses_targets_that_make_no_sequences() -> None:
    assert "no multiple of --places" in run("fused_loss", "--targets=7", "--places=3", code=2).stderr


def test_evaluation_speed(tmp_path: Path) -> None:
    sample = make_sample(users=60, items=50, brands=6)
    dataset = Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop")
    dataset.save(tmp_path / "data")
    settings = ("model.width=8", "model.layers=1", "training.epochs=1", "training.threads=1", "evaluation.resamples=5")
    AttrFormer(override(Config(), settings)).fit(dataset, run=tmp_path / "run", progress=False)
    found = figures("evaluation_speed", tmp_path / "run", "--data", tmp_path / "data")
    assert (found["targets"], found["items"]) == (60, dataset.item_count)
    assert_times(found["seconds"], found["elapsed"])
    assert found["users_per_second"]["best"] == pytest.approx(60 / found["seconds"]["best"])
    shown = run("evaluation_speed", tmp_path / "run", "--data", tmp_path / "data").stdout.splitlines()
    assert "1 threads | torch" in shown[0] and "leave-one-out" in shown[1] and "users/s" in shown[2]
    missing = run("evaluation_speed", tmp_path / "none", "--data", tmp_path / "data", code=2).stderr
    assert "Traceback" not in missing and str(tmp_path / "none") in missing


def test_raw_to_dataset(tmp_path: Path) -> None:
    ratings = [f"{user}::{item}::5::{978300000 + user + item}" for user in (1, 2) for item in (1, 2, 3)]
    files = {
        "ratings.dat": ratings,
        "users.dat": ["1::F::1::10::48067", "2::M::25::16::70072"],
        "movies.dat": ["1::First (1995)::Drama", "2::Second (1996)::Comedy|Drama", "3::Third (1997)::Comedy"],
    }
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        for name, lines in files.items():
            archive.writestr(f"ml-1m/{name}", "\n".join(lines) + "\n")
    found = figures("raw_to_dataset", tmp_path / "ml-1m.zip", "--repeats=1")
    assert (found["interactions"], found["users"], found["items"]) == (6, 2, 3)
    assert list(found["seconds"]) == ["read", "dataset", "both", "split"]
    for seconds in found["seconds"].values():
        assert_times(seconds, found["elapsed"])
    assert "Traceback" not in run("raw_to_dataset", tmp_path / "none.zip", code=2).stderr


def test_order_within_a_time(tmp_path: Path) -> None:
    # Both users take 1, 2, 3 on one day, then 9 and 4 on days of their own; the last two interactions are no training.
    log = {
        "user_id": ["a"] * 7 + ["b"] * 7,
        "item_id": [1, 2, 3, 9, 4, 5, 6] * 2,
        "timestamp": [0, 0, 0, 86_400, 172_800, 259_200, 345_600] * 2,
    }
    Dataset.from_frames(pl.DataFrame(log)).save(tmp_path / "shop")
    assert run("order_within_a_time", tmp_path / "shop", "--least", 2).stdout.splitlines() == [
        "shop: 0.500 of 8 steps in training are within one time",
        "  same time: 1.000 go up in item id; 2 frequent pairs, 1.000 in their usual order",
        "  later: 0.500 go up in item id; 2 frequent pairs, 1.000 in their usual order",
    ]
    done = run("order_within_a_time", tmp_path / "nowhere", code=2)
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr


def test_step_time(tmp_path: Path) -> None:
    sample = make_sample(users=60, items=40, brands=4)
    Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop").save(tmp_path / "shop")
    options = "training.precision: float32, training.batch_targets: 64, model.width: 8, model.layers: 1"
    (tmp_path / "plan.yaml").write_text(
        f'data: {{shop: {{folder: "${{ATTRFORMER_DATA}}/shop", set: {{{options}}}}}}}\n'
        "rows: [{name: sasrec, set: {model.name: sasrec, model.loss: full}}, {name: attrformer}]\n"
    )
    few = ("--data-root", tmp_path, "--warm-up", 1, "--steps", 2)
    found = json.loads(run("step_time", tmp_path / "plan.yaml", *few, "--operations", "--json").stdout)
    assert [(row["row"], row["data"]) for row in found["rows"]] == [("sasrec", "shop"), ("attrformer", "shop")]
    sasrec, attrformer = found["rows"]
    assert 50 < sasrec["operations"] < attrformer["operations"]
    for row in found["rows"]:
        assert row["epoch_seconds"] == pytest.approx((row["make_ms"] + row["step_ms"]) * row["steps_per_epoch"] / 1000)
        assert row["step_ms"] > 0 and row["memory_mib"] > 50 and row["accelerator_mib"] is None
    assert "sasrec on shop: load" in run("step_time", tmp_path / "plan.yaml", *few, "--rows", "sasrec").stdout


def test_answers_speed(tmp_path: Path) -> None:
    sample = make_sample(users=60, items=50, brands=6)
    dataset = Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop")
    settings = ("model.width=8", "model.layers=1", "training.epochs=1", "training.threads=1", "evaluation.resamples=5")
    AttrFormer(override(Config(), settings)).fit(dataset, run=tmp_path / "run", progress=False)
    found = figures("answers_speed", tmp_path / "run", "--against", FOLDER.parent, "--rounds", "1")
    assert set(found["seconds"]) == {"first answer", "all users", "import torch"}
    for name, each in found["seconds"].items():
        assert found["times as fast"][name] == pytest.approx(each["other"] / each["this"])
    # Of the processor.
    assert found["seconds"]["first answer"]["this"] > found["seconds"]["import torch"]["this"] / 2 > 0
    missing = run("answers_speed", tmp_path / "none", "--what", "all users", "--rounds", "1", code=2).stderr
    assert "holds no" in missing or "none" in missing
