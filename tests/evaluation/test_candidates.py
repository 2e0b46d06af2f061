from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import DataError
from attrformer.evaluation import EvaluationConfig, evaluate, evaluate_among
from attrformer.evaluation.metrics import UNREACHABLE_RANK

INF = float("inf")
CANDIDATES = np.array([1, 4, 5])
AT_TWO = EvaluationConfig(cutoffs=(2,))
SCORES = torch.tensor(
    [
        [9.0, 1.0, 8.0, 7.0, 3.0, 2.0],
        [9.0, 2.0, 8.0, 7.0, 2.0, 1.0],
        [9.0, -INF, 8.0, 7.0, -INF, 0.0],
    ]
)


class FixedScorer:
    """A row of scores for each user."""

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        return self.scores[torch.from_numpy(users)]


def targets_of(items: list[int]) -> Targets:
    contexts = Sequences(np.arange(len(items) + 1), np.zeros(len(items), dtype=np.int32))
    return Targets(np.arange(len(items)), contexts, np.array(items, dtype=np.int32))


def ranks(scores: Tensor, items: list[int]) -> list[int]:
    found = evaluate_among(
        FixedScorer(scores), targets_of(items), CANDIDATES, split="s", item_count=6, dataset="d", config=AT_TWO
    )
    assert found.ranks["hidden"].tolist() == found.ranks["ranked"].tolist()
    return [int(rank) for rank in found.ranks["ranked"]]


def test_only_candidates_are_ranked_and_ties_among_them_count_against_the_model() -> None:
    # Rows: told apart; a tie of items 1 and 4; a tie of what the model gives -inf, which beats no other item.
    assert ranks(SCORES, [5, 1, 4]) == [2, 2, 3]
    assert ranks(SCORES, [4, 4, 5]) == [1, 2, 1]
    assert ranks(torch.zeros(3, 6), [1, 4, 5]) == [3, 3, 3]
    assert ranks(torch.full((3, 6), -INF), [1, 4, 5]) == [3, 3, 3]


def test_the_protocol_and_the_metrics_are_those_of_the_candidates() -> None:
    scorer, targets = FixedScorer(SCORES), targets_of([5, 1, 5])
    found = evaluate_among(
        scorer, targets, CANDIDATES, split="held-out-items", item_count=6, dataset="d", config=AT_TWO
    )
    assert found.protocol.line().startswith("d | 3 users | all 3 items ranked | held-out-items (no other item ranked)")
    assert found.names == ("Recall@2", "NDCG@2", "MRR@2")
    assert found.metric("MRR@2").value == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    everything = evaluate(scorer, targets, item_count=6, dataset="d")
    assert everything.ranks["ranked"].tolist() == [5, 5, 4]


def test_a_candidate_that_the_history_holds_is_a_miss_where_seen_items_are_hidden() -> None:
    targets = targets_of([1, 4, 5])
    targets = replace(targets, contexts=Sequences(np.arange(4), np.array([1, 5, 0], dtype=np.int32)))
    options = {"split": "s", "item_count": 6, "dataset": "d", "config": AT_TWO}
    found = evaluate_among(FixedScorer(SCORES), targets, CANDIDATES, **options)
    assert found.ranks["hidden"].tolist() == [UNREACHABLE_RANK, 2, 1]
    assert found.ranks["ranked"].tolist() == [3, 2, 1]
    assert found.protocol.repeated_share == pytest.approx(1 / 3)
    assert found.groups["repeats"]["repeated"].targets == 1


def test_a_target_that_is_not_ranked_is_refused() -> None:
    with pytest.raises(DataError, match="the item of target 1 is not among the 3 items"):
        ranks(SCORES, [1, 2, 5])
