"""Items of equal scores come in the order of the catalogue, whoever is asked: model, file, index or a relation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.recommender import AttrFormer, Config
from attrformer.recommender.streaming import write_recommendations
from attrformer.retrieval import Index, IndexOptions

ITEMS, KNOWN, USERS = 90, 30, 25


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Two thirds of the catalogue are items that nobody has had, of six kinds that nothing tells apart."""
    random = np.random.default_rng(0)
    rows = [
        (user, f"i{item:02d}", 1000 * user + place)
        for user in range(USERS)
        for place, item in enumerate(random.permutation(KNOWN)[:6])
    ]
    items = pl.DataFrame(
        {
            "item_id": [f"i{item:02d}" for item in range(ITEMS)],
            "brand": [f"b{item % 3}" for item in range(ITEMS)],
            "price": [float(item % 2) for item in range(ITEMS)],
        }
    )
    interactions = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return Dataset.from_frames(interactions, items, catalogue="all")


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> AttrFormer:
    settings = ("model.width=8", "model.layers=1", "training.epochs=1", "training.threads=1", "evaluation.resamples=5")
    return AttrFormer(override(Config(), [*settings, "training.precision=float32"])).fit(dataset, progress=False)


def in_order(answered: pl.DataFrame, item: str = "item_id") -> int:
    """Checks the order within each answer; gives how many neighbours have equal scores."""
    ties = 0
    for _, one in answered.group_by(answered.columns[0], maintain_order=True):
        scores, items = one["score"].to_numpy(), one[item].to_list()
        assert items == [name for _, name in sorted(zip(-scores, items, strict=True))]
        ties += int((scores[1:] == scores[:-1]).sum())
    return ties


@pytest.mark.parametrize("k", [11, ITEMS])
def test_every_door_gives_equal_scores_in_catalogue_order(
    model: AttrFormer, dataset: Dataset, k: int, tmp_path: Path
) -> None:
    answered = model.recommend(k=k, hide_seen=False)
    ties = in_order(answered)
    assert k < ITEMS or ties > USERS * (ITEMS - KNOWN) // 2
    # What stands beyond the end of a list ties with its last item here and there.
    whole = model.recommend(k=ITEMS, hide_seen=False)
    assert whole.filter(pl.col("rank") <= k)["item_id"].to_list() == answered["item_id"].to_list()
    for method in ("exact", "approximate"):
        found = Index.build(model, IndexOptions(method=method)).search(k=k, hide_seen=False)
        assert found["item_id"].to_list() == answered["item_id"].to_list()
    write_recommendations(model.fitted, *model.query(k=k, hide_seen=False), tmp_path / "all.csv", save_every=7)
    assert pl.read_csv(tmp_path / "all.csv")["item_id"].to_list() == answered["item_id"].to_list()
    in_order(model.similar_items([f"i{item:02d}" for item in range(9)], by="brand", k=k), "similar_item_id")
    nobody = model.recommend(histories=[[]], k=k)
    assert in_order(nobody) > 0
