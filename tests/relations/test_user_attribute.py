from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.builders import categorical, multi, numeric, sequences

from attrformer.data.attributes import AttributeKind
from attrformer.relations.user_attribute import SMOOTHING, first_values, lift_relation, user_values

ITEMS = 4


def brute_lift(rows: list[list[int]], values: list[int], value: int) -> list[float]:
    """(m(value, j) + s q(j)) / ((m(value) + s) q(j)), one interaction of everybody with each item counted in m."""
    everything = [item for row in rows for item in row]
    own = [item for row, mine in zip(rows, values, strict=True) if mine == value for item in row]
    smoothing, part = SMOOTHING * ITEMS * 0.01, len(own) / max(len(everything), 1)
    out = []
    for item in range(ITEMS):
        share = (everything.count(item) + 1) / (len(everything) + ITEMS)
        seen = own.count(item) + part
        out.append((seen + smoothing * share) / ((len(own) + ITEMS * part + smoothing) * share))
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


def test_everybody_likes_an_item_that_nobody_has_touched_alike() -> None:
    rows = [[0, 1, 0, 1], [1, 0, 1], [2, 2, 1], [0]]
    codes = np.array([0, 0, 1, 2])
    relation = lift_relation("region", sequences(rows), ITEMS, np.arange(4, dtype=np.int64) % 2, codes, 3)
    for fold in (0, 1, None):
        untouched = sorted(
            set(range(ITEMS)) - {item for user, row in enumerate(rows) if user % 2 != fold for item in row}
        )
        assert 3 in untouched
        for value in (0, 1):
            np.testing.assert_allclose(relation.row(value, fold)[untouched], 1.0, rtol=1e-6)


def test_lifts_of_items_that_many_have_touched_are_what_the_counts_say() -> None:
    # Of 600 interactions with item 0 a third is of value 0, of all 1,200 it is half.
    rows = [[0] * 200 + [1] * 400, [0] * 400 + [1] * 200]
    relation = lift_relation("region", sequences(rows), 2, np.zeros(2, np.int64), np.array([0, 1]), 3)
    np.testing.assert_allclose(relation.row(0), [2 / 3, 4 / 3], rtol=5e-3)
    np.testing.assert_allclose(relation.row(1), [4 / 3, 2 / 3], rtol=5e-3)


def test_codes_of_users() -> None:
    codes, labels, _ = user_values(categorical("region", ["b", None, "a"]), 4)
    assert codes.tolist() == [1, 2, 0]
    assert labels == ("a", "b", "")


def test_the_first_of_several_values_counts() -> None:
    codes, _, _ = user_values(multi("hobbies", [["a", "b"], [], ["b"]]), 4)
    assert codes.tolist() == [0, 2, 1]


def test_of_levels_the_deepest_counts_and_of_tags_the_one_with_the_highest_score() -> None:
    levels = multi("zone", [["A", "A > B"], ["A"], ["A", "A > C", "A > C > D"], []], AttributeKind.HIERARCHY)
    codes, labels, reading = user_values(levels, 4)
    assert [labels[code] for code in codes] == ["A > B", "A", "A > C > D", ""]
    # Of a level that training has not seen, the one above it counts.
    later = multi("zone", [["A", "A > B", "A > B > X"], ["Z"]], AttributeKind.HIERARCHY)
    assert first_values(*reading.codes(later, labels[:-1]), 2, 4).tolist() == [labels.index("A > B"), 4]
    tags = multi("likes", [["a", "b"], ["a", "b"], ["c"]], AttributeKind.WEIGHTED)
    tags = replace(tags, weights=np.array([0.5, 2.0, 2.0, 0.5, 1.0], dtype=np.float32))
    codes, labels, reading = user_values(tags, 4)
    assert [labels[code] for code in codes] == ["b", "a", "c"]
    assert first_values(*reading.codes(tags, labels[:-1]), 3, 3).tolist() == codes.tolist()


def test_numbers_of_users_are_cut_into_buckets() -> None:
    codes, labels, reading = user_values(numeric("age", [20, 30, float("nan"), 50, 60]), 2)
    assert codes.tolist() == [0, 0, 2, 1, 1]
    assert len(labels) == 3
    owner, later = reading.codes(numeric("age", [10, float("nan"), 40, 99]), labels[:-1])
    assert (owner.tolist(), later.tolist()) == ([0, 2, 3], [0, 1, 1])
