from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from tests.support.recommenders import small_config, small_dataset

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.held_out import held_out_items
from attrformer.data.sequences import Sequences
from attrformer.data.splits import time_split
from attrformer.evaluation import evaluate
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.training.checkpoint import parameters_of


@pytest.fixture(scope="module")
def shop() -> Dataset:
    return small_dataset()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("held-out") / "run"


@pytest.fixture(scope="module")
def model(shop: Dataset, run: Path) -> AttrFormer:
    config = small_config("data.split=held-out-items", "data.held_out=0.3", "training.epochs=1")
    return AttrFormer(config).fit(shop, run=run, progress=False)


class HeldOutOnly:
    """The model's scores, those of all items that were trained on made worse than any other."""

    def __init__(self, model: AttrFormer, held_out: NDArray[np.int64]) -> None:
        self.model, self.held_out = model, held_out

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> torch.Tensor:
        scores = self.model.fitted.score(users, contexts)
        trained = np.setdiff1d(np.arange(scores.shape[1]), self.held_out)
        scores[:, trained] -= 1e4
        return scores


def test_figures_among_held_out_items_come_with_the_others(model: AttrFormer, shop: Dataset) -> None:
    split = held_out_items(shop, 0.3)
    assert split.held_out is not None
    found = model.evaluate(shop)
    assert found.protocol.items == shop.item_count
    assert found.held_out is not None
    assert found.held_out.protocol.items == len(split.held_out) == 36
    assert "all 36 items ranked" in found.held_out.protocol.line()
    assert "held-out-items (no other item ranked) test" in found.held_out.protocol.line()
    wanted = evaluate(
        HeldOutOnly(model, split.held_out), split.test, item_count=shop.item_count, dataset="shop", lists=False
    )
    for seen in ("hidden", "ranked"):
        assert found.held_out.ranks[seen].tolist() == wanted.ranks[seen].tolist()
        assert bool((found.held_out.ranks[seen] <= found.ranks[seen]).all())
    assert found.held_out.value("Recall@20") > found.value("Recall@20")


def test_they_are_in_the_run_and_in_the_tables(model: AttrFormer, run: Path) -> None:
    assert model.evaluation is not None and model.evaluation.held_out is not None
    figures = json.loads((run / "figures.json").read_text())
    assert figures == model.evaluation.to_json() == model.fitted.knowledge.figures
    assert figures["held_out"] == model.evaluation.held_out.to_json()
    assert str(model.evaluation).count("│ Recall@20 ") == 2
    assert [table.title for table in model.evaluation.tables()] == [
        model.evaluation.protocol.line(),
        model.evaluation.held_out.protocol.line(),
    ]


@pytest.mark.slow
def test_nothing_is_held_out_elsewhere(shop: Dataset) -> None:
    found = AttrFormer(small_config("training.epochs=1")).fit(shop, progress=False).evaluate(shop)
    assert found.held_out is None
    assert "held_out" not in found.to_json()
    assert len(found.tables()) == 1


def test_held_out_items_are_known_by_their_attributes_alone(model: AttrFormer, shop: Dataset) -> None:
    held_out = held_out_items(shop, 0.3).held_out
    assert held_out is not None
    assert not parameters_of(model.fitted.network)["table.item"][held_out].any()
    for name, user in model.fitted.relations.users.items():
        lift = user.lift.dense
        assert lift is not None
        np.testing.assert_allclose(lift[:-1, held_out], 1.0, rtol=1e-5, err_msg=name)


def test_the_protocol_says_how_much_was_counted_that_is_later_than_a_target() -> None:
    # Times of the five training interactions are 1, 2, 5, 6, 12; test targets are of times 4, 8 and 20.
    table = pl.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3],
            "item_id": [0, 1, 2, 3, 1, 2, 3, 0, 0, 1, 2],
            "timestamp": [1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 20],
        }
    )
    dataset = Dataset.from_frames(table)
    settings = ("model.name=popularity", "evaluation.resamples=5")
    found = Recommender(override(Config(), settings)).fit(dataset, progress=False).evaluate(dataset)
    assert found.protocol.later_share == pytest.approx((3 / 5 + 1 / 5 + 0) / 3)
    assert "26.7 % of them later than the target on average" in found.protocol.line()
    validated = Recommender(override(Config(), settings)).fit(dataset, progress=False)
    assert validated.evaluate(dataset, part="validation").protocol.later_share == pytest.approx((3 / 5 + 1 / 5) / 3)
    timeless = Dataset.from_frames(table.drop("timestamp"))
    found = Recommender(override(Config(), settings)).fit(timeless, progress=False).evaluate(timeless)
    assert found.protocol.later_share is None
    assert "later than the target" not in found.protocol.line()


def test_a_time_split_shows_last_targets_new_items_and_new_users_apart() -> None:
    rows = [(user, item, 10 * item + user) for user in range(12) for item in range(user % 3, 9)]
    # One person who comes late, with an item that is new then, and somebody who takes an item again.
    rows += [(99, 3, 80), (99, 42, 95), (99, 5, 97), (0, 8, 98)]
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    dataset = Dataset.from_frames(table)
    split = time_split(dataset, validation_from=60, test_from=72)
    config = override(Config(), ["model.name=popularity", "evaluation.resamples=5"])
    found = Recommender(config).fit(dataset, split=split, progress=False).evaluate(dataset, split=split)
    assert found.protocol.later_share == 0.0
    assert "later than the target" not in found.protocol.line()
    groups = {kind: {label: one.targets for label, one in halves.items()} for kind, halves in found.groups.items()}
    trained = set(table.filter(pl.col("timestamp") < 60)["item_id"])
    late = table.filter(pl.col("timestamp") >= 72).filter(~((pl.col("user_id") == 99) & (pl.col("item_id") == 3)))
    new = late.filter(~pl.col("item_id").is_in(list(trained))).height
    assert groups == {
        "repeats": {"not in the history": late.height - 1, "repeated": 1},
        "last_target": {"last of the user": 13, "earlier": late.height - 13},
        "new_items": {"known items": late.height - new, "new items": new},
        "new_users": {"known users": late.height - 2, "new users": 2},
    }
