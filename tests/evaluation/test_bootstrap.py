from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.errors import DataError
from attrformer.evaluation import bootstrap
from attrformer.evaluation.bootstrap import Interval, mean_intervals, paired_test


def test_resampled_means_are_means_of_drawn_users():
    values = np.random.default_rng(1).random((7, 2))
    means = bootstrap.resampled_means(values, None, resamples=5, seed=3)
    draws = np.random.default_rng(3).integers(0, 7, size=(5, 7), dtype=np.int32)
    np.testing.assert_allclose(means, [values[row].mean(axis=0) for row in draws])


def test_interval_of_many_users_is_the_normal_one():
    values = np.random.default_rng(0).normal(2.0, 3.0, 4000)
    (found,) = mean_intervals(values, resamples=2000, seed=5)
    half = 1.96 * values.std() / np.sqrt(4000)
    assert found.value == pytest.approx(values.mean())
    assert found.value - found.low == pytest.approx(half, rel=0.1)
    assert found.high - found.value == pytest.approx(half, rel=0.1)


def test_interval_covers_the_truth_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        values = (np.random.default_rng(1000 + seed).random(300) < 0.3).astype(float)
        (found,) = mean_intervals(values, resamples=300, confidence=0.9, seed=seed)
        hits += found.low <= 0.3 <= found.high
    assert 0.83 <= hits / 200 <= 0.96


def test_equal_seeds_give_equal_intervals_and_others_do_not():
    values = np.random.default_rng(0).random(50)
    assert mean_intervals(values, seed=1) == mean_intervals(values, seed=1)
    assert mean_intervals(values, seed=1) != mean_intervals(values, seed=2)


def test_higher_confidence_gives_wider_intervals():
    values = np.random.default_rng(0).random(50)
    (narrow,) = mean_intervals(values, confidence=0.5)
    (wide,) = mean_intervals(values, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_blocks_of_resamples_change_nothing(monkeypatch):
    values = np.random.default_rng(0).random((40, 3))
    whole = mean_intervals(values, resamples=101)
    # An even number of draws a block keeps the generator's stream, which makes two int32 of each 64 bits.
    monkeypatch.setattr(bootstrap, "_COUNTS_IN_MEMORY", 40 * 2)
    blocks = mean_intervals(values, resamples=101)
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_allclose([one.low, one.high], [other.low, other.high])


def test_targets_of_one_user_are_drawn_together():
    random = np.random.default_rng(2)
    of_users = random.random(100)
    (once,) = mean_intervals(of_users, seed=4)
    # The same answers ten times over hold no more evidence than once.
    shuffled = random.permutation(1000)
    users = np.repeat(np.arange(100), 10)[shuffled]
    (together,) = mean_intervals(of_users[users], users=users, seed=4)
    (apart,) = mean_intervals(of_users[users], seed=4)
    np.testing.assert_allclose([once.low, once.high], [together.low, together.high])
    assert apart.high - apart.low < 0.5 * (once.high - once.low)


def test_users_with_more_targets_weigh_more():
    (found,) = mean_intervals(np.array([1.0, 1.0, 1.0, 0.0]), users=np.array([9, 9, 9, 2]), resamples=2000)
    assert found.value == 0.75
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_an_interval_holds_its_value(values, confidence):
    (found,) = mean_intervals(np.array(values), confidence=confidence, resamples=20)
    assert found.low <= found.value <= found.high


def test_paired_test_sees_a_small_but_steady_difference():
    random = np.random.default_rng(0)
    first = random.random(500)
    second = first - 0.01 + random.normal(0, 0.02, 500)
    found = paired_test(first, second)
    assert found.difference.value == pytest.approx((first - second).mean())
    assert found.difference.low > 0
    assert found.p_value == pytest.approx(1 / 1001)
    assert found.users == 500
    turned = paired_test(second, first)
    assert turned.difference.value == pytest.approx(-found.difference.value)
    assert turned.p_value == found.p_value


@pytest.mark.slow
def test_paired_test_agrees_with_a_t_test():
    from scipy.stats import ttest_rel

    random = np.random.default_rng(8)
    first, second = random.normal(0.12, 1, 400), random.normal(0, 1, 400)
    expected = ttest_rel(first, second).pvalue
    assert 0.02 < expected < 0.5
    assert paired_test(first, second, resamples=4000).p_value == pytest.approx(expected, abs=0.03)


def test_equal_models_do_not_differ():
    values = np.random.default_rng(0).random(30)
    found = paired_test(values, values)
    assert found.p_value == 1.0
    assert found.difference == Interval(0.0, 0.0, 0.0)


def test_models_of_different_targets_are_not_compared():
    with pytest.raises(DataError, match="3 and 2 targets"):
        paired_test(np.ones(3), np.ones(2))


def test_no_targets_is_an_error():
    with pytest.raises(DataError, match="no targets"):
        mean_intervals(np.empty(0))


@pytest.mark.slow
def test_a_large_evaluation_is_resampled_quickly():
    values = np.random.default_rng(0).random((22_363, 12))
    fastest = 60.0
    for _ in range(2):
        start = time.process_time()
        mean_intervals(values)
        fastest = min(fastest, time.process_time() - start)
    # A tenth of this on an idle core; gathering each resample takes several times the limit.
    assert fastest < 3.0


def test_interval_as_text_and_numbers():
    found = Interval(0.07134, 0.0690, 0.0736)
    assert str(found) == "0.0713 [0.0690, 0.0736]"
    assert found.to_json() == {"value": 0.07134, "low": 0.0690, "high": 0.0736}
