from __future__ import annotations

import numpy as np
import pytest

from attrformer.evaluation import metrics


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
