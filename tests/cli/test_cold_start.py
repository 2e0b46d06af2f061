"""What the commands make of items without interactions and of data that have grown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.commands import ITEMS, USERS, call, settings

from attrformer.data.sample import make_sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sample = make_sample(users=USERS, items=ITEMS, brands=6)
    folder = tmp_path_factory.mktemp("data") / "shop"
    folder.mkdir()
    sample.interactions.write_parquet(folder / "interactions.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    sample.users.write_parquet(folder / "users.parquet")
    return folder


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    result = call("train", "--data", shop, "--out", folder, *settings("training.epochs=1"), "-q")
    assert result.exit_code == 0, result.stderr
    assert "Note: " not in result.stderr
    return folder


def test_training_goes_on_from_another_run(run: Path, shop: Path, tmp_path: Path) -> None:
    options = settings("training.epochs=1")
    result = call("train", "--data", shop, "--out", tmp_path / "next", *options, "--warm-start", run, "-q")
    assert result.exit_code == 0, result.stderr
    losses = [
        json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])["loss"]
        for folder in (run, tmp_path / "next")
    ]
    assert losses[1] < losses[0]
    other = (*options, "--set", "model.width=32", "--warm-start", run)
    refused = call("train", "--data", shop, "--out", tmp_path / "other", *other)
    assert refused.exit_code == 2
    assert "model.width=16" in refused.stderr and not (tmp_path / "other").exists()
    absent = call("train", "--data", shop, "--out", tmp_path / "other", "--warm-start", tmp_path / "no run")
    assert absent.exit_code == 2 and "no run is not a folder" in absent.stderr


def test_held_out_items_are_told_and_ranked_among_each_other(shop: Path, tmp_path: Path) -> None:
    options = settings("training.epochs=1", "data.split=held-out-items", "data.held_out=0.4")
    result = call("train", "--data", shop, "--out", tmp_path / "run", *options, "-q")
    assert result.exit_code == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if line.startswith("Note: ")]
    assert "items are held out for validation and" in said[0] and said[0].endswith(".")
    assert result.stdout.count("│ Recall@20 ") == 2
    assert "no other item ranked" in " ".join(result.stdout.split())
    again = call("evaluate", tmp_path / "run", "--json")
    assert [line for line in again.stderr.splitlines() if line.startswith("Note: ")] == said
    figures = json.loads(again.stdout)
    assert set(figures) == {"protocol", "seen=hidden", "seen=ranked", "groups", "held_out"}
    assert figures["held_out"]["protocol"]["items"] < figures["protocol"]["items"]
    assert call("evaluate", tmp_path / "run").stdout.count("│ Recall@20 ") == 2
