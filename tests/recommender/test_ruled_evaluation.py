"""Figures under rules: what they count is what `recommend` answers under the same rules at the time of each target."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.recommender.test_evaluation_agrees import contexts_of
from tests.support.recommenders import small_config

from attrformer import AttrFormer, ConfigurationError, Dataset, RuleError, Rules, ShortListWarning
from attrformer.data.splits import Targets
from attrformer.evaluation import Evaluation
from attrformer.evaluation.metrics import UNREACHABLE_RANK

ITEMS, USERS, START = 40, 30, 1_600_000_000
SETTINGS = (
    "training.epochs=1",
    "relations.changing_attributes=[]",
    "evaluation.resamples=5",
    "evaluation.cutoffs=[3,8]",
)


def shop() -> Dataset:
    """Everybody takes seven items at times of their own; every item is in stock now and then, and some have a brand."""
    random = np.random.default_rng(5)
    log, changes = [], []
    for user in range(USERS):
        times = START + np.sort(random.choice(100_000, 7, replace=False))
        log += [
            (f"u{user:02}", f"i{item:02}", int(time))
            for item, time in zip(random.permutation(ITEMS)[:7], times, strict=True)
        ]
    for item in range(ITEMS):
        stocks = zip(random.choice(100_000, 4, replace=False), random.choice([0, 0, 3, 9], 4), strict=True)
        changes += [(f"i{item:02}", START - 1, "stock", 1)]
        changes += [(f"i{item:02}", START + int(time), "stock", int(stock)) for time, stock in stocks]
    items = pl.DataFrame(
        {
            "item_id": [f"i{n:02}" for n in range(ITEMS)],
            "brand": [None if n % 7 == 0 else f"b{n % 4}" for n in range(ITEMS)],
            "price": [float(n % 11) for n in range(ITEMS)],
        }
    )
    return Dataset.from_frames(
        pl.DataFrame(log, schema=["user_id", "item_id", "timestamp"], orient="row"),
        items,
        item_changes=pl.DataFrame(changes, schema=["item_id", "timestamp", "column", "value"], orient="row"),
        catalogue="all",
        name="shop",
    )


DATA = shop()


@pytest.fixture(scope="module")
def model() -> AttrFormer:
    return AttrFormer(small_config(*SETTINGS)).fit(DATA, progress=False)


def targets_of(model: AttrFormer) -> Targets:
    return model.config.data.split_of(DATA).test


def expected(model: AttrFormer, rules: dict[str, Any], hide_seen: bool, k: int) -> list[pl.DataFrame]:
    """What is recommended for each target as of its time."""
    targets = targets_of(model)
    contexts, found = contexts_of(DATA, targets), []
    assert targets.times is not None
    for user, time in zip(DATA.user_ids.decode(targets.users), targets.times.tolist(), strict=True):
        history = contexts.filter(pl.col("user_id") == user)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShortListWarning)
            found.append(model.recommend(histories=history, k=k, hide_seen=hide_seen, as_of=time, rules=rules))
    return found


def codes(answer: pl.DataFrame) -> list[int]:
    return DATA.item_ids.encode(answer["item_id"]).tolist()


def stock_at(item: int, time: int) -> float:
    return float(DATA.item_values_at("stock", time).numbers[item])


FIRST = "i03"
REORDERED: list[dict[str, Any]] = [
    {"at_most": {"brand": 1}},
    {"at_most": {"stock": 2}, "where": "stock > 0"},
    {"diversity": 0.4, "where": "stock > 0 or price < 3"},
    {"pinned": {2: FIRST}, "where": "stock > 0", "boost": [["price < 4", 2.0]]},
    {"new_items": {"share": 0.5, "within": "8h"}},
]


@pytest.mark.parametrize("rules", REORDERED, ids=lambda rules: "+".join(rules))
def test_reordered_lists_are_those_of_recommend(model: AttrFormer, rules: dict[str, Any]) -> None:
    found = model.evaluate(DATA, rules=rules)
    targets = targets_of(model)
    for seen in ("hidden", "ranked"):
        lists = [codes(answer) for answer in expected(model, rules, seen == "hidden", 8)]
        assert [[code for code in row if code >= 0] for row in found.lists[seen].tolist()] == lists
        ranks = [
            row.index(item) + 1 if item in row else UNREACHABLE_RANK
            for row, item in zip(lists, targets.items.tolist(), strict=True)
        ]
        assert found.ranks[seen].tolist() == ranks
    assert "| ties in the order of the catalogue |" in found.protocol.line()


@pytest.mark.parametrize(
    "rules",
    [{"where": "stock > 0"}, {"boost": {"brand": {"b1": 1.5}}, "where": "price < 8"}, {"boost": [["stock == 0", -1]]}],
    ids=["where", "both", "boost"],
)
def test_conditions_and_boosts_rank_the_whole_catalogue(model: AttrFormer, rules: dict[str, Any]) -> None:
    found = model.evaluate(DATA, rules=rules)
    targets = targets_of(model)
    for seen in ("hidden", "ranked"):
        answers = expected(model, rules, seen == "hidden", ITEMS)
        for row, (answer, item) in enumerate(zip(answers, targets.items.tolist(), strict=True)):
            own = answer.filter(pl.Series(np.array(codes(answer)) == item))["score"]
            rank = int((answer["score"] >= own[0]).sum()) if len(own) else UNREACHABLE_RANK
            assert found.ranks[seen][row] == rank
            assert found.lists[seen][row].tolist() == (codes(answer) + [-1] * 8)[:8]
    assert "| ties against the model |" in found.protocol.line()


def test_targets_that_are_forbidden_are_counted_and_missed(model: AttrFormer) -> None:
    found, plain = model.evaluate(DATA, rules=Rules(where="stock > 0")), model.evaluate(DATA)
    targets = targets_of(model)
    assert targets.times is not None
    out = [not stock_at(item, time) > 0 for item, time in zip(targets.items, targets.times.tolist(), strict=True)]
    # Some of each, and other ones than those without stock today.
    assert 0 < sum(out) < len(out)
    assert out != [not stock_at(item, START + 10**6) > 0 for item in targets.items]
    assert found.protocol.forbidden == sum(out)
    assert (found.ranks["ranked"][out] == UNREACHABLE_RANK).all()
    share = f"{100 * sum(out) / len(out):.1f} %"
    told = f'under rules: {{"where": "stock > 0"}} as of each target\'s time; they forbid {sum(out)} targets ({share})'
    assert f"| {told}, which are misses |" in found.protocol.line()
    fields = found.to_json()["protocol"]
    assert fields["forbidden"] == sum(out) and fields["rules"].startswith('{"where"')
    assert "rules" not in plain.to_json()["protocol"] and "under rules" not in plain.protocol.line()
    # Both can be compared target by target: the targets are the same.
    assert found.compare(plain, "NDCG@8").difference.value == pytest.approx(
        found.value("NDCG@8") - plain.value("NDCG@8")
    )


def test_a_pinned_target_is_not_forbidden(model: AttrFormer) -> None:
    targets = targets_of(model)
    item = int(targets.items[0])
    pinned = {"where": "price > 99", "pinned": {1: DATA.item_ids.decode(np.array([item]))[0]}}
    found = model.evaluate(DATA, rules=pinned)
    assert found.protocol.forbidden == int((targets.items != item).sum())
    assert (found.ranks["hidden"] == 1).tolist() == (targets.items == item).tolist()


def test_without_rules_nothing_is_ruled(model: AttrFormer) -> None:
    plain: Evaluation = model.evaluate(DATA)
    nothing = model.evaluate(DATA, rules={})
    assert nothing.protocol == plain.protocol and nothing.values() == plain.values()
    every = model.evaluate(DATA, rules={"where": "price >= 0"})
    assert every.values() == plain.values() and every.protocol.forbidden == 0


def test_rules_that_cannot_be_used_are_refused_first(model: AttrFormer, tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no column 'stok'"):
        model.evaluate(DATA, rules={"where": "stok > 0"})
    with pytest.raises(ConfigurationError, match=r"position 9 of lists of 8 items"):
        model.evaluate(DATA, rules={"pinned": {9: FIRST}})
    with pytest.raises(ConfigurationError, match="rules"):
        model.evaluate(DATA, rules=5)


def test_without_times_the_latest_values_are_read_and_said() -> None:
    log = pl.DataFrame({"user_id": [f"u{n // 5}" for n in range(50)], "item_id": [f"i{n * 7 % 12}" for n in range(50)]})
    items = pl.DataFrame({"item_id": [f"i{n}" for n in range(12)], "price": [float(n) for n in range(12)]})
    data = Dataset.from_frames(log, items, catalogue="all")
    model = AttrFormer(small_config("training.epochs=1", "evaluation.resamples=5")).fit(data, progress=False)
    found = model.evaluate(data, rules={"where": "price < 6"})
    assert "with the latest values; they forbid" in found.protocol.line()
    items_of_targets = model.config.data.split_of(data).test.items
    prices = data.item_attributes["price"].numbers[items_of_targets]
    assert found.protocol.forbidden == int((prices >= 6).sum()) > 0
