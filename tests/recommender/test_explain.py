from __future__ import annotations

import copy
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.recommenders import SMALL

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.errors import UnknownIdError
from attrformer.nn.relations.item_attribute import ItemAttributeModule
from attrformer.recommender import AttrFormer, Config, Recommender


def test_parts_sum_to_the_score(model: AttrFormer) -> None:
    frame = model.explain(k=4)
    assert frame.columns == [
        *("user_id", "item_id", "score", "rank", "component", "contribution"),
        *("history", "value", "count", "reason"),
    ]
    sums = frame.group_by("user_id", "item_id", maintain_order=True).agg(
        pl.col("contribution").sum(), pl.col("score").first(), pl.col("rank").first()
    )
    np.testing.assert_allclose(sums["contribution"].to_numpy(), sums["score"].to_numpy(), atol=1e-4)
    assert sums.select("user_id", "item_id", "score", "rank").equals(model.recommend(k=4))


def test_every_relation_is_a_part(model: AttrFormer) -> None:
    parts = model.explain(["user-0001"], k=1)["component"].to_list()
    assert parts[0] == "content"
    assert set(parts[1:]) == set(model.relation_strengths())
    assert {"cooccurrence_near", "item_brand", "item_category", "item_price", "user_age_band", "repeat"} < set(parts)


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


@pytest.mark.slow
def test_history_names_an_item_that_the_relation_connects(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.explain(k=3)
    assert (
        frame.filter(pl.col("component").is_in(["content", "similar_users", "user_age_band"]))["history"].null_count()
        > 0
    )
    near = model.fitted.relations.rows["cooccurrence_near"]
    ids = dataset.item_ids
    for user, item, part, contribution, history in frame.select(
        "user_id", "item_id", "component", "contribution", "history"
    ).iter_rows():
        if part == "cooccurrence_near":
            assert (history is None) == (contribution == 0)
        if part == "cooccurrence_near" and history is not None:
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
    assert frame.filter(pl.col("component") == "item_brand")["history"].to_list() == [mine]


def test_repeated_items_speak_through_identity(model: AttrFormer) -> None:
    frame = model.explain(histories=[["item-0004", "item-0009"]], items=["item-0004", "item-0020"])
    named = dict(frame.filter(pl.col("component") == "repeat").select("item_id", "history").iter_rows())
    assert named == {"item-0004": "item-0004", "item-0020": None}


def test_parts_sum_to_the_score_whatever_is_known_of_a_person(model: AttrFormer) -> None:
    asked = {"users": ["user-0003"], "histories": {"a": ["item-0001"], "b": [], "c": []}}
    attributes = {"b": {"age_band": "25-34", "region": "North"}, "c": {}, "user-0003": {"age_band": None}}
    frame = model.explain(**asked, user_attributes=attributes, k=5)
    sums = frame.group_by("user_id", "item_id", "rank", maintain_order=True).agg(
        pl.col("contribution").sum(), pl.col("score").first()
    )
    np.testing.assert_allclose(sums["contribution"].to_numpy(), sums["score"].to_numpy(), atol=1e-4)
    answered = model.recommend(**asked, user_attributes=attributes, k=5)
    assert sums.select("user_id", "item_id", "score", "rank").equals(answered)
    assert frame["user_id"].unique(maintain_order=True).to_list() == ["user-0003", "a", "b", "c"]
    parts = {user: set(frame.filter(pl.col("user_id") == user)["component"]) for user in "abc"}
    assert "content" in parts["a"]
    assert parts["b"] == parts["c"] == {"popularity", "user_age_band", "user_region"}


@pytest.mark.slow
@given(
    histories=st.lists(st.lists(st.integers(0, 119), max_size=6), min_size=1, max_size=4),
    age=st.sampled_from(["18-24", "65+", None]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_sum_to_the_score_of_any_history(
    model: AttrFormer, dataset: Dataset, histories: list[list[int]], age: str | None
) -> None:
    named = {f"p{n}": dataset.item_ids.decode(items).to_list() for n, items in enumerate(histories)}
    frame = model.explain(histories=named, user_attributes={"p0": {"age_band": age}}, k=3)
    sums = frame.group_by("user_id", "item_id").agg(pl.col("contribution").sum(), pl.col("score").first())
    assert len(sums) == 3 * len(histories)
    np.testing.assert_allclose(sums["contribution"].to_numpy(), sums["score"].to_numpy(), atol=1e-4)


def others_with_pair(dataset: Dataset, first: int, second: int, own: int, window: int) -> tuple[int, int]:
    """Users but one with the second item up to `window` steps after the first, and before it."""
    after = before = 0
    for user in range(dataset.user_count):
        row = dataset.sequences.row(user).tolist()
        steps = [b - a for a, x in enumerate(row) for b, y in enumerate(row) if (x, y) == (first, second)]
        after += user != own and any(0 < step <= window for step in steps)
        before += user != own and any(-window <= step < 0 for step in steps)
    return after, before


@pytest.mark.slow
def test_counts_are_those_of_the_stored_histories(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.explain(dataset.user_ids.to_list()[:25], k=3)
    told = frame.filter((pl.col("component") == "cooccurrence_near") & pl.col("history").is_not_null())
    assert len(told) > 20
    for user, item, history, count, reason in told.select(
        "user_id", "item_id", "history", "count", "reason"
    ).iter_rows():
        first, second = dataset.item_ids.encode([history, item]).tolist()
        window = model.config.relations.cooccurrence_near.window
        after, before = others_with_pair(dataset, first, second, ids_code(dataset, user), window)
        assert count == (after or before)
        title = dataset.item_titles[first] if dataset.item_titles else history
        others = f"{count} other user{'' if count == 1 else 's'}"
        if after:
            assert reason == f"Chosen after “{title}” by {others}"
        else:
            assert reason == (f"Chosen shortly before “{title}” by {others}" if before else f"Goes with “{title}”")


@pytest.mark.slow
def test_neighbours_count_the_similar_users_who_took_the_item(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.explain(k=3).filter((pl.col("component") == "similar_users") & (pl.col("contribution") != 0))
    assert len(frame) > 20
    for user, item, count, reason in frame.head(40).select("user_id", "item_id", "count", "reason").iter_rows():
        code = ids_code(dataset, user)
        batch, _ = model.fitted.outputs(np.array([code]), dataset.sequences.rows(np.array([code])))
        assert batch.similar_users is not None
        following, users = batch.similar_users.following[0, 0], batch.similar_users.users[0, 0]
        wanted = int(dataset.item_ids.encode([item])[0])
        assert count == sum(wanted in row for row in following.tolist()) > 0
        assert reason == f"Chosen soon after by {count} of {int((users >= 0).sum())} users with a similar history"


def test_user_attributes_count_their_own(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.explain(["user-0002"], k=5).filter(pl.col("component") == "user_age_band")
    relation = model.fitted.relations.users["age_band"]
    own, rows = ids_code(dataset, "user-0002"), range(dataset.user_count)
    for item, value, count, reason in frame.select("item_id", "value", "count", "reason").iter_rows():
        code = int(dataset.item_ids.encode([item])[0])
        assert value == relation.labels[relation.codes[own]]
        same = [u for u in rows if u != own and relation.codes[u] == relation.codes[own]]
        assert count == sum(code in dataset.sequences.row(u) for u in same)
        assert reason.endswith(f"by users whose age band is {value}")


def test_the_value_in_common_is_named(model: AttrFormer, dataset: Dataset) -> None:
    brand = model.fitted.relations.features["brand"]
    code = int(brand.codes[np.flatnonzero(brand.weights[:, 0] > 0)[0], 0])
    having = np.flatnonzero((brand.codes[:, 0] == code) & (brand.weights[:, 0] > 0))
    first, second = dataset.item_ids.decode(having[:2]).to_list()
    frame = model.explain(histories=[[first]], items=[second]).filter(pl.col("component") == "item_brand")
    title = dataset.item_titles[int(dataset.item_ids.encode([first])[0])] if dataset.item_titles else first
    (row,) = frame.select("history", "value", "reason").iter_rows()
    assert row == (first, brand.labels[code], f"Same brand as “{title}”: {brand.labels[code]}")


def test_the_strongest_pair_of_values_against_the_matrix(model: AttrFormer) -> None:
    module = copy.deepcopy(model.fitted.network.relations["item_category"])
    assert isinstance(module, ItemAttributeModule) and module.left is not None and module.right is not None
    with torch.no_grad():
        module.left.normal_()
        module.right.normal_()
        plain = torch.diag(module.log_diagonal.exp()) + module.left @ module.right.t()
    items = torch.arange(20)
    sources, targets = items.repeat_interleave(20), items.repeat(20)
    own, other = module.strongest_values(sources, targets)
    related = 0
    for i, j, a, b in zip(sources, targets, own, other, strict=True):
        voices = (module.phi(i) @ plain).clamp_min(0) * module.phi(j)
        if voices.sum() > 0:
            related += 1
            assert int(b) == int(voices.argmax())
            assert int(a) == int((module.phi(i) * plain[:, b] - 1e9 * (module.phi(i) == 0)).argmax())
    assert related > 100


def test_what_says_nothing_has_no_reason(model: AttrFormer) -> None:
    frame = model.explain(k=3)
    silent = frame.filter(pl.col("contribution") == 0)
    assert len(silent)
    for column in ("history", "value", "count", "reason"):
        assert silent[column].null_count() == len(silent)
    assert frame.filter(pl.col("contribution") != 0)["reason"].null_count() == 0


def test_a_model_that_counts_explains_itself(dataset: Dataset) -> None:
    config = override(Config(), ["model.name=transitions", "evaluation.resamples=20"])
    frame = Recommender(config).fit(dataset, progress=False).explain(["user-0001"], k=2)
    assert frame["reason"].unique().sort().to_list() == ["Goes with what is in the history", "Popular with everybody"]


def test_times_are_told_as_dates() -> None:
    count = 40
    interactions = pl.DataFrame(
        {"user_id": np.repeat(np.arange(20), 6), "item_id": np.tile(np.arange(count), 3), "timestamp": np.arange(120)}
    )
    released = [datetime(2000 + n // 10, 1 + n % 10, 1) for n in range(count)]
    items = pl.DataFrame({"item_id": np.arange(count), "released": released})
    config = override(Config(), [*SMALL, "training.epochs=1", "relations.buckets=4"])
    model = AttrFormer(config).fit(Dataset.from_frames(interactions, items), progress=False)
    told = model.explain([0], k=5).filter(pl.col("component") == "item_released")["value"].drop_nulls()
    assert len(told)
    assert told.str.contains(r"^(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?( → .*)?$").all()


def test_grown_models_explain_what_is_new(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path)
    grown = AttrFormer.load(tmp_path, device="cpu")
    brand = grown.fitted.relations.features["brand"].labels[0]
    item = {"item_id": ["item-new"], "title": ["Novelty"], "brand": [brand], "category": [["Toys"]], "price": [9.5]}
    grown.add_items(pl.DataFrame(item))
    asked = {"histories": {"anna": ["item-0003"], "ben": []}, "items": ["item-new", "item-0005"]}
    before = grown.explain(**asked)
    sums = before.group_by("user_id", "item_id").agg(pl.col("contribution").sum(), pl.col("score").first())
    np.testing.assert_allclose(sums["contribution"].to_numpy(), sums["score"].to_numpy(), atol=1e-4)
    pair = {"user_id": ["zoe", "zoe"], "item_id": ["item-0003", "item-new"]}
    grown.update(pl.DataFrame({**pair, "timestamp": [2_000_000_000, 2_000_000_001]}))
    after = grown.explain(**asked)
    wanted = (pl.col("item_id") == "item-new") & pl.col("component").is_in(["cooccurrence_near", "popularity"])
    told = dict(after.filter(wanted).select("component", "reason").iter_rows())
    first = grown.fitted.knowledge.titles
    assert first is not None
    title = first[int(grown.fitted.knowledge.item_ids.encode(["item-0003"])[0])]
    assert told == {
        "cooccurrence_near": f"Chosen after “{title}” by 1 other user",
        "popularity": "Chosen by 1 other user",
    }
    assert "Chosen by nobody yet" in before.filter(wanted)["reason"].to_list()
