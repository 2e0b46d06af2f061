"""Changes of attributes that come after the fit: updates, values for rules alone, and new items."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.support.offers import CHANGES, ITEMS, LOG, SETTINGS, START, WEEK, dataset_of, history_at, offered_at
from tests.support.recommenders import small_config

from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError, DataError, RuleError, ShortListWarning, UnknownIdError
from attrformer.recommender import Recommender


@pytest.fixture(scope="module")
def model(offers_model: Recommender) -> Recommender:
    return offers_model


def test_an_update_brings_changes(tmp_path: Path) -> None:
    first = LOG.filter(pl.col("timestamp") < START + 50 * WEEK)
    known = CHANGES.filter(pl.col("timestamp") < START + 50 * WEEK)
    items = pl.DataFrame({"item_id": [f"i{n:03}" for n in range(ITEMS)]})
    data = Dataset.from_frames(first, items, item_changes=known, name="offers", catalogue="all")
    young = Recommender(small_config(*SETTINGS)).fit(data, progress=False)
    young.save(tmp_path)
    time = START + 55 * WEEK + 5_000
    before = young.recommend(histories=history_at(time), k=10)
    young.update(item_changes=CHANGES.filter(pl.col("timestamp") >= START + 50 * WEEK))
    after = young.recommend(histories=history_at(time), k=10)
    assert len(set(after["item_id"]) & offered_at(time)) >= 8 > len(set(before["item_id"]) & offered_at(time))
    once = Recommender.load(tmp_path, device="cpu")
    once.update(LOG.filter(pl.col("timestamp") >= START + 50 * WEEK), item_changes=CHANGES)
    for week in range(60):
        left, right = (one.fitted.relations["item_offer"].values_at(START + week * WEEK) for one in (young, once))  # type: ignore[attr-defined]
        np.testing.assert_array_equal(left, right)
    young.save(tmp_path / "again")
    assert Recommender.load(tmp_path / "again", device="cpu").recommend(histories=history_at(time), k=10).equals(after)


def test_an_update_that_cannot_be_read_changes_nothing(model: Recommender) -> None:
    row = pl.DataFrame({"item_id": ["i000"], "timestamp": [START], "column": ["offer"], "value": ["no"]})
    before = model.fitted
    with pytest.raises(UnknownIdError, match="'other' is not in the catalogue"):
        model.update(item_changes=row.with_columns(item_id=pl.lit("other")))
    with pytest.raises(DataError, match=r"column 'value'.*missing"):
        model.update(item_changes=row.drop("value"))
    with pytest.raises(ConfigurationError, match="Give both, or item_changes alone"):
        model.update(users=row, item_changes=row)
    with pytest.raises(DataError, match="interactions"):
        model.update()
    with pytest.raises(UnknownIdError, match="not in the catalogue"):
        model.update(LOG.head(1).with_columns(item_id=pl.lit("other")), item_changes=row)
    assert model.fitted is before
    knowledge = replace(before.knowledge, item_values=None)
    plain = Recommender(small_config("relations.changing_attributes=[]", "training.epochs=1"))
    plain.fit(dataset_of(), progress=False).fitted.know(item_values=None)
    with pytest.raises(ConfigurationError, match="reads no attribute that changes in time"):
        plain.update(item_changes=row)
    old = copy.copy(model)
    old._fitted = before.knowing(knowledge)
    with pytest.warns(UserWarning, match=r"the model reads offer, and no changes of 'Offer'\. Left out\."):
        old.update(item_changes=row.with_columns(column=pl.lit("Offer")))


def test_changes_of_other_columns_are_kept_for_rules(model: Recommender) -> None:
    asked: Any = {"k": 3, "where": "stock > 0"}
    shop = copy.copy(model)
    stock = pl.DataFrame({"item_id": ["i000", "i001", "i000"], "timestamp": [START, START, START + 9]})
    stock = stock.with_columns(column=pl.lit("stock"), value=pl.Series(["3", "1", "0"]))
    with pytest.warns(UserWarning, match=r"fitted without 'stock'\. Kept for rules"):
        shop.update(item_changes=stock)
    assert shop.recommend(["u000"], k=5).equals(model.recommend(["u000"], k=5))
    # Nothing of the network is built anew where only rules read what has changed.
    assert shop.fitted.network is model.fitted.network
    with pytest.warns(ShortListWarning):
        assert shop.recommend(histories=[["i050"]], **asked)["item_id"].to_list() == ["i001"]
        found = shop.recommend(histories=[["i050"]], as_of=START + 8, **asked)
    assert sorted(found["item_id"]) == ["i000", "i001"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shop.update(item_changes=stock.tail(1).with_columns(value=pl.lit("4"), timestamp=START + 10))
    with pytest.warns(ShortListWarning):
        assert len(shop.recommend(histories=[["i050"]], **asked)) == 2
    with pytest.raises(RuleError, match="no column 'stock'"):
        model.recommend(["u000"], **asked)


def test_a_new_item_is_recommended_once_its_changes_are_known(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path)
    grown = Recommender.load(tmp_path, device="cpu")
    grown.add_items(pl.DataFrame({"item_id": ["new-1", "new-2"], "title": ["Offered", "Not offered"]}))
    time = START + 20 * WEEK + 5_000
    old = grown.recommend(histories=history_at(time), k=ITEMS)
    row = {
        "item_id": ["new-1", "new-2"],
        "timestamp": [time, time],
        "column": ["offer", "offer"],
        "value": ["yes", "no"],
    }
    grown.update(item_changes=pl.DataFrame(row))
    scores = [
        dict(zip(f["item_id"], f["score"], strict=True))
        for f in (old, grown.recommend(histories=history_at(time), k=ITEMS))
    ]
    assert scores[1]["new-1"] > scores[0]["new-1"] + 1 and scores[1]["new-1"] > scores[1]["new-2"] + 1
    known = [name for name in scores[0] if not name.startswith("new")]
    assert all(scores[0][name] == scores[1][name] for name in known)
