"""A run that is resumed goes on with compiled passes or without them, as it began."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support.recommenders import small_config, small_dataset

from attrformer import AttrFormer
from attrformer.io import CHECKSUM, read_json, with_checksum, write_json
from attrformer.nn import column_loss

pytest.importorskip("numba")
pytestmark = pytest.mark.slow

HIDDEN = """
import importlib.util, sys
if sys.argv[3] == "hidden":
    # As where it is not installed.
    found = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *more: None if name == "numba" else found(name, *more)
from attrformer.nn import column_loss
from attrformer.training import device
column_loss.LEAST_LOGITS = device.LEAST_LOGITS = 1
from attrformer.cli.app import app
app(["train", "--data", sys.argv[1], "--out", sys.argv[2], "--quiet", *sys.argv[4:]])
"""
OPTIONS = ("training.threads=1", "training.precision=float32", "model.width=16", "model.layers=1")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    small_dataset().save(folder)
    return folder


def train(shop: Path, run: Path, numba: str, epochs: int, *more: str) -> str:
    """Trains by the command with numba `there` or `hidden`; returns what it said."""
    settings = [word for option in (*OPTIONS, f"training.epochs={epochs}") for word in ("--set", option)]
    command = [sys.executable, "-c", HIDDEN, str(shop), str(run), numba, *settings, *more]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stderr.split())


def model(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def test_a_run_goes_on_without_numba_where_that_was_installed_later(shop: Path, tmp_path: Path) -> None:
    whole, cut, other = tmp_path / "whole", tmp_path / "cut", tmp_path / "other"
    train(shop, whole, "hidden", 2)
    train(shop, cut, "hidden", 1)
    assert json.loads((cut / "run.json").read_text())["compiled"] is False
    assert "numba" not in train(shop, cut, "there", 2, "--resume")
    assert model(cut) == model(whole)
    train(shop, other, "there", 2)
    assert json.loads((other / "run.json").read_text())["compiled"] is True
    # Otherwise this shows nothing.
    assert model(other) != model(whole)
    # Where numba is gone, that is said, and what it means.
    again = train(shop, other, "hidden", 3, "--resume")
    assert again.count("Warning: This run began with numba") == 1 and "pip install 'attrformer[fast]'" in again


def test_a_run_of_an_earlier_version_goes_on_as_it_is_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_loss, "LEAST_LOGITS", 1)
    monkeypatch.setattr("attrformer.training.device.LEAST_LOGITS", 1)
    data, run = small_dataset(), tmp_path / "run"
    AttrFormer(small_config("training.epochs=1")).fit(data, run=run, progress=False)
    settled = read_json(run / "run.json")
    assert settled.pop("compiled") is True
    del settled[CHECKSUM]
    write_json(run / "run.json", with_checksum(settled))
    found = AttrFormer(small_config("training.epochs=2")).fit(data, run=run, resume=True, progress=False)
    whole = AttrFormer(small_config("training.epochs=2")).fit(data, progress=False)
    for first, second in zip(*(each.fitted.network.parameters() for each in (found, whole)), strict=True):
        np.testing.assert_array_equal(first.detach().numpy(), second.detach().numpy())
    assert read_json(run / "run.json")["compiled"] is True


def test_few_logits_ask_for_no_numba(tmp_path: Path) -> None:
    AttrFormer(small_config("training.epochs=1")).fit(small_dataset(), run=tmp_path / "run", progress=False)
    assert read_json(tmp_path / "run" / "run.json")["compiled"] is False
