"""The benchmark of MovieLens-25M's size, at a small share of it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.benchmarks.test_benchmarks import figures, run

from attrformer.config import load_yaml
from attrformer.data.dataset import Dataset
from attrformer.data.formats import detect
from attrformer.recommender import Config

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[2] / "configs" / "ml-25m.yaml"
STAGES = ["generate", "prepare", "load", "filter", "split", "relations", "network", "steps", "scoring"]
SMALL = ("--scale=0.0004", "--steps=3", "--scored=8", "--set=model.width=8", "--set=training.batch_targets=128")


def test_every_stage_is_measured(tmp_path: Path) -> None:
    found = figures("ml25m_size", "--work", tmp_path, "--config", CONFIG, "--out", tmp_path / "size.json", *SMALL)
    assert found == json.loads((tmp_path / "size.json").read_text()) | {"elapsed": found["elapsed"]}
    assert found["complete"] and list(found["stages"]) == STAGES
    for stage in found["stages"].values():
        # The two clocks tick apart; both are rounded to a hundredth.
        assert 0 <= stage["processor_seconds"] <= stage["seconds"] + 0.05
        assert stage["peak_mib"] >= stage["after_mib"] > 50
    assert (found["users"], found["items"]) == (65, 40)
    assert found["interactions"] / 65 == pytest.approx(25_000_095 / 162_541, rel=0.3)
    assert set(found["relation_table_mib"]) >= {"cooccurrence_near", "cooccurrence_wide"}
    training = found["training"]
    assert training["steps"] == 3
    assert training["targets_per_epoch"] < found["interactions"]
    assert 0 < training["targets_per_step"] <= 128
    assert training["targets_per_epoch"] / 128 <= training["batches_per_epoch"] < training["targets_per_epoch"]
    for clock in ("clock", "processor"):
        step = training[clock]["mean_step_seconds"]
        assert training[clock]["epoch_hours"] == pytest.approx(step * training["batches_per_epoch"] / 3600, abs=1e-3)
    # Nothing of the log is left behind.
    assert [path.name for path in tmp_path.iterdir()] == ["size.json"]


def test_the_log_looks_like_movielens_and_is_used_again(tmp_path: Path) -> None:
    arguments = ("--work", tmp_path, "--keep", "--set=model.name=sasrec", *SMALL)
    shown = run("ml25m_size", *arguments).stdout
    assert "65 users, 40 items" in shown and "hours an epoch" in shown
    assert detect(tmp_path / "ml-25m").name == "movielens-25m"
    ratings = pl.read_csv(tmp_path / "ml-25m" / "ratings.csv")
    movies = pl.read_csv(tmp_path / "ml-25m" / "movies.csv")
    assert ratings.columns == ["userId", "movieId", "rating", "timestamp"]
    assert movies.columns == ["movieId", "title", "genres"]
    assert set(ratings["rating"].unique().to_list()) <= {half / 2 for half in range(1, 11)}
    assert ratings["rating"].n_unique() > 5
    dataset = Dataset.load(tmp_path / "dataset")
    assert set(dataset.item_attributes) == {"year", "genres"}
    assert len(dataset.item_attributes["genres"].vocabulary) > 10
    assert len(dataset.sequences.items) == ratings.height
    assert (dataset.sequences.lengths >= 5).all()
    again = figures("ml25m_size", *arguments)
    assert (next(iter(again["stages"])), again["model"]) == ("load", "sasrec")


def test_figures_of_a_run_that_broke_off_say_so(tmp_path: Path) -> None:
    out = tmp_path / "size.json"
    asked = ("--work", tmp_path, "--out", out, "--set=relations.edges=[missing]", *SMALL)
    assert "relations.edges names 'missing'" in run("ml25m_size", *asked, code=2).stderr
    found = json.loads(out.read_text())
    assert (found["complete"], list(found["stages"])) == (False, STAGES[: STAGES.index("relations")])


def test_the_shipped_options_can_be_read() -> None:
    config = load_yaml(Config, CONFIG)
    assert (config.data.core, config.model.name) == (5, "attrformer")
