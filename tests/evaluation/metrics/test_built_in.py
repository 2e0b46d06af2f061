from __future__ import annotations

import ir_measures
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, nDCG

from attrformer.evaluation import metrics
from attrformer.evaluation.ranks import target_ranks

CUTOFFS = (1, 3, 5, 20)


def judged_elsewhere(scores: np.ndarray, targets: np.ndarray, seen: list[set[int]]) -> dict[tuple[str, str], float]:
    """Every rank metric of every user by ir-measures, from the same scores."""
    run = []
    for user, (row, target) in enumerate(zip(scores, targets, strict=True)):
        kept = [item for item in range(len(row)) if item not in seen[user]]
        # ir-measures has a tie rule of its own, so it is given distinct scores with the target behind its equals.
        order = sorted(kept, key=lambda item, row=row, target=target: (-row[item], item == target))
        run += [ir_measures.ScoredDoc(str(user), str(item), float(-place)) for place, item in enumerate(order)]
    judgements = [ir_measures.Qrel(str(user), str(target), 1) for user, target in enumerate(targets)]
    measures = {f"{name}@{k}": measure @ k for name, measure in NAMES.items() for k in CUTOFFS}
    names = {measure: name for name, measure in measures.items()}
    return {
        (names[result.measure], result.query_id): result.value
        for result in ir_measures.iter_calc(list(measures.values()), judgements, run)
    }


NAMES = {"Recall": R, "NDCG": nDCG, "MRR": RR}


@pytest.mark.parametrize("values", [1000, 6], ids=["few ties", "many ties"])
def test_metrics_equal_those_of_ir_measures(values):
    random = np.random.default_rng(7)
    users, items = 60, 40
    scores = random.integers(0, values, (users, items)).astype(np.float32)
    targets = random.integers(0, items, users)
    seen = [set(random.choice(items, size=random.integers(0, 25), replace=False).tolist()) for _ in range(users)]
    rows = torch.tensor([user for user in range(users) for _ in seen[user]])
    codes = torch.tensor([item for user in range(users) for item in sorted(seen[user])])
    hidden, ranked = target_ranks(torch.from_numpy(scores), torch.from_numpy(targets), rows, codes)
    for ranks, left_out in ((hidden, seen), (ranked, [set()] * users)):
        expected = judged_elsewhere(scores, targets, left_out)
        assert len(expected) == users * len(NAMES) * len(CUTOFFS)
        for name in NAMES:
            for k in CUTOFFS:
                found = metrics.target_values(f"{name}@{k}", metrics.Ranking(items, {"ranks": ranks.numpy()}))
                theirs = [expected[f"{name}@{k}", str(user)] for user in range(users)]
                np.testing.assert_allclose(found, theirs, rtol=1e-9, err_msg=f"{name}@{k}")


def test_metrics_of_known_ranks():
    ranks = np.array([1, 2, 3, 6])
    np.testing.assert_array_equal(metrics.recall(ranks, 2), [1, 1, 0, 0])
    np.testing.assert_allclose(metrics.ndcg(ranks, 5), [1, 1 / np.log2(3), 0.5, 0])
    np.testing.assert_allclose(metrics.mrr(ranks, 5), [1, 0.5, 1 / 3, 0])


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_measures_are_ordered_and_grow_with_k(ranks, k):
    ranks = np.array(ranks)
    assert (metrics.mrr(ranks, k) <= metrics.ndcg(ranks, k) + 1e-12).all()
    assert (metrics.ndcg(ranks, k) <= metrics.recall(ranks, k)).all()
    for measure in (metrics.recall, metrics.ndcg, metrics.mrr):
        assert (measure(ranks, k) <= measure(ranks, k + 1)).all()
        np.testing.assert_array_equal(measure(ranks, k) > 0, ranks <= k)


def test_coverage_counts_distinct_items():
    found = metrics.coverage(np.array([[0, 1], [1, 2], [1, -1]]), 10)
    assert found.value == pytest.approx(0.3)
    assert 0 <= found.low < 0.3 < found.high <= 1


def test_coverage_error_is_the_jackknife():
    random = np.random.default_rng(3)
    lists = np.stack([random.choice(60, 4, replace=False) for _ in range(25)])
    left_out = np.array([len(np.unique(np.delete(lists, row, axis=0))) / 90 for row in range(25)])
    error = np.sqrt(24 / 25 * ((left_out - left_out.mean()) ** 2).sum())
    found = metrics.coverage(lists, 90, confidence=0.95)
    assert found.value - found.low == pytest.approx(1.959964 * error, rel=1e-5)
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=1e-5)


def test_coverage_leaves_out_all_lists_of_a_user_together():
    lists = np.array([[0], [0], [1], [2]])
    alone = metrics.coverage(lists, 9)
    together = metrics.coverage(lists, 9, users=np.array([5, 5, 6, 7]))
    merged = metrics.coverage(np.array([[0], [1], [2]]), 9)
    assert together == merged
    assert alone.value == together.value and alone != together


def test_popularity_percentiles_share_ties_and_average_one_half():
    np.testing.assert_allclose(metrics.popularity_percentiles(np.array([5, 0, 0, 9])), [0.625, 0.25, 0.25, 0.875])
    random = np.random.default_rng(0).integers(0, 6, 101)
    assert metrics.popularity_percentiles(random).mean() == pytest.approx(0.5)


def test_popularity_bias_is_relative_to_the_target():
    percentiles = np.array([0.1, 0.5, 0.9])
    lists = np.array([[2, 1], [0, -1], [-1, -1]])
    found = metrics.popularity_bias(lists, np.array([0, 2, 1]), percentiles)
    np.testing.assert_allclose(found, [0.7 - 0.1, 0.1 - 0.9, 0.0])
