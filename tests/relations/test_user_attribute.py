from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.builders import categorical, multi, numeric, sequences

from attrformer.relations.user_attribute import SMOOTHING, lift_relation, user_values

ITEMS = 4


def brute_lift(rows: list[list[int]], values: list[int], value: int) -> list[float]:
    """(n(value, j) + s q(j)) / ((n(value) + s) q(j))."""
    everything = [item for row in rows for item in row]
    own = [item for row, mine in zip(rows, values, strict=True) if mine == value for item in row]
    smoothing = SMOOTHING * ITEMS * 0.01
    out = []
    for item in range(ITEMS):
        share = (everything.count(item) + 1) / (len(everything) + ITEMS)
        out.append((own.count(item) + smoothing * share) / ((len(own) + smoothing) * share))
    return out


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, ITEMS - 1), max_size=5), st.integers(0, 2)),
        min_size=1,
        max_size=6,
    )
)
def test_every_fold_equals_the_formula_without_its_users(people: list[tuple[list[int], int]]) -> None:
    rows, values = [row for row, _ in people], [value for _, value in people]
    folds = np.arange(len(rows), dtype=np.int64) % 2
    relation = lift_relation("region", sequences(rows), ITEMS, folds, np.array(values), 3)
    for fold in [*range(relation.folds), None]:
        used = [user for user in range(len(rows)) if relation.folds == 1 or folds[user] != fold]
        for value in (0, 1):
            expected = brute_lift([rows[user] for user in used], [values[user] for user in used], value)
            np.testing.assert_allclose(relation.row(value, fold), expected, rtol=1e-4)
        # The last code means a missing value.
        assert not relation.row(2, fold).any()


def test_a_value_without_interactions_says_like_everybody() -> None:
    relation = lift_relation("region", sequences([[0, 1], [1, 2]]), ITEMS, np.zeros(2, np.int64), np.array([0, 0]), 3)
    np.testing.assert_allclose(relation.row(1), np.ones(ITEMS), rtol=1e-6)


def test_codes_of_users() -> None:
    codes, labels = user_values(categorical("region", ["b", None, "a"]), 4)
    assert codes.tolist() == [1, 2, 0]
    assert labels == ("a", "b", "")


def test_the_first_of_several_values_counts() -> None:
    codes, _ = user_values(multi("hobbies", [["a", "b"], [], ["b"]]), 4)
    assert codes.tolist() == [0, 2, 1]


def test_numbers_of_users_are_cut_into_buckets() -> None:
    codes, labels = user_values(numeric("age", [20, 30, float("nan"), 50, 60]), 2)
    assert codes.tolist() == [0, 0, 2, 1, 1]
    assert len(labels) == 3
