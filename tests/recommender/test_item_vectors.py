"""Vectors of items from a dataset to answers: a planted relation is found, explained, saved, grown and carried over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.recommenders import small_config
from tests.support.vector_shop import vector_shop, with_vectors

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, REASON, SCORE, USER
from attrformer.data.dataset import Dataset
from attrformer.errors import DataError
from attrformer.recommender import AttrFormer, Config
from attrformer.recommender.fitting import fingerprint
from attrformer.training.checkpoint import parameters_of

NAME = "item_picture"
SETTINGS = (
    "training.epochs=6",
    "training.warm_up=5",
    "training.relation_rate=10",
    "training.average=0.9",
    "relations.similar_users=false",
)


def config_of(*more: str) -> Config:
    return small_config(*SETTINGS, *more)


@pytest.fixture(scope="module")
def shop() -> Dataset:
    return vector_shop(users=250, items=3000)


@pytest.fixture(scope="module", params=["6000", "0"], ids=["dense", "kept"])
def model(request: pytest.FixtureRequest, shop: Dataset) -> AttrFormer:
    return AttrFormer(config_of(f"relations.dense_items={request.param}")).fit(shop, progress=False)


def test_a_planted_vector_relation_is_recovered(shop: Dataset, model: AttrFormer) -> None:
    without = AttrFormer(config_of("relations.item_attributes=[]")).fit(shop, progress=False)
    figures = [each.evaluate(shop).value("NDCG@20") for each in (model, without)]
    assert figures[0] > 2 * figures[1] and figures[0] > 0.1
    strengths = model.relation_strengths()
    assert next(iter(strengths)) == NAME and strengths[NAME] > 2 * max(
        strength for name, strength in strengths.items() if name != NAME
    )


def test_components_add_up_to_the_score_and_name_what_an_item_looks_like(model: AttrFormer) -> None:
    found = model.explain(users=["u0", "u1", "u2"], k=5)
    sums = found.group_by(USER, ITEM).agg(pl.col(CONTRIBUTION).sum(), pl.col(SCORE).first())
    np.testing.assert_allclose(sums[CONTRIBUTION].to_numpy(), sums[SCORE].to_numpy(), rtol=1e-4, atol=1e-4)
    knowledge, users = model.fitted.knowledge, ["u0", "u1", "u2"]
    codes = knowledge.user_ids.encode(users)
    histories = {user: knowledge.histories.row(int(code)) for user, code in zip(users, codes, strict=True)}
    mine = found.filter(pl.col(COMPONENT) == NAME)
    for row in mine.iter_rows(named=True):
        assert row[REASON] == f"Looks like “{row['history']}”"
        assert row["history"] in knowledge.item_ids.decode(histories[row[USER]]).to_list()


def test_similar_items_are_near_in_the_space_of_the_vectors(shop: Dataset, model: AttrFormer) -> None:
    found = model.similar_items("i0", by="picture", k=5)
    assert found.equals(model.similar_items("i0", by=NAME, k=5)) and len(found) == 5
    row = model.fitted.relations[NAME].row(shop.item_ids.to_list().index("i0"))
    codes = shop.item_ids.encode(found["similar_item_id"])
    assert row[codes].min() > np.quantile(row, 0.95)


def test_a_saved_model_answers_and_grows_alike(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = AttrFormer.load(tmp_path / "model")
    assert again.recommend(k=5).equals(model.recommend(k=5))
    assert again.explain(users="u3", k=3).equals(model.explain(users="u3", k=3))


def test_interactions_that_come_in_change_no_vector(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = AttrFormer.load(tmp_path / "model")
    again.update(pl.DataFrame({"user_id": ["u0"], "item_id": ["i5"], "timestamp": [100]}))
    assert again.fitted.relations[NAME] is not None
    np.testing.assert_array_equal(again.fitted.relations[NAME].row(7), model.fitted.relations[NAME].row(7))
    assert len(again.recommend(users="u0", k=3)) == 3


def test_a_warm_start_carries_the_metric_over_where_coordinates_mean_the_same(shop: Dataset, model: AttrFormer) -> None:
    options = [f"relations.dense_items={model.config.relations.dense_items}", "training.epochs=1"]
    narrow = AttrFormer(config_of(*options, "relations.vector_dimensions=4"))
    narrow.fit(shop, warm_start=model, progress=False)
    same = AttrFormer(config_of(*options, "training.learning_rate=0.00001"))
    same.fit(shop, warm_start=model, progress=False)
    before, carried = (parameters_of(each.fitted.network) for each in (model, same))
    for part in ("log_diagonal", "left", "right", "threshold"):
        key = f"relations.{NAME}.{part}"
        np.testing.assert_allclose(carried[key].numpy(), before[key].numpy(), atol=2e-3)


def test_other_vectors_are_another_training(shop: Dataset) -> None:
    vectors = shop.item_attributes["picture"].vectors
    split = small_config().data.split_of(shop)
    assert fingerprint(shop, split) != fingerprint(with_vectors(shop, vectors + 1), split)


def test_new_items_are_recommended_by_their_vectors(shop: Dataset, model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    grown = AttrFormer.load(tmp_path / "model")
    vectors = shop.item_attributes["picture"].vectors
    histories = model.fitted.knowledge.histories
    latest = [int(histories.row(user)[-1]) for user in range(20)]
    new = [f"new{n}" for n in range(21)]
    given = [vectors[item].tolist() for item in latest]
    grown.add_items(pl.DataFrame({"item_id": new, "picture": [*given, None]}))
    users = model.fitted.knowledge.user_ids.to_list()[:20]
    found = grown.recommend(users=users, k=20)
    twins = [new[n] in found.filter(pl.col(USER) == user)[ITEM].to_list() for n, user in enumerate(users)]
    assert sum(twins) > 10 and "new20" not in found[ITEM].to_list()
    again = grown.explain(users=users[0], items=[new[0]])
    reason = again.filter(pl.col(COMPONENT) == NAME)[REASON][0]
    assert reason == f"Looks like “{model.fitted.knowledge.item_ids.to_list()[latest[0]]}”"
    with pytest.raises(DataError, match="numbers"):
        grown.add_items(pl.DataFrame({"item_id": ["odd"], "picture": [[1.0, 2.0]]}))


def test_a_dataset_that_was_stored_trains_the_same_model(shop: Dataset, model: AttrFormer, tmp_path: Path) -> None:
    shop.save(tmp_path / "shop")
    again = AttrFormer(model.config).fit(Dataset.load(tmp_path / "shop"), progress=False)
    assert again.recommend(users=["u0", "u7"], k=5).equals(model.recommend(users=["u0", "u7"], k=5))
