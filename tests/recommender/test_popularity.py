"""Answers for people without a history: popularity times the lift of their attributes."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.splits import leave_one_out
from attrformer.recommender import AttrFormer, Config, Recommender


def shares(model: Recommender) -> np.ndarray:
    count = model.fitted.relations.popularity.astype(np.float64)
    return (count + 1) / (count.sum() + len(count))


def test_with_neither_history_nor_attributes_popularity_ranks(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.recommend(histories={"nobody": []}, k=200)
    count = np.bincount(leave_one_out(dataset).train.items, minlength=dataset.item_count)
    assert frame["item_id"].to_list() == dataset.item_ids.decode(np.argsort(-count, kind="stable")).to_list()
    np.testing.assert_allclose(frame["score"].to_numpy(), np.log(np.sort(shares(model))[::-1]), rtol=1e-6)
    for same in ({"user_attributes": {"nobody": {}}}, {"user_attributes": {"nobody": {"age_band": None}}}):
        assert model.recommend(**same, k=200).equals(frame)


def test_attributes_multiply_by_their_lift(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.recommend(user_attributes={"new": {"age_band": "65+", "region": "South"}}, k=200)
    expected = shares(model)
    for name, value in (("age_band", "65+"), ("region", "South")):
        user = model.fitted.relations.users[name]
        expected = expected * user.lift.row(user.labels.index(value))
    got = dict(frame.select("item_id", "score").iter_rows())
    for item, share in zip(dataset.item_ids.to_list(), expected, strict=True):
        assert got[item] == pytest.approx(math.log(share), abs=1e-5)
    popular = model.recommend(user_attributes={"new": {}}, k=200)
    assert frame["item_id"].to_list() != popular["item_id"].to_list()


def test_the_lift_of_a_planted_preference_reorders() -> None:
    interactions = pl.DataFrame(
        {
            "user_id": [user for user in range(40) for _ in range(4)],
            # Three of four have item 0; the young have 1, the old have 2.
            "item_id": [
                item for user in range(40) for item in (0 if user % 8 < 6 else 9, 1 if user % 2 else 2, 3 + user % 5, 0)
            ],
        }
    )
    users = pl.DataFrame({"user_id": range(40), "age": ["young" if user % 2 else "old" for user in range(40)]})
    config = override(Config(), ["training.epochs=1", "model.width=8", "model.layers=1", "training.threads=1"])
    model = Recommender(config).fit(Dataset.from_frames(interactions, users=users), progress=False)
    first = model.recommend(user_attributes={"a": {"age": "young"}, "b": {"age": "old"}}, k=1)
    assert first.select("user_id", "item_id").rows() == [("a", 1), ("b", 2)]
    assert model.recommend(histories={"c": []}, k=1)["item_id"].to_list() == [0]


def test_a_model_without_user_attributes_ranks_by_popularity(dataset: Dataset) -> None:
    model = Recommender(override(Config(), ["model.name=popularity"])).fit(dataset, progress=False)
    stranger = model.recommend(histories=[[]], k=5)
    assert stranger["item_id"].to_list() == model.recommend(["user-0001"], k=5, hide_seen=False)["item_id"].to_list()
    assert set(model.explain(histories=[[]], k=5)["component"]) == {"popularity"}


def test_popularity_counts_the_users_behind_it(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.explain(histories={"nobody": []}, k=3).filter(pl.col("component") == "popularity")
    for item, count, reason in frame.select("item_id", "count", "reason").iter_rows():
        code = int(dataset.item_ids.encode([item])[0])
        users = sum(code in dataset.sequences.row(user) for user in range(dataset.user_count))
        assert (count, reason) == (users, f"Chosen by {users} other users")
