"""Evidence of buckets against its formula, and what it may not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tests.models.builders import contributions, everywhere, network_of
from tests.relations.builders import relations_of, shop

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.batch import Batch
from attrformer.nn.relations.time_bucket import MOMENT_DECAY, MOMENT_EPSILON, MOMENT_GATE, TimeBucketModule

DATA = shop()
RELATIONS = relations_of(DATA)
USERS = list(range(6))
CONTEXTS = DATA.sequences.rows(np.array(USERS))


def untaught() -> AttrFormerNetwork:
    """As training starts, without what time gaps and levels add at random places."""
    return network_of(RELATIONS, shaken=False).eval()


def whole() -> Batch:
    return everywhere(RELATIONS, CONTEXTS, USERS)


def test_before_learning_evidence_is_the_decayed_sum_of_the_buckets_rows() -> None:
    bucket = RELATIONS.time_bucket
    assert bucket is not None and CONTEXTS.times is not None
    found = contributions(untaught(), whole())["time_bucket"].detach().numpy()
    for row in USERS:
        start, end = CONTEXTS.offsets[row : row + 2]
        buckets = np.searchsorted(bucket.edges, CONTEXTS.times[start:end], side="right")
        for place in range(end - start):
            rows = [MOMENT_DECAY ** (place - s) * bucket.lift.row(buckets[s]) for s in range(place + 1)]
            wanted = MOMENT_GATE * np.log1p(np.sum(rows, axis=0) / MOMENT_EPSILON)
            np.testing.assert_allclose(found[row, place], wanted, rtol=1e-4)


def test_a_training_example_reads_buckets_counted_without_its_fold() -> None:
    module = untaught().relations["time_bucket"]
    assert isinstance(module, TimeBucketModule) and RELATIONS.time_bucket is not None
    batch = replace(whole(), folds=torch.tensor([0, 1, 2, 0, 1, 2]))
    rows = module.lookup(batch)
    assert (rows // module.keys == batch.folds.unsqueeze(1)).all()
    lift = RELATIONS.time_bucket.lift
    first = int(rows[1, 0])
    np.testing.assert_array_equal(module.dense[first].numpy(), lift.row(first % module.keys, 1))


def test_a_history_without_times_happened_at_the_end() -> None:
    module = untaught().relations["time_bucket"]
    assert isinstance(module, TimeBucketModule)
    rows = module.lookup(replace(whole(), times=None))
    assert (rows % module.keys == module.keys - 1).all()


def test_no_relation_head_reads_buckets() -> None:
    assert "time_bucket" not in network_of(RELATIONS).head_names


def test_later_times_change_nothing_before_them() -> None:
    network, batch = network_of(RELATIONS).eval(), whole()
    assert batch.times is not None
    later = batch.times.clone()
    later[:, 3:] += 10**6
    before, after = (
        contributions(network, replace(batch, times=times))["time_bucket"] for times in (batch.times, later)
    )
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])
