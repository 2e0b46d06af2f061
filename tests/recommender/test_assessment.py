from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.recommender.conftest import small_config, small_dataset

from attrformer.dataset.dataset import Dataset
from attrformer.dataset.held_out import held_out_items
from attrformer.dataset.sequences import Sequences
from attrformer.evaluation import evaluate
from attrformer.recommender import AttrFormer
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
    assert str(model.evaluation).count("Recall@20") == 2
    assert [table.title for table in model.evaluation.tables()] == [
        model.evaluation.protocol.line(),
        model.evaluation.held_out.protocol.line(),
    ]


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
