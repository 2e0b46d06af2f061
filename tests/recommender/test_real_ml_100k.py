"""A short run on MovieLens 100K, from its raw archive to figures, against two rules that need no learning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.formats import prepare, read_raw
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split, leave_one_out
from attrformer.evaluation import Evaluation, EvaluationConfig, Scorer, evaluate
from attrformer.recommender import AttrFormer, Config

SETTINGS = (
    "model.width=32",
    "model.layers=1",
    "model.max_length=50",
    "training.epochs=4",
    "training.sequence_targets=32",
    "training.warm_up=20",
    "training.average=0.99",
    "training.threads=1",
    "training.precision=float32",
)


class Popularity:
    """Every item by its number of training interactions."""

    def __init__(self, train: Sequences, items: int) -> None:
        self._counts = torch.from_numpy(np.bincount(train.items, minlength=items)).float()

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        return self._counts.expand(len(users), -1)


class FirstOrderTransitions:
    """What followed the last item most often in training; popularity decides between equals."""

    def __init__(self, train: Sequences, items: int) -> None:
        within = np.ones(len(train.items), dtype=bool)
        within[train.offsets[1:][train.lengths > 0] - 1] = False
        places = np.flatnonzero(within)
        pairs = train.items[places].astype(np.int64) * items + train.items[places + 1]
        counts = np.bincount(pairs, minlength=items * items).reshape(items, items)
        popularity = np.bincount(train.items, minlength=items)
        self._scores = torch.from_numpy(counts + popularity / (popularity.max() + 1))

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        return self._scores[torch.from_numpy(contexts.items[contexts.offsets[1:] - 1].astype(np.int64))]


def test_first_order_transitions_count_within_users_only() -> None:
    train = Sequences(np.array([0, 3, 3, 5]), np.array([0, 1, 2, 0, 1], dtype=np.int32))
    context = Sequences(np.array([0, 2]), np.array([2, 0], dtype=np.int32))
    scores = FirstOrderTransitions(train, 3).score(np.array([0]), context)
    np.testing.assert_allclose(scores.numpy(), [[2 / 3, 2 + 2 / 3, 1 / 3]])
    assert Popularity(train, 3).score(np.array([0]), context).tolist() == [[2.0, 2.0, 1.0]]


@dataclass(frozen=True)
class Data:
    raw: Path
    dataset: Dataset
    split: Split


@pytest.fixture(scope="module")
def data(data_root: Path) -> Data:
    raw = data_root / "raw" / "ml-100k.zip"
    if not raw.is_file():
        pytest.skip(f"needs real data: {raw} is absent")
    dataset = Dataset.from_frames(**read_raw(raw).frames(), name="ml-100k")
    return Data(raw, dataset, leave_one_out(dataset))


@pytest.mark.slow
def test_the_raw_archive_becomes_the_published_data(data: Data, tmp_path: Path) -> None:
    dataset, split = data.dataset, data.split
    assert (dataset.user_count, dataset.item_count, len(dataset.sequences.items)) == (943, 1682, 100_000)
    assert len(split.test) == 943 and split.dropped == ()
    prepared = Dataset.load(prepare(data.raw, tmp_path / "ml-100k").folder)
    assert prepared.user_ids.to_list() == dataset.user_ids.to_list()
    assert prepared.item_ids.to_list() == dataset.item_ids.to_list()
    np.testing.assert_array_equal(prepared.sequences.items, dataset.sequences.items)
    assert set(prepared.item_attributes) == set(dataset.item_attributes)
    assert set(prepared.user_attributes) == set(dataset.user_attributes)


@pytest.mark.slow
def test_a_short_run_beats_popularity_and_transitions(data: Data) -> None:
    items = data.dataset.item_count
    measuring = EvaluationConfig(resamples=200)

    def measured(scorer: Scorer) -> Evaluation:
        return evaluate(scorer, data.split.test, item_count=items, dataset="ml-100k", config=measuring)

    model = AttrFormer(override(Config(), SETTINGS)).fit(data.dataset, split=data.split, progress=False)
    learned = model.evaluate(data.dataset, split=data.split)
    popularity, transitions = (measured(rule(data.split.train, items)) for rule in (Popularity, FirstOrderTransitions))
    for seen in ("hidden", "ranked"):
        found = learned.value("NDCG@20", seen)
        rules = [popularity.value("NDCG@20", seen), transitions.value("NDCG@20", seen)]
        assert found > 1.2 * max(rules)
        for rule in (popularity, transitions):
            assert learned.compare(rule, "NDCG@20", seen).difference.low > 0
