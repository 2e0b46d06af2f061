from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.scorers import make_targets, run

from attrformer.errors import ConfigurationError
from attrformer.evaluation.slices import bands, by_band


def test_bands_hold_about_as_many_each():
    assert bands(np.arange(1, 11), 5) == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]
    assert bands(np.array([3, 3, 3, 3, 9]), 3) == [(3, 3), (9, 9)]


def test_zero_is_a_band_of_its_own():
    assert bands(np.array([0, 1, 2, 0, 3, 4]), 3) == [(0, 0), (1, 2), (3, 4)]
    assert bands(np.array([0, 0]), 3) == [(0, 0)]
    assert bands(np.array([], dtype=np.int64), 3) == []


@pytest.mark.slow
@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(1, 7))
@settings(max_examples=200, deadline=None)
def test_every_value_is_in_one_band(values, count):
    found = bands(np.array(values), count)
    for value in values:
        assert sum(low <= value <= high for low, high in found) == 1
    ends = [end for band in found for end in band]
    assert ends == sorted(ends) and set(ends) <= set(values)
    assert len(found) <= count + (0 in values)


def test_slices_average_their_own_targets():
    measure = np.array([1.0, 0.0, 1.0, 1.0])
    values = np.array([7, 2, 2, 0])
    found = by_band(measure, values, count=3, users=None, resamples=50, confidence=0.95, seed=0)
    assert [(each.label, each.targets, each.interval.value) for each in found] == [
        ("0", 1, 1.0),
        ("2", 2, 0.5),
        ("7", 1, 1.0),
    ]
    (whole,) = by_band(measure, values + 1, count=1, users=None, resamples=50, confidence=0.95, seed=0)
    assert (whole.label, whole.targets, whole.interval.value) == ("1-8", 4, 0.75)


def test_targets_of_the_same_time_are_apart():
    targets = make_targets(times=True)
    found = run(targets)
    # Contexts are all of time 0, targets of times 0, 1 and 2; some contexts are empty.
    same = (np.arange(100) % 3 == 0) & (targets.contexts.lengths > 0)
    assert 0 < same.sum() < 34
    slices = found.by_same_time()
    assert [(each.label, each.targets) for each in slices] == [("same time", same.sum()), ("later", (~same).sum())]
    measure = found.per_target("NDCG@20")
    assert [each.interval.value for each in slices] == [measure[same].mean(), measure[~same].mean()]
    with pytest.raises(ConfigurationError, match="times of targets are not known"):
        run().by_same_time()
