"""The order of item ids from training to explanations and new items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.recommender.conftest import small_config

from attrformer.columns import ITEM, SIMILAR_ITEM
from attrformer.dataset.dataset import Dataset
from attrformer.recommender import AttrFormer

PART = "item_id_order"


@pytest.fixture(scope="module")
def ordered(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> AttrFormer:
    """A model that reads the order of ids, saved and loaded."""
    folder: Path = tmp_path_factory.mktemp("ordered") / "model"
    config = small_config("relations.id_order=true", "training.epochs=1")
    AttrFormer(config).fit(dataset, progress=False).save(folder)
    return AttrFormer.load(folder, device="cpu")


def test_neighbours_in_the_order_explain_each_other(ordered: AttrFormer, dataset: Dataset) -> None:
    assert PART in ordered.relation_strengths()
    ids = dataset.item_ids.to_list()
    # Ids are numbered, so that the item of the next number shares the shortest run, and one far off shares none.
    frame = ordered.explain(histories=[[ids[0]]], items=[ids[1], ids[-1]]).filter(pl.col("part") == PART)
    near, far = (frame.filter(pl.col(ITEM) == item).row(0, named=True) for item in (ids[1], ids[-1]))
    assert dataset.item_titles is not None
    assert near["reason"] == f"Listed near “{dataset.item_titles[0]}”, by the order of ids"
    assert near["value"] == f"8 from {ids[0]}" and near["history"] == ids[0]
    assert near["contribution"] > far["contribution"]
    nearest = ordered.similar_items([ids[0]], by=PART, k=7)
    assert set(nearest[SIMILAR_ITEM]) == set(ids[1:8])


def test_new_items_stand_where_their_ids_stand(ordered: AttrFormer, dataset: Dataset, tmp_path: Path) -> None:
    ordered.save(tmp_path / "copy")
    model = AttrFormer.load(tmp_path / "copy", device="cpu")
    known = dataset.item_ids.to_list()
    columns = list(model.fitted.relations.item_columns)
    assert "id_order" not in columns
    new = pl.DataFrame({ITEM: [f"{known[-1]}0"], **{name: [None] for name in columns}})
    before = model.fitted.relations.features["id_order"].dense()
    model.add_items(new)
    after = model.fitted.relations.features["id_order"].dense()
    np.testing.assert_array_equal(after[: len(known)], before)
    np.testing.assert_array_equal(after[-1], before[-1])
    assert new[ITEM][0] in model.recommend(histories=[[known[-1]]], k=len(known))[ITEM]
