"""Attributes that change in time from tables to answers: a shop whose customers take what is on offer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.support.offers import CHANGES, LOG, OFFERS, SETTINGS, START, WEEK, dataset_of, history_at, offered_at
from tests.support.recommenders import small_config

from attrformer.errors import (
    CheckpointError,
    ConfigurationError,
    ShortListWarning,
)
from attrformer.recommender import Recommender
from attrformer.retrieval import Index


@pytest.fixture(scope="module")
def model(offers_model: Recommender) -> Recommender:
    return offers_model


def test_what_is_on_offer_is_found_and_far_better_than_without(model: Recommender) -> None:
    without = Recommender(small_config(*SETTINGS, "relations.changing_attributes=[]"))
    data = dataset_of()
    without.fit(data, progress=False)
    figures = [one.evaluate(data).values()["seen=hidden"]["NDCG@20"] for one in (model, without)]
    assert figures[0] > 1.5 * figures[1] and figures[0] > 0.3
    assert max(model.relation_strengths(), key=lambda name: model.relation_strengths()[name]) == "item_offer"


@pytest.mark.parametrize("week", [3, 20, 44])
def test_answers_are_what_is_on_offer_at_the_time_of_the_history(model: Recommender, week: int) -> None:
    time = START + week * WEEK + 5_000
    answers = model.recommend(histories=history_at(time), k=OFFERS - 2)
    assert len(set(answers["item_id"]) & offered_at(time)) >= OFFERS - 4


def test_a_history_without_times_is_answered_by_the_latest_values(model: Recommender) -> None:
    last = offered_at(int(CHANGES["timestamp"].max()))  # type: ignore[arg-type]
    answers = model.recommend(histories=[sorted(last)[:2]], k=OFFERS - 2)
    assert len(set(answers["item_id"]) & last) >= OFFERS - 4


def test_components_sum_to_the_score_and_the_reason_names_what_was_and_is(model: Recommender) -> None:
    time = START + 20 * WEEK + 5_000
    history = history_at(time)
    reasons = model.explain(histories=history, k=3)
    totals = reasons.group_by("item_id", maintain_order=True).agg(pl.col("contribution").sum(), pl.col("score").first())
    np.testing.assert_allclose(totals["contribution"], totals["score"], rtol=1e-4, atol=1e-4)
    own = reasons.filter(pl.col("component") == "item_offer").row(0, named=True)
    assert own["history"] in history["item_id"].to_list() and own["value"] == "yes"
    title = f"Title {int(own['history'][1:])}"
    assert own["reason"] == f"Same offer as “{title}” had when it was taken: yes"


def test_later_changes_do_not_change_the_fit_or_the_answers(model: Recommender) -> None:
    last = int(LOG["timestamp"].max())  # type: ignore[arg-type]
    late = CHANGES.filter(pl.col("timestamp") <= last)
    more = pl.DataFrame(
        {
            "item_id": ["i000", "i001", "i002", "i003"],
            "timestamp": [last + 1, last + 2, last + 3, last + 3],
            "column": ["offer"] * 4,
            "value": ["yes", "no", "never", "never"],
        }
    )
    config = small_config(*SETTINGS, "training.epochs=1")
    fits = [Recommender(config).fit(dataset_of(changes), progress=False) for changes in (late, pl.concat([late, more]))]
    weights = [dict(one.fitted.network.named_parameters()) for one in fits]
    assert weights[0].keys() == weights[1].keys()
    assert all(bool((value == weights[1][name]).all()) for name, value in weights[0].items())
    assert fits[0].recommend().equals(fits[1].recommend())
    assert fits[0].evaluate(dataset_of(late)).values() == fits[1].evaluate(dataset_of(late)).values()


def test_a_saved_model_answers_the_same(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = Recommender.load(tmp_path, device="cpu")
    history = history_at(START + 20 * WEEK + 5_000)
    assert loaded.recommend(histories=history).equals(model.recommend(histories=history))
    assert loaded.explain(histories=history, k=2).equals(model.explain(histories=history, k=2))


@pytest.mark.parametrize("part", ["times", "codes", "offsets"])
def test_a_damaged_array_is_refused(model: Recommender, part: str) -> None:
    relation = model.fitted.relations["item_offer"]
    array = getattr(relation, part)
    for broken in (array[::-1].copy() + 1, array[:-1], array.astype(np.float64)):
        with pytest.raises(ValueError, match="'offer'"):
            replace(relation, **{part: broken}).check(model.fitted.relations.n_items, 0)
    relation.check(model.fitted.relations.n_items, 0)


def test_rules_follow_as_of(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path)
    again, time = Recommender.load(tmp_path, device="cpu"), START + 20 * WEEK + 5
    asked: Any = {"histories": history_at(time), "k": OFFERS, "hide_seen": False, "where": 'offer == "yes"'}
    latest = set(model.recommend(**asked)["item_id"])
    assert latest == offered_at(int(CHANGES["timestamp"].max()))  # type: ignore[arg-type]
    for one in (model, again):
        assert set(one.recommend(as_of=time, **asked)["item_id"]) == offered_at(time) != latest
        assert set(one.explain(as_of=time, **asked)["item_id"]) == offered_at(time)
    index = Index.build(model)
    assert set(index.search(as_of=time, **asked)["item_id"]) == offered_at(time)
    boosted = model.recommend(histories=history_at(time), k=OFFERS, as_of=time, boost={"offer": {"yes": 99.0}})
    assert set(boosted["item_id"]) <= offered_at(time) | set(boosted.filter(pl.col("score") < 50)["item_id"])
    assert boosted["score"].to_list()[0] > 50
    with pytest.warns(ShortListWarning, match="at_most leaves out 12"):
        few = model.recommend(histories=history_at(time), k=3, as_of=time, where='offer == "yes"', at_most={"offer": 1})
    assert len(few) == 1 and few["item_id"][0] in offered_at(time)
    # The latest values again, and those of a second later; neither is mistaken for the other.
    assert set(model.recommend(**asked)["item_id"]) == latest
    assert set(model.recommend(as_of=START + 21 * WEEK, **asked)["item_id"]) == offered_at(START + 21 * WEEK)


def test_only_the_columns_that_are_named_become_relations() -> None:
    with pytest.raises(ConfigurationError, match=r"relations.changing_attributes names 'price'.*It has: offer"):
        Recommender(small_config("relations.changing_attributes=[price]")).fit(dataset_of(), progress=False)


def test_items_like_an_item_are_those_with_its_latest_value(model: Recommender) -> None:
    last = sorted(offered_at(int(CHANGES["timestamp"].max())))  # type: ignore[arg-type]
    found = model.similar_items(last[0], by="offer", k=OFFERS - 1)
    assert set(found["similar_item_id"]) == set(last[1:])


def test_going_on_from_a_model_carries_what_was_learned(model: Recommender) -> None:
    again = Recommender(
        small_config(*SETTINGS, "training.epochs=1", "training.learning_rate=1e-9", "training.relation_rate=1")
    )
    again.fit(dataset_of(), warm_start=model, progress=False)
    before, after = (
        dict(one.fitted.network.named_parameters())["relations.item_offer.log_diagonal"].tolist()
        for one in (model, again)
    )
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_a_damaged_file_is_noticed(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    entry = next(one for one in described["relations"]["relations"] if one["name"] == "item_offer")
    assert entry["kind"] == "changing_attribute" and entry["labels"] == ["no", "yes"]
    entry["labels"] = ["no"]
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError):
        Recommender.load(tmp_path, device="cpu")


@pytest.mark.parametrize("form", [int, lambda time: datetime.fromtimestamp(time, timezone.utc), None])
def test_a_shop_can_ask_about_a_time(model: Recommender, form: Callable[[int], Any] | None) -> None:
    then, now = START + 20 * WEEK + 5_000, START + 45 * WEEK
    as_of = datetime.fromtimestamp(now, timezone.utc).isoformat() if form is None else form(now)
    answers = model.recommend(histories=history_at(then), k=OFFERS - 2, as_of=as_of)
    assert len(set(answers["item_id"]) & offered_at(now)) >= OFFERS - 4
    assert len(set(answers["item_id"]) & offered_at(then)) < OFFERS - 6
    reasons = model.explain(histories=history_at(then), k=OFFERS - 2, as_of=as_of)
    explained = reasons.filter(pl.col("component") == "content").select(answers.columns)
    assert explained.equals(answers)
    kept, _ = model.query(histories=history_at(then), as_of=as_of)
    assert kept.as_of == now


def test_nothing_later_than_the_time_that_is_asked_about_is_read(model: Recommender) -> None:
    asked = START + 10 * WEEK
    later = Recommender(model.config)
    later._fitted = model.fitted
    rows = CHANGES.filter(pl.col("timestamp") > asked).with_columns(value=pl.lit("no"))
    later.update(item_changes=rows)
    history = history_at(START + 20 * WEEK + 5_000)
    assert later.recommend(histories=history, as_of=asked).equals(model.recommend(histories=history, as_of=asked))
    assert not later.recommend(histories=history).equals(model.recommend(histories=history))
    without = [history["item_id"].to_list()]
    assert later.recommend(histories=without, as_of=asked).equals(model.recommend(histories=without, as_of=asked))


@pytest.mark.parametrize("wrong", [True, 1.5, "soon", 10**13, [1]])
def test_what_is_no_time_is_refused(model: Recommender, wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"as_of is .*Give whole seconds since 1970"):
        model.recommend(histories=[["i000"]], as_of=wrong)


def test_learned_pairs_can_be_looked_at(model: Recommender) -> None:
    assert model.pair_attributes() == ["offer"]
    labels, matrix = model.strongest_pairs("offer")
    assert sorted(labels) == ["no", "yes"] and matrix.shape == (2, 2)
