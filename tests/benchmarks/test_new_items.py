"""The benchmark of what new items cost, on a tiny shop, and its parts by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.benchmarks.test_benchmarks import FOLDER, run

from attrformer.data import Dataset, Sequences, Targets, held_out_items
from attrformer.data.sample import make_sample

sys.path.insert(0, str(FOLDER))

import new_items

TINY = ("model.width=8", "model.layers=1", "model.heads=2", "training.epochs=1", "data.held_out=0.4")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["time", "held-out"])
def test_it_gives_a_curve(tmp_path: Path, protocol: str) -> None:
    sample = make_sample(users=80, items=60, brands=6)
    Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop").save(tmp_path / "data")
    words = [word for setting in TINY for word in ("--set", setting)]
    words += ["--set", "relations.predicted_rows=true", "--oracle"]
    done = run("new_items", "--data", tmp_path / "data", "--protocol", protocol, *words, "--json")
    found = json.loads(done.stdout)
    assert (new_items.ORACLE in found) == (protocol == "held-out")
    assert set(found["by further offset"]) == {f"{more:g}" for more in new_items.OFFSETS}
    assert ("attribute similarity" in found) == (protocol == "held-out")
    if protocol == "held-out":
        recalls = [figures["Recall@20 new items"] for figures in found["by further offset"].values()]
        last = [figures["Recall@20 new items"] for figures in found[new_items.LAST].values()]
        assert last == recalls == sorted(recalls) and found["targets that are new items"] < found["targets"]


def test_training_and_contexts_lack_held_out_items_and_targets_do_not() -> None:
    sample = make_sample(users=80, items=60)
    dataset = Dataset.from_frames(sample.interactions, sample.items, sample.users)
    split, alone = new_items.split_with_known_targets(dataset, 0.3), held_out_items(dataset, 0.3)
    held_out = set(alone.held_out.tolist())  # type: ignore[union-attr]
    for sequences in (split.train, split.validation.contexts, split.test.contexts):
        assert held_out.isdisjoint(sequences.items.tolist())
    for mixed, targets in ((split.validation, alone.validation), (split.test, alone.test)):
        new = np.isin(mixed.items, alone.held_out)
        assert 0 < new.sum() < len(mixed)
        pairs = sorted(zip(mixed.users[new].tolist(), mixed.items[new].tolist(), strict=True))
        assert pairs == sorted(zip(targets.users.tolist(), targets.items.tolist(), strict=True))
    assert set(split.validation.items[np.isin(split.validation.items, list(held_out))]).isdisjoint(split.test.items)


class Fixed:
    """The same scores for everybody."""

    def __init__(self, *scores: float) -> None:
        self.scores = torch.tensor(scores or (4.0, 3.0, 2.0, 1.0))

    def score(self, users: np.ndarray, contexts: Sequences) -> torch.Tensor:
        return self.scores.repeat(len(users), 1)


def test_the_oracle_takes_new_items_from_the_model_that_knew_them() -> None:
    new = np.array([False, False, True])
    plain, trained = Fixed(0.0, 0.0, 0.0), Fixed(0.0, 0.0, float(np.log(2.0)))
    oracle = new_items.KnownAllAlong(plain, trained, new)
    found = oracle.score(np.array([0]), Sequences(np.array([0, 1]), np.array([0], np.int32), None))
    np.testing.assert_allclose(found.exp()[0], [1 / 3, 1 / 3, 1 / 2], rtol=1e-6)


def test_ranks_leave_out_what_was_seen_and_raise_new_items() -> None:
    contexts = Sequences(np.array([0, 1, 2]), np.array([0, 1], np.int32), None)
    targets = Targets(np.array([0, 1]), contexts, np.array([2, 3], np.int32))
    new = np.array([False, False, False, True])
    found = new_items.ranks(Fixed(), targets, new, (0.0, 1.5, 9.0))
    # Item 2 stands behind item 1, and behind item 3 as well once that is raised; item 3 behind 0 and 2.
    assert found.tolist() == [[2, 3], [3, 2], [3, 1]]
    assert new_items.ranks(Fixed(), targets, new, (0.0, 1.5, 9.0), True).tolist() == [[2, 3], [2, 3], [2, 3]]
    figures = new_items.figures(np.array([1, 3, 21]), np.array([False, True, True]))
    assert figures["NDCG@20"] == pytest.approx(1.5 / 3)
    assert figures["NDCG@20 new items"] == pytest.approx(0.25) and figures["Recall@20 new items"] == 0.5
