"""Ranks and lists of several ranks, each with scores of its own items, against those of one process with all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.ranks import start, words

pytestmark = pytest.mark.slow

# Three ranks draw the same blocks and keep the scores of their own items; few distinct values, so that ties are common.
SCRIPT = """
import torch
from tests.evaluation.scorers import HistoryScorer, run

from attrformer.evaluation.by_items import ranks_and_lists
from attrformer.evaluation.ranks import target_ranks, top_items
from attrformer.ranks import joined

VALUES = torch.tensor([-torch.inf, -1.5, 0.0, 0.5, 2.0])
with joined() as ranks:
    for seed in range(200):
        torch.manual_seed(seed)
        # With four items the last rank owns none.
        rows, items, seen = 1 + seed % 5, 4 + seed % 14, torch.randint(12, ())
        scores = VALUES[torch.randint(seed % 2, 5, (rows, items))]
        targets = torch.randint(items, (rows,))
        pairs = torch.randint(rows, (seen,)), torch.randint(items, (seen,))
        count = min(seed % 7, items)
        found = ranks_and_lists(scores[:, ranks.rows(items)], targets, pairs, count, items, ranks)
        expected = target_ranks(scores, targets, *pairs), top_items(scores, *pairs, count)
        for ours, theirs in zip((*found[0], *found[1]), (*expected[0], *expected[1]), strict=True):
            assert ours.tolist() == theirs.tolist(), (seed, ours, theirs)

    class Own(HistoryScorer):
        def score(self, users, contexts):
            return super().score(users, contexts)[:, ranks.rows(30)]

    evaluation = run(scorer=Own(), ranks=ranks, by_items=True, batch_size=7)
    assert evaluation.to_json() == run().to_json()
    for seen, lists in run().lists.items():
        assert (evaluation.lists[seen] == lists).all() and (evaluation.ranks[seen] == run().ranks[seen]).all()
print("same")
"""


def test_shards_give_the_ranks_and_lists_of_the_whole(tmp_path: Path) -> None:
    assert [words(process).strip() for process in start(SCRIPT, 3, tmp_path)] == ["same"] * 3
