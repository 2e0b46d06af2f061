from __future__ import annotations

import numpy as np

from attrformer.relations.positions import level, level_edges


def test_levels_of_ratings_are_ordered_and_missing_is_zero() -> None:
    values = np.array([1, 2, 3, 4, 5, np.nan], dtype=np.float32)
    found = level(values, level_edges(values, 5))
    assert found[-1] == 0
    assert (np.diff(found[:-1]) >= 0).all() and found[0] == 1 and found[-2] > found[0]


def test_levels_number_at_most_as_asked() -> None:
    values = np.random.default_rng(0).random(1000).astype(np.float32)
    edges = level_edges(values, 5)
    np.testing.assert_array_equal(np.bincount(level(values, edges)), [0, 200, 200, 200, 200, 200])


def test_values_outside_the_training_range_fall_into_the_outer_levels() -> None:
    edges = level_edges(np.arange(10, dtype=np.float32), 5)
    assert level(np.array([-100.0, 100.0], np.float32), edges).tolist() == [1, len(edges) + 1]


def test_a_behaviour_without_a_known_value_has_missing_and_one_level() -> None:
    edges = level_edges(np.full(3, np.nan, np.float32), 5)
    assert len(edges) == 0
    assert level(np.array([np.nan, 2.0], np.float32), edges).tolist() == [0, 1]
