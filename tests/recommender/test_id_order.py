"""The order of item ids from training to explanations and new items."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.data.numbered import numbered
from tests.support.recommenders import small_config

from attrformer.columns import ITEM, SIMILAR_ITEM
from attrformer.config import from_dict
from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError, KnownLaterWarning
from attrformer.recommender import AttrFormer, Config

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
    frame = ordered.explain(histories=[[ids[0]]], items=[ids[1], ids[-1]]).filter(pl.col("component") == PART)
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


def trained(data: Dataset, *options: str) -> AttrFormer:
    config = small_config("training.epochs=1", "relations.similar_users=false", *options)
    return AttrFormer(config).fit(data, progress=False)


def test_the_order_of_ids_is_read_where_it_is_asked_for_and_marked_in_the_protocol_line() -> None:
    data = Dataset.from_frames(numbered("listing", users=80, items=100))
    silent = trained(data)
    assert PART not in silent.relation_strengths()
    assert "order of ids" not in silent.evaluate(data).protocol.line()
    asked = trained(data, "relations.id_order=true")
    assert asked.evaluate(data).protocol.line().endswith("reads the order of ids")


def test_numbers_by_first_interaction_are_read_with_a_warning_and_a_mark() -> None:
    data = Dataset.from_frames(numbered("first interaction", users=80, items=100))
    with pytest.warns(KnownLaterWarning, match="numbered by the time of an item's first interaction"):
        model = trained(data, "relations.id_order=true")
    assert "reads the order of ids, which number items by first interaction" in model.evaluate(data).protocol.line()


def test_numbers_by_first_appearance_are_refused_before_training(tmp_path: Path) -> None:
    data = Dataset.from_frames(numbered("first appearance", users=80, items=100))
    for value in ("true", "null"):
        config = small_config(f"relations.id_order={value}")
        with pytest.raises(ConfigurationError, match="says whose it is"):
            AttrFormer(config).fit(data, run=tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PART not in trained(data).relation_strengths()


def test_edge_tables_are_named_and_not_read_unless_asked_for() -> None:
    interactions = numbered("listing", users=80, items=100)
    ids = interactions[ITEM].unique().sort().to_list()
    edges = pl.DataFrame({"source_item_id": ids[:-1], "target_item_id": ids[1:], "relation": "also_bought"})
    data = Dataset.from_frames(interactions, item_relations=edges)
    with pytest.warns(KnownLaterWarning, match=r"'also_bought' are not read.*relations.edges=\[\"also_bought\"\]"):
        model = trained(data)
    assert "edge_also_bought" not in model.relation_strengths()
    assert "item_relations as relations: none" in model.evaluate(data).protocol.line()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = trained(data, "relations.edges=null")
    assert "edge_also_bought" in asked.relation_strengths()
    assert "also_bought; may know of targets" in asked.evaluate(data).protocol.line()


@pytest.mark.slow
def test_a_run_that_left_the_order_open_is_still_read_and_resumed(tmp_path: Path) -> None:
    data = Dataset.from_frames(numbered("listing", users=80, items=100))
    old = small_config("relations.id_order=null", "relations.edges=null", "training.epochs=1")
    AttrFormer(old).fit(data, run=tmp_path / "run", progress=False)
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["relations"]["id_order"] is None and stored["relations"]["edges"] is None
    again = from_dict(Config, stored)
    resumed = AttrFormer(again).fit(data, run=tmp_path / "run", resume=True, progress=False)
    loaded = AttrFormer.load(tmp_path / "run" / "model", device="cpu")
    assert loaded.config.relations.id_order is None
    assert loaded.evaluate(data).values() == resumed.evaluate(data).values()
