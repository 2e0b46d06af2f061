"""Histories of an update join those that the model has."""

from __future__ import annotations

import numpy as np
from tests.relations.builders import sequences

from attrformer.recommender.updates import appended


def test_histories_are_joined_by_time() -> None:
    old = sequences([[1, 2, 3], [4]], times=np.array([10, 20, 30, 5]), behaviours={"rating": np.float32([1, 2, 3, 4])})
    new = sequences([[9, 8], [7, 6]], times=np.array([20, 40, 1, 5]), behaviours={"other": np.float32([0, 0, 0, 0])})
    both = appended(old, new, np.array([0, 2]), 3)
    assert [both.row(row).tolist() for row in range(3)] == [[1, 2, 9, 3, 8], [4], [7, 6]]
    assert both.times is not None and both.times.tolist() == [10, 20, 20, 30, 40, 5, 1, 5]
    np.testing.assert_array_equal(both.behaviours["rating"], np.float32([1, 2, np.nan, 3, np.nan, 4, np.nan, np.nan]))
    assert list(both.behaviours) == ["rating"]


def test_histories_without_times_grow_at_their_end() -> None:
    old = sequences([[1, 2], [4]])
    new = sequences([[9, 8], [7]], times=np.array([1, 2, 3]))
    both = appended(old, new, np.array([1, 0]), 2)
    assert [both.row(row).tolist() for row in range(2)] == [[1, 2, 7], [4, 9, 8]]
    assert both.times is None
