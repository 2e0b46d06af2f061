from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from attrformer.dataset.dataset import Dataset
from attrformer.errors import UnknownIdError
from attrformer.recommender import AttrFormer


def test_parts_sum_to_the_score(model: AttrFormer) -> None:
    frame = model.explain(k=4)
    assert frame.columns == ["user_id", "item_id", "score", "rank", "part", "contribution", "history"]
    sums = frame.group_by("user_id", "item_id", maintain_order=True).agg(
        pl.col("contribution").sum(), pl.col("score").first(), pl.col("rank").first()
    )
    np.testing.assert_allclose(sums["contribution"].to_numpy(), sums["score"].to_numpy(), atol=1e-4)
    assert sums.select("user_id", "item_id", "score", "rank").equals(model.recommend(k=4))


def test_every_relation_is_a_part(model: AttrFormer) -> None:
    parts = model.explain(["user-0001"], k=1)["part"].to_list()
    assert parts[0] == "content"
    assert set(parts[1:]) == set(model.relation_strengths())
    assert {"near", "item_brand", "item_category", "item_price", "user_age_band", "identity"} < set(parts)


def test_given_items_are_explained_also_when_seen(model: AttrFormer, dataset: Dataset) -> None:
    seen = dataset.item_ids.decode(dataset.sequences.row(0)).to_list()[:2]
    frame = model.explain(["user-0001"], items=seen)
    assert set(frame["item_id"]) == set(seen)
    scores = model.recommend(["user-0001"], k=500, hide_seen=False).filter(pl.col("item_id").is_in(seen))
    explained = frame.unique(["item_id"], maintain_order=True)
    assert explained["item_id"].to_list() == scores["item_id"].to_list()
    assert explained["score"].to_list() == scores["score"].to_list()
    assert explained["rank"].to_list() == list(range(1, len(explained) + 1))
    with pytest.raises(UnknownIdError, match="items: 'thing'"):
        model.explain(["user-0001"], items=["thing"])


def test_history_names_an_item_that_the_relation_connects(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.explain(k=3)
    assert frame.filter(pl.col("part").is_in(["content", "neighbours", "user_age_band"]))["history"].null_count() > 0
    near = model.fitted.relations.rows["near"]
    ids = dataset.item_ids
    for user, item, part, contribution, history in frame.select(
        "user_id", "item_id", "part", "contribution", "history"
    ).iter_rows():
        if part == "near":
            assert (history is None) == (contribution == 0)
        if part == "near" and history is not None:
            mine = dataset.sequences.row(int(ids_code(dataset, user)))
            assert history in ids.decode(mine).to_list()
            assert near.row(int(ids.encode([history])[0]))[int(ids.encode([item])[0])] > 0


def ids_code(dataset: Dataset, user: str) -> int:
    return int(dataset.user_ids.encode([user])[0])


def test_the_only_item_of_a_brand_in_the_history_is_named(model: AttrFormer, dataset: Dataset) -> None:
    brand = dataset.item_attributes["brand"]
    by_brand = {code: np.flatnonzero(brand.codes == code) for code in np.unique(brand.codes)}
    first, second = next(items[:2] for items in by_brand.values() if len(items) >= 2)
    other = next(item for item in range(dataset.item_count) if brand.codes[item] != brand.codes[first])
    mine, more, asked = dataset.item_ids.decode([first, other, second]).to_list()
    frame = model.explain(histories=[[mine, more]], items=[asked])
    assert frame.filter(pl.col("part") == "item_brand")["history"].to_list() == [mine]


def test_repeated_items_speak_through_identity(model: AttrFormer) -> None:
    frame = model.explain(histories=[["item-0004", "item-0009"]], items=["item-0004", "item-0020"])
    named = dict(frame.filter(pl.col("part") == "identity").select("item_id", "history").iter_rows())
    assert named == {"item-0004": "item-0004", "item-0020": None}
