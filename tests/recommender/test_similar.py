from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError, UnknownIdError, UnknownValueWarning
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.relations.item_attribute import ItemAttributeModule
from attrformer.recommender import AttrFormer, Config, Recommender


def as_matrix(frame: pl.DataFrame, dataset: Dataset) -> np.ndarray:
    """Scores `[items, items]`, NaN for what was not answered."""
    found = np.full((dataset.item_count, dataset.item_count), np.nan)
    rows, columns = (dataset.item_ids.encode(frame[name]) for name in ("item_id", "similar_item_id"))
    found[rows, columns] = frame["score"].to_numpy()
    return found


def test_content_is_the_cosine_of_the_item_table(model: AttrFormer, dataset: Dataset) -> None:
    network = model.fitted.network
    assert isinstance(network, AttrFormerNetwork)
    table = torch.nn.functional.normalize(network.table().detach(), dim=1).numpy()
    expected = table @ table.T
    np.fill_diagonal(expected, np.nan)
    frame = model.similar_items(dataset.item_ids.to_list(), k=1000)
    np.testing.assert_allclose(as_matrix(frame, dataset), expected, atol=1e-5)
    assert frame.columns == ["item_id", "similar_item_id", "score", "rank"]


def test_the_most_similar_come_first(model: AttrFormer) -> None:
    frame = model.similar_items(["item-0009", "item-0002", "item-0009"], k=4)
    assert frame["item_id"].to_list() == ["item-0009"] * 4 + ["item-0002"] * 4 + ["item-0009"] * 4
    assert frame["rank"].to_list() == [1, 2, 3, 4] * 3
    assert frame["score"][:4].to_list() == sorted(frame["score"][:4].to_list(), reverse=True)
    alone = model.similar_items("item-0009", k=4)
    assert alone.drop("score").equals(frame.head(4).drop("score"))
    np.testing.assert_allclose(alone["score"].to_numpy(), frame["score"][:4].to_numpy(), atol=1e-6)


def test_by_a_relation_of_rows(model: AttrFormer, dataset: Dataset) -> None:
    near = model.fitted.relations.rows["cooccurrence_near"]
    frame = model.similar_items(dataset.item_ids.to_list(), k=1000, by="cooccurrence_near")
    expected = np.stack([near.row(item) for item in range(dataset.item_count)]).astype(np.float64)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(np.nan_to_num(as_matrix(frame, dataset)), expected, rtol=1e-6)
    assert (frame["score"] > 0).all()


def test_by_an_attribute_with_what_was_learned_of_it(model: AttrFormer, dataset: Dataset) -> None:
    module = model.fitted.network.relations["item_category"]
    assert isinstance(module, ItemAttributeModule)
    phi = module.phi(torch.arange(dataset.item_count))
    with torch.no_grad():
        plain = torch.diag(module.log_diagonal.exp()) + module.left @ module.right.t()
        expected = ((phi @ plain).clamp_min(0) @ phi.t()).numpy()
    np.fill_diagonal(expected, 0.0)
    frame = model.similar_items(dataset.item_ids.to_list(), k=1000, by="item_category")
    np.testing.assert_allclose(np.nan_to_num(as_matrix(frame, dataset)), expected, atol=1e-5)
    assert model.similar_items("item-0001", by="category").equals(model.similar_items("item-0001", by="item_category"))


def test_conditions_and_exclusions_bound_the_choice(model: AttrFormer, dataset: Dataset) -> None:
    every = model.similar_items("item-0002", k=1000)
    prices = dict(zip(dataset.item_ids.to_list(), dataset.item_attributes["price"].numbers.tolist(), strict=True))
    out = every["similar_item_id"][:2].to_list()
    found = model.similar_items("item-0002", k=3, exclude=out, where="price < 50")
    right = [item for item in every["similar_item_id"] if prices[item] < 50 and item not in out]
    assert found["similar_item_id"].to_list() == right[:3] and found["rank"].to_list() == [1, 2, 3]
    expression = model.similar_items("item-0002", k=3, exclude=out, where=pl.col("price") < 50)
    assert expression.equals(found)
    with pytest.warns(UnknownValueWarning, match="no item has 'Nobody'"):
        model.similar_items("item-0002", where='brand != "Nobody"')


def test_unknown_items_are_raised_warned_of_or_skipped(model: AttrFormer) -> None:
    asked: dict[str, Any] = {"candidates": ["item-0001", "elsewhere"], "exclude": ["nowhere"], "k": 2}
    with pytest.warns(UserWarning) as told:
        found = model.similar_items(["ghost", "item-0002"], on_unknown="warn", **asked)
    assert [str(one.message).partition(" ")[0] for one in told] == ["items:", "candidates:", "exclude:"]
    assert found.select("item_id", "similar_item_id").rows() == [("item-0002", "item-0001")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.similar_items(["ghost", "item-0002"], on_unknown="skip", **asked).equals(found)


def test_candidates_bound_the_choice(model: AttrFormer) -> None:
    some = ["item-0001", "item-0002", "item-0003"]
    frame = model.similar_items("item-0002", candidates=some)
    assert sorted(frame["similar_item_id"]) == ["item-0001", "item-0003"]


def test_a_supplied_relation_under_its_own_name(dataset: Dataset) -> None:
    ids = dataset.item_ids.to_list()[:5]
    interactions = pl.DataFrame({"user_id": ["a"] * 5 + ["b"] * 5, "item_id": ids * 2})
    edges = pl.DataFrame(
        {"source_item_id": [ids[0]], "target_item_id": [ids[2]], "relation": ["also_bought"], "weight": [2.0]}
    )
    small = Dataset.from_frames(interactions, item_relations=edges)
    options = ["training.epochs=1", "model.width=8", "model.layers=1", "training.threads=1", "relations.edges=null"]
    model = AttrFormer(override(Config(), options)).fit(small, progress=False)
    for name in ("also_bought", "edge_also_bought"):
        assert model.similar_items(ids, by=name).rows() == [(ids[0], ids[2], 1.0, 1)]


def test_models_without_vectors_still_have_relations(dataset: Dataset) -> None:
    model = Recommender(override(Config(), ["model.name=transitions"])).fit(dataset, progress=False)
    assert len(model.similar_items("item-0001", by="cooccurrence_near", k=3)) == 3
    with pytest.raises(ConfigurationError, match="'transitions' has no vectors"):
        model.similar_items("item-0001")


def test_questions_that_cannot_be_answered(model: AttrFormer) -> None:
    with pytest.raises(UnknownIdError, match="items: 'thing'"):
        model.similar_items(["thing"])
    with pytest.raises(ConfigurationError, match=r"by is 'colour'. Use one of: content, cooccurrence_near, item_brand"):
        model.similar_items("item-0001", by="colour")
    with pytest.raises(ConfigurationError, match="k is 0"):
        model.similar_items("item-0001", k=0)
    assert model.similar_items([]).schema == model.similar_items("item-0001").schema


def test_baselines_with_vectors_say_what_is_similar_in_content(dataset: Dataset) -> None:
    tiny = ["model.name=sasrec", "training.epochs=1", "model.width=8", "model.layers=1", "training.threads=1"]
    model = Recommender(override(Config(), tiny)).fit(dataset, progress=False)
    frame = model.similar_items("item-0001", k=3)
    assert frame["rank"].to_list() == [1, 2, 3] and (frame["score"] <= 1 + 1e-6).all()
