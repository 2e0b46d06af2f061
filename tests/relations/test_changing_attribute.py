"""Tables of attributes that change in time: which values there are, and what updates make of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.test_changing_attributes import changing, changing_numbers
from tests.relations.builders import NONE, dataset, relations_of, sequences, shop
from tests.relations.changing import with_changes

from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError
from attrformer.relations.base import NewItems
from attrformer.relations.changing_attribute import ChangingAttributeRelation, changing_attribute_relation

PERIOD = (10, 19)
"""Ten seconds."""


def relation_of(attribute: ChangingAttribute, **options: int) -> ChangingAttributeRelation:
    made = changing_attribute_relation(attribute, PERIOD, **{"buckets": 4, "max_values": 9, **options})
    assert made is not None
    return made


def test_the_diagonal_is_the_squared_log_of_the_share_of_time_and_items() -> None:
    # Of 4 items in 10 seconds "on" holds for 5 + 10, "off" for 5 + 10 + 2, and one item has no value for 8 of them.
    attribute = changing(
        [(0, 0, "on"), (0, 15, "off"), (1, 10, "on"), (2, 3, "off"), (3, 18, "off"), (3, 25, "late"), (1, 21, "late")]
    )
    relation = relation_of(attribute)
    assert relation.labels == ("off", "on") and relation.name == "item_state" and relation.source == "state"
    idf = -np.log(np.array([17 / 40, 15 / 40]))
    np.testing.assert_allclose(relation.diagonal, (idf / idf.max()) ** 2, rtol=1e-6)
    assert relation.codes.tolist() == [1, 0, 1, -1, 0, 0, -1]
    assert relation.values_at(14).tolist() == [1, 1, 0, -1] and relation.values_at().tolist() == [0, -1, 0, -1]
    np.testing.assert_allclose(relation.row(0), relation.diagonal[0] * np.array([1, 0, 1, 0]))
    assert not relation.row(1).any()


def test_values_of_one_item_alone_or_of_all_items_at_all_times_tell_nothing() -> None:
    always = [(item, 0, "same") for item in range(4)]
    assert changing_attribute_relation(changing(always), PERIOD, buckets=4, max_values=9) is None
    assert changing_attribute_relation(changing([(0, 0, "only")]), PERIOD, buckets=4, max_values=9) is None
    assert (
        changing_attribute_relation(changing([(0, 30, "on"), (1, 30, "on")]), PERIOD, buckets=4, max_values=9) is None
    )
    made = relation_of(changing([(0, 0, "a"), (1, 0, "a"), (2, 0, "b"), (3, 12, "b")]), max_values=1)
    assert made.labels == ("a",)


def test_numbers_are_cut_by_what_was_known_in_training() -> None:
    early = [(0, 1, 1.0), (1, 1, 2.0), (2, 11, 3.0), (3, 11, 4.0)]
    first = relation_of(changing_numbers(early), buckets=2)
    second = relation_of(changing_numbers([*early[:3], (2, 20, 900.0), early[3], (3, 20, 800.0)]), buckets=2)
    assert first.encoder.edges.tolist() == second.encoder.edges.tolist() == [2.5]
    assert first.labels == second.labels == ("..2.5", "2.5..")
    np.testing.assert_array_equal(first.diagonal, second.diagonal)
    assert second.codes.tolist() == [0, 0, 1, 1, 1, 1]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50), st.sampled_from(["on", "off", "new"])), max_size=15))
def test_changes_after_training_set_neither_values_nor_where_learning_starts(later: list[tuple[int, int, str]]) -> None:
    known = [(0, 0, "on"), (0, 15, "off"), (1, 10, "on"), (2, 3, "off"), (3, 18, "off")]
    after = [(item, PERIOD[1] + time, value) for item, time, value in later]
    first, second = relation_of(changing(known)), relation_of(changing([*known, *after]))
    assert first.labels == second.labels
    np.testing.assert_array_equal(first.diagonal, second.diagonal)
    for time in range(PERIOD[1] + 1):
        np.testing.assert_array_equal(first.values_at(time), second.values_at(time))


values = st.sampled_from(["on", "off", "unseen", None])
changes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), values), max_size=20)


@given(changes)
def test_an_update_holds_what_both_tables_say(more: list[tuple[int, int, str | None]]) -> None:
    known = [(0, 0, "on"), (0, 5, "off"), (1, 10, "on"), (2, 3, "off"), (3, 11, "off")]
    relation = relation_of(changing(known))
    grown = relation.with_changes({"state": changing(more)}) if more else relation
    held = {(item, time): value for item, time, value in [*known, *more]}
    for time in range(14):
        for item in range(4):
            past = [(when, value) for (owner, when), value in held.items() if owner == item and when <= time]
            value = max(past, key=lambda one: one[0])[1] if past else None
            wanted = grown.labels.index(value) if value in grown.labels else -1
            assert grown.values_at(time)[item] == wanted
    grown.check(4, 0)
    assert relation.with_changes({"other": changing(known)}) is relation


def test_new_items_have_no_value_until_changes_of_them_come() -> None:
    relation = relation_of(changing([(0, 0, "on"), (1, 0, "on"), (3, 0, "off"), (2, 1, "off")]))
    known, new = IdMap.from_list(["a", "b", "c", "d"]), IdMap.from_list(["e"])
    grown = relation.with_items(NewItems(known, new, {}))
    assert grown.values_at().tolist() == [1, 1, 0, 0, -1]
    assert grown.with_changes({"state": changing([(4, 3, "on")], 5)}).values_at().tolist() == [1, 1, 0, 0, 1]
    grown.check(5, 0)


def test_without_times_or_where_not_asked_for_nothing_is_built() -> None:
    attribute = changing([(0, 0, "a"), (1, 0, "a"), (2, 0, "b"), (3, 0, "b")], 4)
    data = with_changes(dataset(sequences([[0, 1], [2, 3]], times=np.arange(10, 14)), 4), attribute)
    assert list(relations_of(data, base=NONE)) == ["item_state"]
    assert not relations_of(data, base=NONE, changing_attributes=())
    with pytest.raises(ConfigurationError, match=r"relations.changing_attributes names 'size'"):
        relations_of(data, base=NONE, changing_attributes=("size",))
    assert not relations_of(replace(data, sequences=sequences([[0, 1], [2, 3]])), base=NONE)
    assert not relations_of(shop(), base=NONE)


def test_a_change_that_comes_in_late_ends_where_the_next_one_begins() -> None:
    early = [(0, 1, 1.0), (1, 1, 2.0), (2, 11, 3.0), (3, 11, 4.0)]
    relation = relation_of(changing_numbers(early), buckets=2)
    low, high = relation.values_at()[[0, 3]].tolist()
    # 1.1 is of the bucket of 1.0: nothing changes, until a change before it becomes known.
    grown = relation.with_changes({relation.column: changing_numbers([(0, 20, 1.1)], 4)})
    grown = grown.with_changes({relation.column: changing_numbers([(0, 15, 4.0)], 4)})
    assert [int(grown.values_at(time)[0]) for time in (14, 15, 19, 20)] == [low, high, high, low]
