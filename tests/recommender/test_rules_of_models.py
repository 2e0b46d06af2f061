"""Rules and the model behind them: items that are added, saved values, files, and attributes that change."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.recommender.saved import forge, read
from tests.support.recommenders import small_config

from attrformer import (
    AttrFormer,
    CheckpointError,
    Dataset,
    ShortListWarning,
)
from attrformer.data.sample import make_sample
from attrformer.recommender.ranking import recommend
from attrformer.recommender.streaming import fingerprint, write_recommendations
from attrformer.rules.compiled import CompiledRules

K = 6
USERS = [f"user-{n:04d}" for n in (1, 2, 3, 40)]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortListWarning)
        yield


def test_added_items_have_values_and_are_new(model: AttrFormer) -> None:
    grown = copy.copy(model).add_items(
        pl.DataFrame({"item_id": ["fresh"], "brand": ["Brandnew"], "category": [["Tools"]], "price": [1.0]})
    )
    found = grown.recommend(USERS, k=2, where='brand == "Brandnew" or price < 20', new_items={"share": 1.0})
    assert "fresh" in found.filter(pl.col("new"))["item_id"].to_list()
    found = grown.recommend(USERS, k=2, where='brand == "Brandnew"')
    assert found["item_id"].to_list() == ["fresh"] * len(USERS)
    assert model.recommend(USERS, k=2, where='brand == "Brandnew"').is_empty()


def test_a_model_saved_without_values_says_what_to_do(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    described, tensors = read(tmp_path / "model")
    del described["item_values"]
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("item_values/")}
    old = AttrFormer.load(forge(tmp_path / "old", described, kept), device="cpu")
    assert old.recommend(USERS, k=K).equals(model.recommend(USERS, k=K))
    for rules in ({"where": "price < 5"}, {"at_most": {"brand": 1}}, {"boost": [("price < 5", 1)]}):
        with pytest.raises(CheckpointError, match=r"Fit it again, or give the values with the request"):
            old.recommend(USERS, k=K, **rules)
    given: Any = {"item-0006": {"price": 2}}
    found = old.recommend(USERS[:1], hide_seen=False, where="price < 5", item_values=given)
    assert found["item_id"].to_list() == ["item-0006"]
    assert old.recommend(USERS, k=K, diversity=0.5).equals(model.recommend(USERS, k=K, diversity=0.5))
    again = AttrFormer.load(tmp_path / "model", device="cpu")
    assert again.recommend(USERS, k=K, where="price < 20").equals(model.recommend(USERS, k=K, where="price < 20"))


def test_damaged_values_are_refused(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    described, tensors = read(tmp_path / "model")
    for name in [name for name in tensors if name.startswith("item_values/")]:
        damaged = dict(tensors) | {name: tensors[name][:-1].clone()}
        with pytest.raises(CheckpointError, match="cannot be read"):
            AttrFormer.load(forge(tmp_path / "damaged", described, damaged), device="cpu")


def test_streams_into_a_file_follow_the_rules(model: AttrFormer, tmp_path: Path) -> None:
    rules: dict[str, Any] = {"where": "price < 60", "at_most": {"brand": 1}, "new_items": {"share": 0.2}}
    request, choice = model.query(k=K, **rules)
    write_recommendations(model.fitted, request, choice, tmp_path / "all.parquet", save_every=64)
    # Other blocks of histories round otherwise.
    assert_frame_equal(pl.read_parquet(tmp_path / "all.parquet"), model.recommend(k=K, **rules), abs_tol=1e-5)
    marks = {fingerprint(model.fitted, request, choice, 64)}
    for more in ({"where": "price < 50"}, {"at_most": {"brand": 2}}, {"diversity": 0.1}, {"pinned": ["item-0001"]}):
        marks.add(fingerprint(model.fitted, *model.query(k=K, **(rules | more)), 64))
    marks.add(fingerprint(model.fitted, *model.query(k=K, **rules, exclude={USERS[0]: ["item-0001"]}), 64))
    assert len(marks) == 6


def test_rules_are_prepared_once(model: AttrFormer) -> None:
    choices = [model.query(USERS[:1], where="price < 33")[1] for _ in range(2)]
    assert choices[0].rules is choices[1].rules is not None
    others = [model.query(USERS[:1], where="price < 33", item_values={"item-0001": {"price": 1}})[1] for _ in range(2)]
    assert others[0].rules is not others[1].rules


def test_answers_without_rules_take_the_path_they_took(model: AttrFormer) -> None:
    request, choice = model.query(USERS, k=K, candidates=["item-0001", "item-0002"])
    assert not choice.ruled and choice.short is None
    found = recommend(model.fitted, request, choice)
    assert found.columns == ["user_id", "item_id", "score", "rank"]
    # Rules that rule nothing give the same, through the path of rules.
    same = dataclasses.replace(choice, rules=CompiledRules(len(model.fitted.knowledge.item_ids)))
    assert recommend(model.fitted, request, same).equals(found)


def test_attributes_that_change_in_time_have_their_latest_values() -> None:
    sample = make_sample(users=60, items=40)
    ids = sorted(sample.items["item_id"].to_list())
    last = int(sample.interactions["timestamp"].max())  # type: ignore[arg-type]
    first = int(sample.interactions["timestamp"].min())  # type: ignore[arg-type]

    def changes(rows: list[tuple[str, int, str]]) -> pl.DataFrame:
        columns = ["item_id", "timestamp", "column", "value"]
        return pl.DataFrame([(*row[:2], "stock", row[2]) for row in rows], schema=columns, orient="row")

    early = [(item, first - 10, f"{n % 9 + 1}") for n, item in enumerate(ids)]
    late = [(item, last, "0") for item in ids[2:]]
    data = Dataset.from_frames(
        sample.interactions,
        sample.items,
        item_changes=changes(early + late),
        kinds={"item_changes.stock": "numeric"},
        catalogue="all",
    )
    model = AttrFormer(small_config("training.epochs=1")).fit(data, progress=False)
    asked: dict[str, Any] = {"k": 40, "hide_seen": False, "where": "stock > 0"}
    assert sorted(model.recommend(USERS[:1], **asked)["item_id"]) == ids[:2]
    model.update(item_changes=changes([(ids[5], last + 5, "3"), (ids[6], last - 5, "3"), (ids[0], last + 5, "0")]))
    assert sorted(model.recommend(USERS[:1], **asked)["item_id"]) == [ids[1], ids[5]]


def test_columns_of_the_items_table_change_in_rules_from_a_time_on(model: AttrFormer) -> None:
    shop, user = copy.copy(model), USERS[:1]
    asked: dict[str, Any] = {"k": 200, "hide_seen": False, "where": "price > 90000"}
    told = {"item_id": ["item-0006", "item-0006"], "timestamp": [2_000_000_000] * 2}
    rows = pl.DataFrame({**told, "column": ["price", "category"], "value": ["99999", "Tools"]})
    with pytest.warns(UserWarning, match=r"only numbers and single values can change, unlike 'category'\. Left out\."):
        shop.update(item_changes=rows)
    assert shop.recommend(user, **asked)["item_id"].to_list() == ["item-0006"]
    assert shop.recommend(user, as_of=1_999_999_999, **asked).is_empty()
    cheap = {**asked, "where": "price < 90000"}
    assert shop.recommend(user, as_of=0, **cheap).equals(model.recommend(user, **cheap))
    assert shop.recommend(user, k=5).equals(model.recommend(user, k=5))
