from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import categorical, multi, numeric

from attrformer.relations.item_attribute import item_attribute_relation

value_sets = st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=8)


def brute(values: list[list[str]], most: int) -> NDArray[np.float64]:
    """R_a(i, j), the sum over shared values of their weights times squared inverse document frequency."""
    items = len(values)
    names = sorted({name for row in values for name in row})
    frequency = {name: sum(name in row for row in values) for name in names}
    useful = [name for name in names if 2 <= frequency[name] < items]
    kept = sorted(useful, key=lambda name: (-frequency[name], name))[:most]
    strength = {name: math.log(items / frequency[name]) ** 2 for name in kept}
    strongest = max(strength.values(), default=1.0)
    out = np.zeros((items, items))
    for i, mine in enumerate(values):
        for j, other in enumerate(values):
            norm = math.sqrt(sum(name in kept for name in mine) * sum(name in kept for name in other))
            for name in set(mine) & set(other) & set(kept):
                out[i, j] += strength[name] / strongest / norm
    return out


@given(value_sets, st.integers(1, 4))
def test_start_equals_the_sum_over_shared_values(sets: list[set[str]], most: int) -> None:
    values = [sorted(row) for row in sets]
    relation = item_attribute_relation(multi("tags", values), buckets=4, max_values=most)
    expected = brute(values, most)
    if relation is None:
        assert not expected.any()
        return
    found = np.stack([relation.row(item) for item in range(len(values))])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    phi = relation.dense()
    np.testing.assert_allclose(phi @ np.diag(relation.diagonal) @ phi.T, expected, rtol=1e-5, atol=1e-7)


def test_a_missing_value_relates_to_nothing() -> None:
    relation = item_attribute_relation(categorical("brand", ["x", None, "x", "y", "y"]), buckets=4, max_values=9)
    assert relation is not None
    assert not relation.row(1).any()
    np.testing.assert_array_equal(relation.row(0) > 0, [True, False, True, False, False])


def test_values_that_join_no_two_items_or_all_of_them_are_left_out() -> None:
    assert item_attribute_relation(categorical("brand", ["x", "y", "z"]), buckets=4, max_values=9) is None
    assert item_attribute_relation(categorical("brand", ["x", "x", "x"]), buckets=4, max_values=9) is None


def test_labels_follow_the_values_that_are_kept() -> None:
    values = [["rare"], ["b"], ["b", "a"], ["a"], ["a"]]
    relation = item_attribute_relation(multi("tags", values), buckets=4, max_values=9)
    assert relation is not None and relation.labels == ("a", "b")
    commonest = item_attribute_relation(multi("tags", values), buckets=4, max_values=1)
    assert commonest is not None and commonest.labels == ("a",)


def test_numbers_relate_within_their_quantile_bucket() -> None:
    numbers = [1.0, 2.0, 3.0, 4.0, float("nan"), 100.0, 200.0, 300.0, 400.0]
    relation = item_attribute_relation(numeric("price", numbers), buckets=2, max_values=9)
    assert relation is not None
    np.testing.assert_array_equal(relation.row(0) > 0, [True] * 4 + [False] * 5)
    np.testing.assert_array_equal(relation.row(8) > 0, [False] * 5 + [True] * 4)
    assert not relation.row(4).any()
