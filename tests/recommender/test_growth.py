from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.recommender.saved import by_kind, read, write_version_1
from tests.support.recommenders import small_config

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, SCORE, USER
from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.errors import CheckpointError, ConfigurationError, DataError, NotFittedError
from attrformer.recommender import AttrFormer, Config, Recommender

USERS = ["user-0001", "user-0002", "user-0003"]


@pytest.fixture(scope="session")
def saved(model: AttrFormer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save(folder)
    return folder


@pytest.fixture
def copy(saved: Path) -> AttrFormer:
    """The shared model, for a test that changes it."""
    return AttrFormer.load(saved, device="cpu")


def twins(dataset: Dataset, *items: int) -> pl.DataFrame:
    """New items "new-0", "new-1", ... with the attributes of known ones."""
    table = make_sample(0, users=150, items=dataset.item_count).items
    ids = dataset.item_ids.decode(np.array(items))
    rows = ids.rename(ITEM).to_frame().join(table, on=ITEM, how="left", maintain_order="left")
    return rows.with_columns(pl.Series(ITEM, [f"new-{number}" for number in range(len(items))]))


def parts(model: Recommender, items: list[str]) -> pl.DataFrame:
    return model.explain(USERS, items=items).select(USER, ITEM, COMPONENT, CONTRIBUTION, SCORE)


def test_columns_of_new_items_are_mapped(saved: Path, dataset: Dataset) -> None:
    plain, mapped = (AttrFormer.load(saved, device="cpu") for _ in range(2))
    plain.add_items(twins(dataset, 3, 40))
    mapped.add_items(
        twins(dataset, 3, 40).rename({ITEM: "sku", "brand": "maker"}), columns={ITEM: "sku", "brand": "maker"}
    )
    assert mapped.recommend(USERS).equals(plain.recommend(USERS))
    with pytest.raises(DataError, match="or say in columns= how yours are called"):
        mapped.add_items(twins(dataset, 5).rename({"brand": "maker"}))


def test_new_items_are_recommended_at_once(copy: AttrFormer, dataset: Dataset) -> None:
    assert copy.add_items(twins(dataset, 3, 40)) is copy
    found = copy.recommend(USERS, k=dataset.item_count + 2, hide_seen=False)
    assert len(found) == len(USERS) * (dataset.item_count + 2)
    assert {"new-0", "new-1"} <= set(found[ITEM])
    chosen = copy.recommend(USERS, k=5, candidates=["new-0", "item-0007"])
    assert set(chosen[ITEM]) <= {"new-0", "item-0007"} and "new-0" in chosen[ITEM]
    assert len(copy.recommend(histories=[["new-0"], ["item-0001", "new-1"]], k=3)) == 6
    assert "new-0" not in copy.recommend(histories=[["new-0"]], k=200)[ITEM]


def test_nothing_is_said_of_what_others_did_with_an_item_that_nobody_took(copy: AttrFormer, dataset: Dataset) -> None:
    copy.add_items(twins(dataset, 3))
    said = copy.explain(USERS, items=["new-0", "item-0007"]).filter(
        pl.col(COMPONENT).is_in(["time_bucket", "user_age_band"])
    )
    new = said.filter(pl.col(ITEM) == "new-0")
    assert set(new["reason"].drop_nulls()) == {"Chosen by nobody else yet, so it counts as items do on average"}
    known = said.filter(pl.col(ITEM) == "item-0007")
    assert not known["reason"].drop_nulls().str.contains("nobody").any() and len(known) == len(new)


def test_known_items_keep_their_scores(copy: AttrFormer, model: AttrFormer, dataset: Dataset) -> None:
    known = dataset.item_ids.to_list()
    before = parts(model, known)
    after = parts(copy.add_items(twins(dataset, *range(10))), known)
    keys = (USER, ITEM, COMPONENT)
    both = before.join(after, on=keys, how="full", suffix="_after")
    assert len(both) == len(before) == len(after)
    for column in (CONTRIBUTION, SCORE):
        np.testing.assert_allclose(both[f"{column}_after"], both[column], rtol=1e-5, atol=1e-5)


def test_a_new_item_has_what_its_attributes_say_and_nothing_else(copy: AttrFormer, dataset: Dataset) -> None:
    copy.add_items(twins(dataset, 3, 3))
    found = parts(copy, ["item-0004", "new-0", "new-1"])
    assert dataset.item_ids.to_list()[3] == "item-0004"
    by_item = {item: frame.drop(ITEM) for (item,), frame in found.group_by(ITEM)}
    assert by_item["new-0"].equals(by_item["new-1"])
    of_new = dict(by_item["new-0"].filter(pl.col(USER) == USERS[0]).select(COMPONENT, CONTRIBUTION).iter_rows())
    of_known = dict(by_item["item-0004"].filter(pl.col(USER) == USERS[0]).select(COMPONENT, CONTRIBUTION).iter_rows())
    for part in ("item_brand", "item_category", "item_price"):
        assert of_new[part] == pytest.approx(of_known[part], abs=1e-5)
    assert of_new["cooccurrence_near"] == of_new["similar_users"] == of_new["repeat"] == 0.0
    assert of_new["content"] != pytest.approx(of_known["content"], abs=1e-3)
    sums = found.group_by(USER, ITEM).agg(pl.col(CONTRIBUTION).sum(), pl.col(SCORE).first())
    np.testing.assert_allclose(sums[CONTRIBUTION], sums[SCORE], atol=1e-4)


@pytest.mark.slow
def test_a_grown_model_can_be_saved(copy: AttrFormer, dataset: Dataset, tmp_path: Path) -> None:
    copy.add_items(twins(dataset, 3, 40)).save(tmp_path)
    again = AttrFormer.load(tmp_path, device="cpu")
    assert again.recommend(k=30).equals(copy.recommend(k=30))
    assert again.explain(USERS, items=["new-0"]).equals(copy.explain(USERS, items=["new-0"]))
    more = twins(dataset, 7).with_columns(pl.lit("later").alias(ITEM))
    assert again.add_items(more).recommend(USERS, k=200).equals(copy.add_items(more).recommend(USERS, k=200))


def test_values_that_nobody_has_heard_of(copy: AttrFormer) -> None:
    items = pl.DataFrame(
        {
            ITEM: ["strange", "bare"],
            "brand": ["no such brand", None],
            "category": [["nothing"], []],
            "price": [None, None],
            "colour": ["red", "blue"],
        },
        schema_overrides={"price": pl.Float64},
    )
    copy.add_items(items)
    found = parts(copy, ["strange", "bare"])
    assert found.filter(pl.col(COMPONENT).str.starts_with("item_"))[CONTRIBUTION].abs().max() == 0.0
    assert found.filter(pl.col(COMPONENT) == "content")[CONTRIBUTION].abs().max() == 0.0
    assert found[SCORE].is_finite().all()


def test_titles(copy: AttrFormer, dataset: Dataset) -> None:
    before = dataset.item_titles
    assert before is not None
    copy.add_items(twins(dataset, 3).with_columns(pl.lit("A new thing").alias("title")))
    copy.add_items(twins(dataset, 3).with_columns(pl.lit("bare").alias(ITEM)).drop("title"))
    assert copy.fitted.knowledge.titles == (*before, "A new thing", "bare")


def test_frames_of_other_libraries(copy: AttrFormer, dataset: Dataset) -> None:
    import pandas as pd

    rows = twins(dataset, 3)
    frame = pd.DataFrame({name: rows[name].to_list() for name in rows.columns})
    copy.add_items(frame)
    copy.add_items(rows.with_columns(pl.lit("arrow").alias(ITEM)).to_arrow())
    found = parts(copy, ["new-0", "arrow"])
    first, second = (found.filter(pl.col(ITEM) == item).drop(ITEM) for item in ("new-0", "arrow"))
    assert first.equals(second)


def refused(rows: pl.DataFrame, change: str) -> pl.DataFrame:
    changes: dict[str, Any] = {
        "no brand": lambda: rows.drop("brand"),
        "no id": lambda: rows.drop(ITEM),
        "known": lambda: rows.with_columns(pl.Series(ITEM, ["new-0", "item-0004"])),
        "twice": lambda: rows.with_columns(pl.lit("new").alias(ITEM)),
        "null": lambda: rows.with_columns(pl.lit(None, dtype=pl.String).alias(ITEM)),
        "empty": lambda: rows.head(0),
        "text": lambda: rows.with_columns(pl.lit("cheap").alias("price")),
    }
    frame: pl.DataFrame = changes[change]()
    return frame


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("no brand", r"items, column 'brand': the column is missing .*Give item_id, brand, category, price"),
        ("no id", r"items, column 'item_id': the column is missing"),
        ("known", r"items, column 'item_id', row 1: 'item-0004' is in the catalogue already"),
        ("twice", r"items, column 'item_id', row 1: 'new' has more than one row"),
        ("null", r"items, column 'item_id', row 0: the id is null"),
        ("empty", r"items: the table has no rows"),
        ("text", r"items, column 'price', row 0: 'cheap' is not a number"),
    ],
)
def test_tables_that_cannot_be_used(copy: AttrFormer, dataset: Dataset, change: str, words: str) -> None:
    before = copy.recommend(USERS, k=3)
    with pytest.raises(DataError, match=words):
        copy.add_items(refused(twins(dataset, 3, 40), change))
    assert copy.recommend(USERS, k=3).equals(before)
    assert len(copy.fitted.knowledge.item_ids) == dataset.item_count


def small_shop() -> Dataset:
    interactions = pl.DataFrame({"user_id": [1, 1, 1, 1, 2, 2, 2, 2], "item_id": [1, 2, 3, 4, 2, 3, 4, 1]})
    items = pl.DataFrame({"item_id": [1, 2, 3, 4], "colour": ["red", "red", "blue", "blue"]})
    return Dataset.from_frames(interactions, items)


def test_ids_of_the_other_type() -> None:
    model = AttrFormer(small_config("training.epochs=1")).fit(small_shop(), progress=False)
    with pytest.raises(DataError, match=r"'n7' is not of the type that the ids of this model have \(such as '1'\)"):
        model.add_items(pl.DataFrame({"item_id": ["7", "n7"], "colour": ["red", "red"]}))
    model.add_items(pl.DataFrame({"item_id": ["7"], "colour": ["red"]}))
    assert model.recommend([1], k=5, hide_seen=False)["item_id"].sort().to_list() == [1, 2, 3, 4, 7]


def test_models_that_know_items_only_by_themselves(dataset: Dataset) -> None:
    bare = Dataset.from_frames(pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 2, 2], "item_id": [1, 2, 3, 1, 2, 3, 4]}))
    new = pl.DataFrame({"item_id": [9]})
    with pytest.raises(ConfigurationError, match="'attrformer' reads no attribute of items"):
        AttrFormer(small_config("training.epochs=1")).fit(bare, progress=False).add_items(new)
    options = ("model.name=sasrecf", "model.heads=2", "model.width=8", "training.epochs=1", "training.threads=1")
    other = Recommender(override(Config(), options)).fit(small_shop(), progress=False)
    with pytest.raises(ConfigurationError, match="'sasrecf' learns every item for itself"):
        other.add_items(pl.DataFrame({"item_id": [9], "colour": ["red"]}))
    with pytest.raises(NotFittedError):
        AttrFormer().add_items(new)


def test_a_model_that_counts_takes_new_items_as_well() -> None:
    options = ("model.name=transitions", "model.attributes=1.0", "training.threads=1")
    model = Recommender(override(Config(), options)).fit(small_shop(), progress=False)
    model.add_items(pl.DataFrame({"item_id": [8, 9], "colour": ["red", "blue"]}))
    assert model.recommend(histories=[[1, 2]], candidates=[8, 9])["item_id"].to_list() == [8, 9]
    assert model.recommend(histories=[[3]], candidates=[8, 9])["item_id"].to_list() == [9, 8]


def test_a_model_of_an_earlier_version_answers_and_does_not_grow(
    copy: AttrFormer, saved: Path, dataset: Dataset, tmp_path: Path
) -> None:
    """What version 1 wrote before items could be added: no kinds, no edges, no count of updates."""
    described, tensors = by_kind(*read(saved))
    del described["updated"]
    for entry in (*described["relations"]["features"], *described["relations"]["users"]):
        del entry["kind"]
    readings = [name for name in tensors if name.endswith(("/edges", "/buckets")) and "moment/" not in name]
    write_version_1(tmp_path, described, {name: tensor for name, tensor in tensors.items() if name not in readings})
    old = AttrFormer.load(tmp_path, device="cpu")
    assert old.recommend(k=5).equals(copy.recommend(k=5))
    with pytest.raises(CheckpointError, match="earlier version, which did not keep how 'brand' is read"):
        old.add_items(twins(dataset, 3))
