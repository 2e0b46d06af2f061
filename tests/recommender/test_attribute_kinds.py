"""Levels and tags with scores from the table to answers: explained, saved, grown and asked for with a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.support.recommenders import small_config

from attrformer.data import Dataset
from attrformer.data.sample import make_sample
from attrformer.errors import DataError, UnknownIdError
from attrformer.recommender import AttrFormer
from attrformer.recommender.incoming import open_incoming

KINDS = {
    "category": "hierarchy",
    "mood": "weighted",
    "title": "text",
    "place": "location",
    "likes": "weighted",
    "zone": "hierarchy",
}


def shop() -> Dataset:
    sample = make_sample(0, users=80, items=60)
    random = np.random.default_rng(0)
    scores = random.random((60, 3)).round(2)
    items = sample.items.with_columns(
        pl.Series("mood", [dict(zip(("calm", "loud", "odd"), row, strict=True)) for row in scores.tolist()]),
        pl.Series("image", random.normal(size=(60, 4)), dtype=pl.Array(pl.Float64, 4)),
        pl.Series("place", [f"{row[0] * 90},{row[1] * 180}" for row in scores.tolist()]),
    )
    users = sample.users.with_columns(
        pl.Series("likes", [f"a:{row[0]}|b:{row[1]}" for row in random.random((80, 2)).tolist()]),
        ("World > " + pl.col("region")).alias("zone"),
    )
    return Dataset.from_frames(sample.interactions, items, users, name="shop", catalogue="all", kinds=KINDS)


@pytest.fixture(scope="module")
def model() -> AttrFormer:
    return AttrFormer(small_config()).fit(shop(), progress=False)


def test_levels_and_tags_are_relations(model: AttrFormer) -> None:
    strengths = model.relation_strengths()
    assert {"item_category", "item_mood", "user_likes", "user_zone"} <= set(strengths)


def test_the_reason_names_the_deepest_level_that_both_items_have(model: AttrFormer) -> None:
    dataset = shop()
    reasons = model.explain(users="user-0001", k=30)
    told = reasons.filter(pl.col("component") == "item_category").drop_nulls("reason")["reason"].to_list()
    shared = [reason.rpartition(": ")[2] for reason in told if reason.startswith("Same category")]
    assert any(" > " in value for value in shared)
    column = model.fitted.relations.features["category"]
    held = [{column.labels[c] for c, w in zip(codes, weights, strict=True) if w} for codes, weights in
            zip(column.codes, column.weights, strict=True)]  # fmt: skip
    titles = {title: held[place] for place, title in enumerate(dataset.item_titles or ())}
    of_item = dict(zip(dataset.item_ids.to_list(), held, strict=True))
    checked = 0
    for item, reason in reasons.filter(pl.col("component") == "item_category").select("item_id", "reason").iter_rows():
        if reason is not None and reason.startswith("Same category"):
            own = titles[reason.partition("“")[2].partition("”")[0]]
            value = reason.rpartition(": ")[2]
            deeper = {level for level in own & of_item[item] if level.startswith(f"{value} > ")}
            assert value in own & of_item[item] and not deeper
            checked += 1
    assert checked


def test_a_saved_model_answers_the_same(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = AttrFormer.load(tmp_path / "model")
    mine, theirs = (one.recommend(users=["user-0001", "user-0002"], k=5) for one in (model, again))
    assert mine.equals(theirs)
    columns = (one.fitted.relations.features["mood"] for one in (model, again))
    assert len({column.weights.tobytes() for column in columns}) == 1


NEW: dict[str, Any] = {
    "item_id": ["new-1", "new-2"],
    "title": ["One", None],
    "brand": ["x", None],
    "price": [5.0, None],
}


@pytest.mark.parametrize("form", [0, 1, 2])
def test_new_items_are_read_in_every_form(model: AttrFormer, tmp_path: Path, form: int) -> None:
    model.save(tmp_path / "model")
    grown = AttrFormer.load(tmp_path / "model")
    known = model.fitted.relations.features["category"].labels
    path = next(label for label in known if " > " in label)
    levels = path.split(" > ")
    category = ([*levels, "Unknown"], f"{path} > Unknown", [levels, levels[:1]])[form]
    mood = (
        {"calm": 3.0, "loud": 4.0},
        "calm:3|loud:4",
        [{"tag": "calm", "score": 3.0}, {"tag": "loud", "score": 4.0}],
    )[form]
    grown.add_items(pl.DataFrame({**NEW, "category": [category, None], "mood": [mood, None]}))
    moods, categories = (grown.fitted.relations.features[name] for name in ("mood", "category"))
    row = dict(zip(moods.labels, moods.dense()[-2], strict=True))
    assert row["calm"] == pytest.approx(0.6) and row["loud"] == pytest.approx(0.8)
    shared = {label for label, weight in zip(categories.labels, categories.dense()[-2], strict=True) if weight}
    assert shared == {levels[0], path}
    assert not moods.dense()[-1].any() and not categories.dense()[-1].any()


def test_a_wrong_score_of_a_new_item_is_refused_and_nothing_is_added(model: AttrFormer) -> None:
    before = len(model.fitted.knowledge.item_ids)
    with pytest.raises(DataError, match="the score of 'calm' is -1"):
        model.add_items(pl.DataFrame({**NEW, "category": [None, None], "mood": ["calm:1", "calm:-1"]}))
    assert len(model.fitted.knowledge.item_ids) == before


def test_people_are_answered_by_levels_and_tags_in_every_form(model: AttrFormer) -> None:
    forms: list[dict[str, Any]] = [
        {"likes": {"a": 0.9, "b": 0.1}, "zone": ["World", "North"]},
        {"likes": "a:0.9|b:0.1", "zone": "World > North"},
        {"likes": [{"tag": "a", "score": 0.9}, {"tag": "b", "score": 0.1}], "zone": "World>North"},
    ]
    answers = [model.recommend(histories={"x": []}, user_attributes={"x": form}, k=5) for form in forms]
    assert all(answer.equals(answers[0]) for answer in answers)
    other = {"likes": "a:0.1|b:0.9", "zone": "World > South"}
    assert not model.recommend(histories={"x": []}, user_attributes={"x": other}, k=5).equals(answers[0])


def test_of_a_level_that_is_not_known_the_one_above_it_counts(model: AttrFormer) -> None:
    deeper, known, other = (
        model.recommend(histories={"x": []}, user_attributes={"x": {"zone": zone}}, k=5)
        for zone in ("World > North > Oslo", ["World", "North"], "World > South")
    )
    assert deeper.equals(known) and not deeper.equals(other)
    with pytest.raises(UnknownIdError, match="'Mars'"):
        model.recommend(histories={"x": []}, user_attributes={"x": {"zone": "Mars > Base"}}, k=5)


def test_vectors_of_new_items_come_from_a_file_as_well(tmp_path: Path) -> None:
    np.savez(tmp_path / "image.npz", ids=np.array(["new-2", "other"]), vectors=np.array([[1.0, 2.0], [3.0, 4.0]]))
    items = pl.DataFrame({"item_id": ["new-1", "new-2"]})
    table = open_incoming(items, "items", "item_id", ["image"], {"image": tmp_path / "image.npz"})
    assert table.frame["image"].to_list() == [None, [1.0, 2.0]]
