"""What only a user's own history knows is no evidence for that user in training (docs/paper.md, part 3, a rule)."""

from __future__ import annotations

import math

import pytest
import torch
from tests.models.builders import contributions, everywhere, examples_of, network_of
from tests.relations.builders import categorical, dataset, relations_of, sequences, walks

from attrformer.data.dataset import Dataset
from attrformer.training.config import TrainingConfig

FROM, TO = 8, 9
# Before learning, a lift of 1 ("like everybody") adds log(1 + 1).
NOTHING = {"cooccurrence_near": 0.0, "cooccurrence_wide": 0.0, "similar_users": 0.0, "user_group": math.log(2)}


def planted() -> Dataset:
    """User 0 alone goes from FROM to TO and has the value "x"; everyone else stays among other items."""
    rows = [[FROM, TO, 1, FROM, TO], *walks(20, 8, 1)]
    rows[1], rows[2] = [0, FROM, 1], [2, TO, 3]
    values = ["x", *("y" if user % 2 else "z" for user in range(20))]
    return dataset(sequences(rows), 10, user_attributes={"group": categorical("group", values)})


@torch.no_grad()
def evidence_in_training(folds: int) -> dict[str, float]:
    """What each counted relation says about TO to user 0 at the first place, in a training batch."""
    data = planted()
    relations = relations_of(data, folds=folds)
    network = network_of(relations, shaken=False).eval()
    for _, _, example in examples_of(data, relations, training=TrainingConfig(batch_targets=10_000)).epoch(0):
        found = contributions(network, example.batch)
        rows = [row for row, items in enumerate(example.batch.items.tolist()) if items[:4] == [FROM, TO, 1, FROM]]
        if rows:
            assert int(example.batch.target_positions[rows[0], 0]) == 0 and int(example.items[rows[0], 0, 0]) == TO
            return {name: float(found[name][rows[0], 0, TO]) for name in NOTHING}
    raise AssertionError("user 0 is in no batch")


def test_training_gives_no_evidence_from_the_own_history() -> None:
    assert evidence_in_training(folds=3) == pytest.approx(NOTHING, abs=1e-5)


def test_the_check_above_fails_without_cross_fitting() -> None:
    leaked = evidence_in_training(folds=1)
    for name in ("cooccurrence_near", "cooccurrence_wide", "user_group"):
        assert leaked[name] > NOTHING[name] + 0.3, name


@torch.no_grad()
def test_inference_reads_what_every_training_user_did() -> None:
    data = planted()
    relations = relations_of(data)
    network = network_of(relations, shaken=False).eval()
    # A stranger with user 0's value, who is at FROM.
    batch = everywhere(relations, sequences([[FROM]]), [-1])
    batch.user_features["group"][:] = relations.users["group"].codes[0]
    found = contributions(network, batch)
    for name, nothing in NOTHING.items():
        assert float(found[name][0, 0, TO]) > nothing + 0.3, name


@torch.no_grad()
def test_no_training_place_hears_of_the_own_history() -> None:
    # Item pairs of each user that nobody else has in a row: none of them may be heard of by that user.
    data = dataset(sequences(walks(30, 40, 3)), 40)
    relations = relations_of(data)
    network = network_of(relations, shaken=False).eval()
    window = {user: near(data.sequences.row(user).tolist()) for user in range(30)}
    checked = 0
    for _, _, example in examples_of(data, relations, training=TrainingConfig(batch_targets=10_000)).epoch(0):
        found = contributions(network, example.batch)["cooccurrence_near"]
        for row, items in enumerate(example.batch.items.tolist()):
            history = [item for item in items if item < 40]
            user = next(u for u in range(30) if data.sequences.row(u).tolist()[: len(history)] == history)
            others = [window[other] for other in range(30) if other != user]
            first, second = history[0], data.sequences.row(user)[1]
            if not any((first, second) in other for other in others):
                assert float(found[row, 0, second]) == 0.0
                checked += 1
    assert checked >= 3


def near(row: list[int]) -> set[tuple[int, int]]:
    """Pairs of items at most three steps apart, in both directions."""
    return {(row[a], row[b]) for a in range(len(row)) for b in range(len(row)) if 0 < abs(a - b) <= 3}
