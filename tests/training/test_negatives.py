"""Negatives of the sampled loss come from the rows of all ranks, and each rank moves those that it owns."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.ranks import start, words

pytestmark = pytest.mark.slow

SCRIPT = """
from dataclasses import replace

import torch
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, trainer_of

from attrformer.ranks import joined
from attrformer.training.candidate_sampler import CandidateSampler
from attrformer.training.config import TargetConfig
from attrformer.training.trainer import Trainer

with joined() as ranks:
    data = shop()
    relations = relations_of(data, dense_items=0, top_k=7)
    training = replace(FAST, loss="sampled", negatives=4, batch_targets=8, weight_decay=0.0)
    base = trainer_of(data, relations, training=training)
    popularity = torch.from_numpy(relations.popularity)
    trainer = Trainer(
        base.network, base.examples, base.validate, popularity, training, TargetConfig(), torch.float32, None,
        base.watcher, sampler=CandidateSampler(popularity, training, ranks), ranks=ranks,
    )
    table, own, drawn = base.network.table.item, ranks.rows(len(popularity)), []
    for number, windows in enumerate(base.examples.batches(0)[:8]):
        before = table.data.clone()
        trainer.step(base.examples.make(0, number, windows, ranks))
        candidates = trainer.sampler._last
        # The same on all ranks.
        told = torch.zeros(ranks.size, len(popularity))
        told[ranks.rank, candidates.items] = 1.0
        ranks.sum(told)
        assert (told == told[0]).all()
        negatives = candidates.items[candidates.correction > 0]
        drawn += negatives.tolist()
        moved = (table.data != before).any(1)
        here = negatives[(negatives >= own.start) & (negatives < own.stop)] - own.start
        assert moved[here].all()
        read = torch.zeros(len(popularity), dtype=torch.bool)
        read[candidates.read] = True
        assert not moved[~read[own]].any()
    firsts = [sum(item < ranks.rows(30, 0).stop for item in drawn), len(drawn)]
    assert 3 < firsts[0] < firsts[1] - 3, firsts
    print("moved")
"""


def test_negatives_come_from_all_ranks_and_move_where_they_are(tmp_path: Path) -> None:
    assert [words(process).strip() for process in start(SCRIPT, 2, tmp_path)] == ["moved"] * 2
