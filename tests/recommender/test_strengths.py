from __future__ import annotations

import copy

import numpy as np
import polars as pl
import pytest
import torch

from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError
from attrformer.nn.relations.item_attribute import ItemAttributeModule
from attrformer.recommender import AttrFormer
from attrformer.recommender.strengths import relation_strengths


def test_strength_is_the_mean_spread_of_a_part_over_the_catalogue(model: AttrFormer, dataset: Dataset) -> None:
    users = np.array([0, 5, 9])
    measured = relation_strengths(model.fitted, users, dataset.sequences.rows(users))
    names = dataset.user_ids.decode(users).to_list()
    parts = model.explain(names, items=dataset.item_ids.to_list())
    spread = parts.group_by("component", "user_id").agg(pl.col("contribution").std(ddof=0))
    expected = dict(spread.group_by("component").agg(pl.col("contribution").mean()).iter_rows())
    assert set(measured) == set(expected) - {"content"}
    for name, value in measured.items():
        assert value == pytest.approx(expected[name], rel=1e-4, abs=1e-6)
    assert list(measured.values()) == sorted(measured.values(), reverse=True)


def test_strengths_are_stored(model: AttrFormer) -> None:
    strengths = model.relation_strengths()
    assert strengths["item_category"] > 0
    strengths.clear()
    assert model.relation_strengths()


def test_a_planted_pair_comes_first(model: AttrFormer) -> None:
    fitted = copy.copy(model.fitted)
    fitted.network = copy.deepcopy(model.fitted.network)
    module = fitted.network.relations["item_category"]
    assert isinstance(module, ItemAttributeModule) and module.left is not None and module.right is not None
    labels = model.fitted.relations.features["category"].labels
    with torch.no_grad():
        module.left.zero_()
        module.right.zero_()
        module.left[3, 0] = module.right[7, 0] = 3.0
    planted = AttrFormer(model.config)
    planted._fitted = fitted
    names, matrix = planted.strongest_pairs("category", 5)
    assert names[:2] == [labels[3], labels[7]]
    assert matrix.shape == (5, 5)
    assert matrix[0, 1] == pytest.approx(9.0)
    assert matrix[1, 0] == 0.0
    assert np.count_nonzero(matrix - np.diag(np.diag(matrix))) == 1


def test_pairs_of_user_values(model: AttrFormer, dataset: Dataset) -> None:
    names, matrix = model.strongest_pairs("age_band")
    assert sorted(names) == sorted(dataset.user_attributes["age_band"].vocabulary)
    assert matrix.shape == (len(names), len(names))
    assert (matrix > 0).all()
    assert model.strongest_pairs("user_age_band")[0] == names
    assert model.strongest_pairs("item_brand")[0] == model.strongest_pairs("brand")[0]


def test_an_unknown_attribute_is_refused(model: AttrFormer) -> None:
    with pytest.raises(
        ConfigurationError, match=r"for 'colour'. Ask for one of: brand, category, price, age_band, region"
    ):
        model.strongest_pairs("colour")
