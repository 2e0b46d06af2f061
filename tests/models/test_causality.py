from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.builders import everywhere, examples_of, network_of
from tests.relations.builders import relations_of, shop

from attrformer.data.sequences import Sequences
from attrformer.nn.fused_loss import score_catalogue
from attrformer.training.config import TrainingConfig

DATA = shop()
LENGTH = 9


def histories() -> Sequences:
    """Six histories of nine interactions that nobody trained on, with times and ratings."""
    rng = np.random.default_rng(5)
    count = 6 * LENGTH
    return Sequences(
        np.arange(0, count + 1, LENGTH),
        rng.integers(0, DATA.item_count, count).astype(np.int32),
        np.cumsum(rng.integers(1, 100_000, count)),
        {"rating": rng.integers(1, 6, count).astype(np.float32)},
    )


def with_other_future(contexts: Sequences, start: int) -> Sequences:
    """Other items, times and ratings from a position on."""
    rng = np.random.default_rng(6)
    late = np.arange(len(contexts.items)) % LENGTH >= start
    items = np.where(
        late, (contexts.items + rng.integers(1, DATA.item_count, len(late))) % DATA.item_count, contexts.items
    )
    assert contexts.times is not None
    rating = contexts.behaviours["rating"]
    return replace(
        contexts,
        items=items.astype(np.int32),
        times=np.where(late, contexts.times + 10_000_000, contexts.times),
        behaviours={"rating": np.where(late, 6 - rating, rating).astype(np.float32)},
    )


@pytest.mark.parametrize("start", [1, 4, LENGTH - 1])
def test_another_future_changes_no_earlier_output(start: int) -> None:
    relations = relations_of(DATA)
    network = network_of(relations).eval()
    users = list(range(6))
    first = network(everywhere(relations, histories(), users))
    second = network(everywhere(relations, with_other_future(histories(), start), users))
    assert first.names == second.names and len(first.names) == 12
    torch.testing.assert_close(second.hidden[:, :start], first.hidden[:, :start], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(second.hidden[:, start:], first.hidden[:, start:], atol=1e-2)
    for name, (_, mine), (_, other) in zip(first.names, first.parts, second.parts, strict=True):
        torch.testing.assert_close(other.gate[:, :start], mine.gate[:, :start], rtol=1e-5, atol=1e-6, msg=name)
    for parts in ([], *([k] for k in range(11)), list(range(11))):
        mine, other = (score_catalogue(o.hidden, o.table, [o.parts[k] for k in parts]) for o in (first, second))
        torch.testing.assert_close(other[:, :start], mine[:, :start], rtol=1e-5, atol=1e-5)
        # Afterwards the change is seen.
        assert not torch.allclose(other[:, start:], mine[:, start:], atol=1e-3)


def test_another_future_changes_no_earlier_training_output() -> None:
    # The same relations, but the own history goes on differently: what training sees up to there must not move.
    relations = relations_of(DATA)
    network = network_of(relations).train()
    users = np.flatnonzero(DATA.sequences.lengths == 9)
    start = 4
    items, offsets = DATA.sequences.items.copy(), DATA.sequences.offsets
    for user in users:
        items[offsets[user] + start : offsets[user + 1]] = (items[offsets[user] + start : offsets[user + 1]] + 7) % 30
    changed = replace(DATA.sequences, items=items)
    options = TrainingConfig(batch_targets=10_000)
    outputs = []
    for train in (DATA.sequences, changed):
        examples = examples_of(DATA, relations, train=train, training=options)
        example = examples.make(0, 0, users)
        outcome = network(example.batch)
        outputs.append((example, score_catalogue(outcome.hidden, outcome.table, outcome.parts)))
    (first, logits), (second, others) = outputs
    assert len(users) > 1 and torch.equal(first.batch.target_positions, second.batch.target_positions)
    assert torch.equal(first.items[:, : start - 1], second.items[:, : start - 1])
    assert not torch.equal(first.items, second.items)
    torch.testing.assert_close(others[:, :start], logits[:, :start], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(others[:, start:], logits[:, start:], atol=1e-2)
