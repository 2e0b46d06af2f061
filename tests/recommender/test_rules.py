"""Rules of a shop in `recommend` and `explain`, against lists made by their definitions from all scores."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.rules.references import reference

from attrformer import (
    AttrFormer,
    DataError,
    Dataset,
    Rules,
    ShortListWarning,
)
from attrformer.recommender.likeness import likeness_of

K = 6
USERS = [f"user-{n:04d}" for n in (1, 2, 3, 40)]
STRANGER = {"stranger": ["item-0003", "item-0010"]}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortListWarning)
        yield


@pytest.fixture(scope="module")
def table(dataset: Dataset, model: AttrFormer) -> pl.DataFrame:
    values = model.fitted.knowledge.item_values
    assert values is not None
    return values.frame(list(values.columns)).with_columns(dataset.item_ids.values.alias("item_id"))


def all_scores(model: AttrFormer, user: str) -> list[float]:
    found = model.recommend([user], k=1000, hide_seen=False).sort("item_id")
    assert found["item_id"].to_list() == model.fitted.knowledge.item_ids.to_list()
    return found["score"].to_list()


def by_definition(
    model: AttrFormer,
    table: pl.DataFrame,
    user: str,
    *,
    where: pl.Expr | None = None,
    boost: tuple[pl.Expr, float] | None = None,
    at_most: dict[str, int] | None = None,
    diversity: float = 0.0,
    share: float = 0.0,
    new: set[int] | None = None,
    pinned: dict[int, int] | None = None,
    excluded: set[int] | None = None,
) -> list[str]:
    fitted = model.fitted
    scores = np.array(all_scores(model, user))
    if boost is not None:
        scores[table.select(boost[0].fill_null(False)).to_series().to_numpy()] += boost[1]
    if where is not None:
        scores[~table.select(where.fill_null(False)).to_series().to_numpy()] = -np.inf
    scores[[*(excluded or ())]] = -np.inf
    code = int(fitted.knowledge.user_ids.encode([user])[0])
    scores[fitted.knowledge.histories.row(code)] = -np.inf
    limits = []
    for column, most in (at_most or {}).items():
        rows = table[column].to_list()
        listed = [row if isinstance(row, list) else [] if row is None else [row] for row in rows]
        limits.append(({item: row or [] for item, row in enumerate(listed)}, most))
    found = reference(scores.tolist(), K, limits, diversity, new or set(), share, pinned or {}, likeness_of(fitted))
    return fitted.knowledge.item_ids.decode(np.array(found, dtype=np.int64)).to_list()


def new_codes(dataset: Dataset, days: float) -> set[int]:
    """Items whose first interaction lies in the last days, and those nobody took in training."""
    times = dataset.sequences.times
    assert times is not None
    first: dict[int, int] = {}
    for item, time in zip(dataset.sequences.items.tolist(), times.tolist(), strict=True):
        first[item] = min(first.get(item, time), time)
    return {item for item, time in first.items() if time >= times.max() - days * 86_400}


CHEAP = pl.col("price") < 20
CASES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"where": "price < 20"}, {"where": CHEAP}),
    ({"where": CHEAP}, {"where": CHEAP}),
    ({"boost": [("price < 20", 2.5)]}, {"boost": (CHEAP, 2.5)}),
    ({"boost": {"brand": {"Lumaro": -9}}}, {"boost": (pl.col("brand") == "Lumaro", -9.0)}),
    ({"at_most": {"brand": 1}}, {"at_most": {"brand": 1}}),
    ({"at_most": {"brand": 1, "category": 2}}, {"at_most": {"brand": 1, "category": 2}}),
    ({"diversity": 0.4}, {"diversity": 0.4}),
    ({"diversity": 1.0}, {"diversity": 1.0}),
    ({"pinned": {2: "item-0006", 5: "item-0007"}}, {"pinned": {2: 5, 5: 6}}),
    (
        {
            "where": "price < 20",
            "boost": [("price < 20", 1)],
            "diversity": 0.3,
            "at_most": {"brand": 1},
            "pinned": ["item-0006"],
        },
        {"where": CHEAP, "diversity": 0.3, "at_most": {"brand": 1}, "pinned": {1: 5}},
    ),
)


@pytest.mark.parametrize(("rules", "right"), CASES, ids=["+".join(rules) for rules, _ in CASES])
def test_lists_under_rules_are_those_of_their_definition(
    model: AttrFormer, table: pl.DataFrame, rules: dict[str, Any], right: dict[str, Any]
) -> None:
    found = model.recommend(USERS, k=K, **rules)
    for user in USERS:
        mine = found.filter(pl.col("user_id") == user)
        assert mine["item_id"].to_list() == by_definition(model, table, user, **right)
        assert mine["rank"].to_list() == list(range(1, len(mine) + 1))


def test_room_for_new_items(model: AttrFormer, dataset: Dataset, table: pl.DataFrame) -> None:
    never = {int(item) for item in np.flatnonzero(model.fitted.relations.popularity <= 0)}
    for within, new in ((None, never), ("240d", never | new_codes(dataset, 240))):
        assert len(new) < 120 and (within is None or new)
        rule = {"share": 0.5} | ({} if within is None else {"within": within})
        found = model.recommend(USERS, k=K, new_items=rule)
        for user in USERS:
            mine = found.filter(pl.col("user_id") == user)
            assert mine["item_id"].to_list() == by_definition(model, table, user, share=0.5, new=new)
            codes = dataset.item_ids.encode(mine["item_id"])
            assert mine["new"].to_list() == [int(code) in new for code in codes]


def test_everything_together(model: AttrFormer, dataset: Dataset, table: pl.DataFrame) -> None:
    never = {int(item) for item in np.flatnonzero(model.fitted.relations.popularity <= 0)}
    new = never | new_codes(dataset, 250)
    rules = Rules(
        where="price < 60",
        boost=[("price < 20", 1.5)],
        at_most={"brand": 1},
        diversity=0.3,
        new_items={"share": 0.4, "within": "250d"},
        pinned={3: "item-0006"},
    )
    found = model.recommend(USERS, k=K, rules=rules, exclude=["item-0010", "item-0011"])
    for user in USERS:
        right = by_definition(
            model,
            table,
            user,
            where=pl.col("price") < 60,
            boost=(CHEAP, 1.5),
            at_most={"brand": 1},
            diversity=0.3,
            share=0.4,
            new=new,
            pinned={3: 5},
            excluded={9, 10},
        )
        assert found.filter(pl.col("user_id") == user)["item_id"].to_list() == right
    assert found.columns == ["user_id", "item_id", "score", "rank", "new", "pinned"]
    assert found.filter(pl.col("pinned"))["item_id"].to_list() == ["item-0006"] * len(USERS)


def test_single_rules_go_before_those_of_a_file(model: AttrFormer, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("where: price < 20\nat_most: {brand: 1}\n", encoding="utf-8")
    for rules in (tmp_path / "rules.yaml", {"where": "price < 20", "at_most": {"brand": 1}}):
        found = model.recommend(USERS, k=K, rules=rules, where="price < 40")
        assert found.equals(model.recommend(USERS, k=K, where="price < 40", at_most={"brand": 1}))


def test_candidates_and_exclusions_for_each_user(model: AttrFormer) -> None:
    few, all_but = ["item-0001", "item-0002", "item-0003"], [f"item-{n:04d}" for n in range(4, 121)]
    forms: list[Any] = [
        {USERS[0]: few, USERS[1]: []},
        pl.DataFrame({"user_id": [USERS[0]] * 3 + ["nobody"], "item_id": [*few, "item-0009"]}),
    ]
    for form, second in zip(forms, (0, K), strict=True):
        found = model.recommend(USERS[:3], k=K, hide_seen=False, candidates=form)
        lists = [found.filter(pl.col("user_id") == user)["item_id"].to_list() for user in USERS[:3]]
        assert sorted(lists[0]) == few and len(lists[1]) == second and len(lists[2]) == K
    found = model.recommend(USERS[:2], k=K, hide_seen=False, exclude={USERS[0]: all_but})
    assert sorted(found.filter(pl.col("user_id") == USERS[0])["item_id"]) == few
    assert found.filter(pl.col("user_id") == USERS[1]).equals(model.recommend(USERS[1:2], k=K, hide_seen=False))


def test_own_lists_of_strangers_and_of_people_by_number(model: AttrFormer) -> None:
    found = model.recommend(histories=STRANGER, k=3, candidates={"stranger": ["item-0001"]})
    assert found["item_id"].to_list() == ["item-0001"]
    found = model.recommend(
        histories=[["item-0003"], ["item-0004"]], k=1, candidates={0: ["item-0001"], "1": ["item-0002"]}
    )
    assert found["item_id"].to_list() == ["item-0001", "item-0002"]


def test_an_excluded_item_is_not_pinned(model: AttrFormer) -> None:
    found = model.recommend(USERS[:2], k=3, pinned=["item-0006"], exclude={USERS[0]: ["item-0006"]})
    assert found["pinned"].to_list() == [False, False, False, True, False, False]
    assert "item-0006" not in found["item_id"].to_list()[:3]


def test_pinned_items_are_there_whatever_else_is_said(model: AttrFormer, dataset: Dataset) -> None:
    seen = dataset.item_ids.decode(dataset.sequences.row(0)[:1])[0]
    found = model.recommend([USERS[0]], k=3, pinned={3: seen}, where="price < 0")
    assert found.select("item_id", "rank", "pinned").rows() == [(seen, 1, True)]
    full = dict(zip(dataset.item_ids.to_list(), all_scores(model, USERS[0]), strict=True))
    assert found["score"].to_list() == pytest.approx([full[seen]], abs=1e-5)


def test_values_of_the_request_go_before_those_of_the_model(model: AttrFormer, table: pl.DataFrame) -> None:
    forms: list[Any] = [
        {"item-0001": {"stock": 2, "price": 1.0}, "item-0002": {"stock": 0}, "item-0003": {"stock": 5}, "other": {}},
        pl.DataFrame(
            {
                "item_id": ["item-0001", "item-0002", "item-0003", "other"],
                "stock": [2, 0, 5, 1],
                "price": [1.0, None, None, 2.0],
            }
        ),
    ]
    for form in forms:
        found = model.recommend(USERS[:1], k=K, hide_seen=False, where="stock > 0", item_values=form)
        assert sorted(found["item_id"]) == ["item-0001", "item-0003"]
        found = model.recommend(USERS[:1], k=K, hide_seen=False, where="price <= 1 or stock == 5", item_values=form)
        assert sorted(found["item_id"]) == ["item-0001", "item-0003"]
    # What the table does not name keeps its value.
    known = table.filter(pl.col("price") < 20)["item_id"].to_list()
    only = {"item-0001": {"brand": "Nova"}}
    found = model.recommend(USERS[:1], k=200, hide_seen=False, where="price < 20", item_values=only)
    assert sorted(found["item_id"]) == sorted(known)
    with pytest.raises(DataError, match="item_id"):
        model.recommend(USERS[:1], where="price < 1", item_values=pl.DataFrame({"stock": [1]}))


def test_explain_explains_the_same_list_and_boosts_are_a_component(model: AttrFormer) -> None:
    rules: dict[str, Any] = {
        "where": "price < 60",
        "boost": {"brand": {"Lumaro": 3.0, "Tammont": -1.5}},
        "at_most": {"brand": 1},
        "diversity": 0.2,
        "pinned": ["item-0006"],
        "new_items": {"share": 0.3, "within": "60d"},
    }
    found, explained = model.recommend(USERS, k=4, **rules), model.explain(USERS, k=4, **rules)
    first = explained.unique(["user_id", "item_id"], keep="first", maintain_order=True)
    assert first.select(found.columns).drop("score").equals(found.drop("score"))
    sums = explained.group_by("user_id", "item_id", maintain_order=True).agg(pl.col("contribution").sum())
    np.testing.assert_allclose(sums["contribution"].to_numpy(), found["score"].to_numpy(), atol=1e-4)
    boosted = explained.filter((pl.col("component") == "rule") & (pl.col("contribution") != 0))
    assert set(boosted["value"]) <= {"brand is Lumaro (+3)", "brand is Tammont (-1.5)"} and len(boosted)
    assert set(boosted["reason"]) <= {"Raised by a rule: brand is Lumaro", "Lowered by a rule: brand is Tammont"}
    given = model.explain(USERS[:1], items=["item-0006", "item-0001"], boost=rules["boost"], where="price < 0")
    assert set(given["item_id"]) == {"item-0006", "item-0001"} and "rule" in given["component"].to_list()


def test_people_without_a_history_get_rules_too(model: AttrFormer) -> None:
    people = {"new": {"region": "North"}}
    found = model.recommend(user_attributes=people, k=K, where="price < 20", at_most={"brand": 1})
    every = model.recommend(user_attributes=people, k=200)
    values = model.fitted.knowledge.item_values
    assert values is not None
    frame = values.frame(["brand", "price"]).with_columns(model.fitted.knowledge.item_ids.values.alias("item_id"))
    right = every.join(frame, on="item_id").sort("rank").filter(pl.col("price") < 20)
    right = right.unique("brand", keep="first", maintain_order=True)["item_id"].to_list()[:K]
    assert found["item_id"].to_list() == right


def test_a_list_that_rules_leave_too_short_says_why(model: AttrFormer, dataset: Dataset) -> None:
    with pytest.warns(ShortListWarning) as caught:
        found = model.recommend(USERS[:1], k=100, where="price < 20", exclude=["item-0006"], at_most={"brand": 1})
    (warning,) = [one.message for one in caught if isinstance(one.message, ShortListWarning)]
    values = model.fitted.knowledge.item_values
    assert values is not None
    cheap = values.columns["price"].numbers < 20
    seen = set(dataset.sequences.row(0).tolist()) - {5}
    left = [item for item in np.flatnonzero(cheap).tolist() if item not in seen and item != 5]
    told = [f"where leaves out {120 - cheap.sum()}"]
    told += ["exclude leaves out 1"] if cheap[5] else []
    hidden = int(cheap.sum()) - len(left) - int(cheap[5])
    told += [f"hide_seen leaves out {hidden}"] if hidden else []
    told += [f"at_most leaves out {len(left) - len(found)}"]
    assert warning.notes == (f"User '{USERS[0]}' gets {len(found)} of 100 items: of 120, {', '.join(told)}.",)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(model.recommend(USERS[:1], k=100)) < 120
        model.recommend(USERS[:1], k=3, where="price < 60")
