from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.models.builders import everywhere, network_of, scorer_of
from tests.relations.builders import relations_of, shop

from attrformer.nn.batch import Batch
from attrformer.nn.fused_loss import score_catalogue

pytestmark = pytest.mark.slow

DATA = shop()
TIGHT = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.slow
@pytest.mark.parametrize("dense_items", [6000, 0])
def test_scores_do_not_depend_on_who_else_is_in_the_batch(dense_items: int) -> None:
    relations = relations_of(DATA, dense_items=dense_items, top_k=10)
    scorer = scorer_of(network_of(relations), relations)
    users = np.arange(DATA.user_count)
    together = scorer.score(users, DATA.sequences)
    assert together.shape == (DATA.user_count, DATA.item_count) and bool(together.isfinite().all())
    assert DATA.sequences.lengths.min() < DATA.sequences.lengths.max()
    backwards = scorer.score(users[::-1].copy(), DATA.sequences.rows(users[::-1]))
    torch.testing.assert_close(backwards.flip(0), together, **TIGHT)
    for user in range(0, DATA.user_count, 5):
        alone = scorer.score(users[user : user + 1], DATA.sequences.rows(users[user : user + 1]))
        torch.testing.assert_close(alone[0], together[user], **TIGHT)


def padded(batch: Batch, items: int, more: int) -> Batch:
    """The same batch with more padding columns, filled as wildly as padding may be."""
    assert batch.times is not None
    return replace(
        batch,
        items=F.pad(batch.items, (0, more), value=items),
        times=F.pad(batch.times, (0, more), value=0),
        levels={name: F.pad(value, (0, more), value=0) for name, value in batch.levels.items()},
    )


@pytest.mark.parametrize("dense_items", [6000, 0])
def test_more_padding_changes_nothing(dense_items: int) -> None:
    relations = relations_of(DATA, dense_items=dense_items, top_k=10)
    network = network_of(relations, max_length=40).eval()
    batch = everywhere(relations, DATA.sequences.rows(np.arange(8)), list(range(8)))
    first, second = network(batch), network(padded(batch, DATA.item_count, 17))
    torch.testing.assert_close(second.hidden, first.hidden, **TIGHT)
    logits = [score_catalogue(outputs.hidden, outputs.table, outputs.parts) for outputs in (first, second)]
    torch.testing.assert_close(logits[1], logits[0], **TIGHT)


def test_scoring_leaves_the_training_mode_as_it_was() -> None:
    relations = relations_of(DATA)
    network = network_of(relations, dropout=0.5)
    scorer = scorer_of(network, relations)
    users = np.arange(4)
    for training in (True, False):
        network.train(training)
        first = scorer.score(users, DATA.sequences.rows(users))
        assert network.training is training
        # No dropout while scoring, whatever the mode was.
        assert torch.equal(first, scorer.score(users, DATA.sequences.rows(users)))


def test_only_the_latest_interactions_are_read() -> None:
    relations = relations_of(DATA)
    scorer = scorer_of(network_of(relations), relations)
    users = np.arange(8)
    short = DATA.sequences.rows(users).tail(5)
    long = scorer_of(network_of(relations, max_length=12), relations)
    torch.testing.assert_close(scorer.score(users, short), long.score(users, short), **TIGHT)
    assert not torch.allclose(scorer.score(users, short), scorer.score(users, DATA.sequences.rows(users)), atol=1e-3)


def test_histories_without_times_and_ratings_can_be_scored() -> None:
    # A list of item ids is all that a caller may have, also where training had times and ratings.
    relations = relations_of(DATA)
    scorer = scorer_of(network_of(relations), relations)
    users = np.arange(4)
    bare = replace(DATA.sequences.rows(users), times=None, behaviours={})
    assert bool(scorer.score(users, bare).isfinite().all())
