"""The benchmark of new items and updates on a tiny shop, and its parts by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.benchmarks.test_benchmarks import FOLDER, run

from attrformer.data import Dataset, Sequences
from attrformer.data.sample import make_sample
from attrformer.relations.config import RelationsConfig

sys.path.insert(0, str(FOLDER))

import cold_start_log

TINY = ("model.width=8", "model.layers=1", "model.heads=2", "evaluation.resamples=5", "data.held_out=0.4")


@pytest.mark.slow
def test_it_gives_every_figure(tmp_path: Path) -> None:
    sample = make_sample(users=80, items=60, brands=6)
    Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop").save(tmp_path / "data")
    settings = [word for setting in TINY for word in ("--set", setting)]
    out = tmp_path / "figures.json"
    done = run("cold_start", "--data", tmp_path / "data", "--epochs", 1, *settings, "--out", out, "--json")
    found = json.loads(done.stdout)
    assert found == json.loads(out.read_text())
    assert (found["data"], found["seed"], found["epochs"]) == ("shop", 0, 1)
    metrics = {f"{name} seen={seen}" for name in ("Recall@20", "NDCG@20") for seen in ("hidden", "ranked")}
    for name in ("popularity", "attribute similarity", "attrformer"):
        for which in ("whole catalogue", "among held-out items"):
            figures = found["held-out"][name][which]
            assert set(figures) == metrics
            assert all(0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1 for figure in figures.values())
    recall = "Recall@20 seen=hidden"
    similar = found["held-out"]["attribute similarity"]
    assert similar["among held-out items"][recall]["value"] > similar["whole catalogue"][recall]["value"]
    update = found["update"]
    assert update["log"]["newer interactions"] / update["log"]["older interactions"] == pytest.approx(0.25, abs=0.02)
    for name in ("without update", "warm start, 1 epochs", "updated", "retrained"):
        assert set(update[name]["figures"]) == metrics
    assert "every known interaction counted" in update["updated"]["protocol"]
    assert set(update["recovered of a retrain, seen=hidden"]) == {"Recall@20", "NDCG@20"}


@pytest.mark.slow
def test_wrong_data_are_told(tmp_path: Path) -> None:
    missing = run("cold_start", "--data", tmp_path / "none", code=2).stderr
    assert "Traceback" not in missing and str(tmp_path / "none") in missing


def log_of(rows: list[tuple[str, str, int]]) -> Dataset:
    interactions = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    colours = pl.DataFrame({"item_id": ["i1", "i2", "i3", "i4", "i5"], "colour": ["red", "red", "blue", "blue", "red"]})
    return Dataset.from_frames(interactions, colours, name="tiny")


def test_the_two_parts_of_a_log(tmp_path: Path) -> None:
    rows = [("a", "i1", 1), ("a", "i2", 2), ("a", "i3", 50), ("b", "i1", 3), ("b", "i5", 40), ("b", "i2", 41)]
    # The only interaction with i4 is a target, so that nobody can be asked about it.
    rows += [("c", "i2", 60), ("c", "i3", 61), ("c", "i4", 62), ("d", "i1", 4), ("d", "i2", 5)]
    found = cold_start_log.two_parts(log_of(rows), 0.4, tmp_path)
    assert found.old.user_ids.to_list() == ["a", "b", "d"] and found.old.item_ids.to_list() == ["i1", "i2"]
    assert found.new.rows() == [("b", "i5", 40), ("c", "i2", 60), ("c", "i3", 61)]
    assert found.new_items.select("item_id", "colour").rows() == [("i3", "blue"), ("i5", "red")]
    assert found.new_users is None
    targets = found.test.test
    users = found.whole.user_ids.decode(targets.users).to_list()
    items = found.whole.item_ids.decode(targets.items).to_list()
    assert list(zip(users, items, strict=True)) == [("a", "i3"), ("b", "i2")]
    contexts = [found.whole.item_ids.decode(targets.contexts.row(row)).to_list() for row in range(2)]
    assert contexts == [["i1", "i2"], ["i1", "i5"]]
    assert found.of_new_items.tolist() == [True, False]
    assert len(found.whole.sequences.items) == len(found.old.sequences.items) + len(found.new)


def test_the_split_keeps_all_but_the_last_of_some_users() -> None:
    rows = [(f"u{user}", f"i{1 + (user + step) % 5}", step) for user in range(20) for step in range(4)]
    dataset = log_of(rows)
    split = cold_start_log.split_of(dataset, 0)
    assert len(split.validation) == 2
    assert len(split.train.items) == len(dataset.sequences.items) - 2
    for row, user in enumerate(split.validation.users):
        whole = dataset.sequences.row(user).tolist()
        assert split.train.row(user).tolist() == split.validation.contexts.row(row).tolist() == whole[:-1]
        assert split.validation.items[row] == whole[-1]


def test_attribute_similarity() -> None:
    rows = [("a", f"i{item}", item) for item in range(1, 6)]
    similar = cold_start_log.AttributeSimilarity(log_of(rows), RelationsConfig())
    contexts = Sequences(np.array([0, 1, 3]), np.array([0, 2, 0], dtype=np.int32))
    scores = similar.score(np.array([0, 0]), contexts).numpy()
    # Red items are 0, 1 and 4; of the second history the blue item lies one step back.
    np.testing.assert_allclose(scores, [[1, 1, 0, 0, 1], [1, 1, 0.7, 0.7, 1]], rtol=1e-6)
