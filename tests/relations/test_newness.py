"""Groups of items by interactions and age, exactly, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.builders import relations_of, shop

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.sequences import Sequences
from attrformer.relations.base import Update
from attrformer.relations.newness import (
    AGES,
    COUNTS,
    GROUPS,
    UNTOUCHED,
    NewnessRelation,
    is_young,
    item_groups,
    lacking_an_attribute,
)

FULL = np.zeros(4, dtype=np.uint8)


def log_of(items: list[int], times: list[int] | None) -> Sequences:
    """One user who did all of it."""
    at = None if times is None else np.array(times, dtype=np.int64)
    return Sequences(np.array([0, len(items)]), np.array(items, dtype=np.int32), at)


def test_items_are_grouped_by_count_and_by_the_time_of_the_first_interaction() -> None:
    # Ten interactions, one a second. The ages end at seconds 8, 8, 8, 7, 7, 6, 4 and 1.
    train = log_of([0, 0, 0, 0, 1, 0, 0, 1, 0, 2], list(range(10)))
    groups = item_groups(train, FULL)
    # Seven, two and one interaction: levels 2 (6 to 10), 0 (1 or 2) and 0.
    assert groups.tolist() == [UNTOUCHED + 2 * AGES + 8, UNTOUCHED + 6, UNTOUCHED, 0]
    assert [is_young(group) for group in groups] == [False, False, True, True]


def test_items_without_interactions_are_parted_by_missing_attributes() -> None:
    lacking = np.array([1, 1, 0, 0], dtype=np.uint8)
    assert item_groups(log_of([1], [5]), lacking)[[0, 2]].tolist() == [1, 0]


def test_without_times_items_are_grouped_by_count_alone() -> None:
    groups = item_groups(log_of([0, 0, 0, 1], None), FULL)
    assert groups.tolist() == [UNTOUCHED + AGES, UNTOUCHED, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), max_size=40))
def test_every_group_is_one_of_a_fixed_number(rows: list[tuple[int, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    train = log_of([item for item, _ in rows], [time for _, time in rows])
    groups = item_groups(train, np.zeros(6, dtype=np.uint8))
    assert groups.min() >= 0 and groups.max() < GROUPS
    assert ((groups < UNTOUCHED) == (np.bincount(train.items, minlength=6) == 0)).all()
    counts = np.bincount(train.items, minlength=6)
    levels = (groups - UNTOUCHED) // AGES
    for item in np.flatnonzero(counts):
        assert COUNTS[levels[item]] <= counts[item]
        assert levels[item] + 1 == len(COUNTS) or counts[item] < COUNTS[levels[item] + 1]


def test_what_is_missing_depends_on_the_kind_of_an_attribute() -> None:
    nothing, empty = np.empty(0), np.zeros(4, dtype=np.int64)
    brand = Attribute(
        "brand", AttributeKind.CATEGORICAL, np.array([0, 1, 1, 2]), np.array([0, 0], np.int32), ("a",), nothing
    )
    price = Attribute("price", AttributeKind.NUMERIC, empty, np.empty(0, np.int32), (), np.array([np.nan, 1.0, 2.0]))
    text = Attribute("text", AttributeKind.TEXT, empty, np.empty(0, np.int32), (), nothing, texts=("x", "y", ""))
    vector = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 0.0]], np.float32)
    look = Attribute("look", AttributeKind.VECTOR, empty, np.empty(0, np.int32), (), nothing, vectors=vector)
    assert lacking_an_attribute([brand], 3).tolist() == [0, 1, 0]
    assert lacking_an_attribute([price], 3).tolist() == [1, 0, 0]
    assert lacking_an_attribute([text], 3).tolist() == [0, 0, 1]
    assert lacking_an_attribute([look], 3).tolist() == [0, 1, 0]
    assert lacking_an_attribute([brand, price, text], 3).tolist() == [1, 1, 1]
    assert lacking_an_attribute([], 3).tolist() == [0, 0, 0]


def test_an_update_counts_again() -> None:
    before = NewnessRelation.counted(log_of([0, 0, 1], [1, 2, 3]), FULL)
    assert before.groups[3] == 0
    histories = log_of([0, 0, 1, 3], [1, 2, 3, 4])
    after = before.updated(Update(histories, 4, None, {}, {}))
    np.testing.assert_array_equal(after.groups, item_groups(histories, FULL))
    assert after.groups[3] >= UNTOUCHED


def test_it_is_saved_and_read_and_checked() -> None:
    relation = NewnessRelation.counted(log_of([0, 0, 1], [1, 2, 3]), FULL)
    arrays, told = relation.to_arrays()
    again = NewnessRelation.from_arrays("newness", arrays, told)
    np.testing.assert_array_equal(again.groups, relation.groups)
    again.check(4, 1)
    with pytest.raises(ValueError, match="newness"):
        again.check(5, 1)
    with pytest.raises(ValueError, match="out of range"):
        NewnessRelation(np.full(4, GROUPS), FULL).check(4, 1)


def test_building_relations_makes_none() -> None:
    assert "newness" not in relations_of(shop())
