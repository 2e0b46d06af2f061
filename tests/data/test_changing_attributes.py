"""Attributes that change in time: what held when, against a plain reading of the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute, only_changes

Change = tuple[int, int, str | None]
"""Item, time, value."""

ITEMS = 4


def changing(changes: Sequence[Change], items: int = ITEMS, name: str = "state") -> ChangingAttribute:
    """A categorical attribute; of equal items and times the last one counts."""
    last = {(item, time): value for item, time, value in changes}
    rows = [(item, time, last[item, time]) for item, time in sorted(last)]
    vocabulary = tuple(sorted({value for _, _, value in rows if value is not None}))
    return ChangingAttribute(
        name,
        AttributeKind.CATEGORICAL,
        offsets_of(np.bincount(np.array([item for item, _, _ in rows], np.int64), minlength=items)),
        np.array([time for _, time, _ in rows], np.int64),
        np.array([-1 if value is None else vocabulary.index(value) for _, _, value in rows], np.int32),
        vocabulary,
        np.empty(0),
    )


def changing_numbers(changes: Sequence[tuple[int, int, float]], items: int = ITEMS) -> ChangingAttribute:
    """A numeric attribute of changes in order."""
    owner = np.array([item for item, _, _ in changes], np.int64)
    return ChangingAttribute(
        "price",
        AttributeKind.NUMERIC,
        offsets_of(np.bincount(owner, minlength=items)),
        np.array([time for _, time, _ in changes], np.int64),
        np.empty(0, np.int32),
        (),
        np.array([number for _, _, number in changes], np.float64),
    )


def values_of(attribute: Attribute) -> list[str | None]:
    """The value of each row, None where missing."""
    rows = zip(attribute.offsets[:-1], attribute.offsets[1:], strict=True)
    return [attribute.vocabulary[attribute.codes[start]] if stop > start else None for start, stop in rows]


def plain_values(changes: Sequence[Change], time: int | None) -> list[str | None]:
    """The same by looking at one change after the other."""
    held: list[str | None] = [None] * ITEMS
    latest = [-(10**9)] * ITEMS
    for item, begins, value in changes:
        if (time is None or begins <= time) and begins >= latest[item]:
            held[item], latest[item] = value, begins
    return held


CHANGES: list[Change] = [(0, 5, "on"), (0, 9, "off"), (1, 7, "on"), (3, 1, None), (3, 9, "on"), (3, 12, None)]


def test_a_value_holds_from_its_time_until_the_next_one() -> None:
    attribute = changing(CHANGES)
    assert values_of(attribute.at(4)) == [None, None, None, None]
    assert values_of(attribute.at(5)) == ["on", None, None, None]
    assert values_of(attribute.at(9)) == ["off", "on", None, "on"]
    assert values_of(attribute.at()) == ["off", "on", None, None]
    assert len(attribute) == ITEMS and attribute.items.tolist() == [0, 0, 1, 3, 3, 3]


def test_numbers_are_missing_before_the_first_change() -> None:
    attribute = changing_numbers([(0, 5, 1.5), (0, 9, 2.0), (2, 7, float("nan"))])
    assert np.isnan(attribute.at(4).numbers).all()
    np.testing.assert_array_equal(attribute.at(8).numbers, [1.5, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(attribute.at().numbers, [2.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(attribute.as_attribute().numbers, [1.5, 2.0, np.nan])


def test_what_changes_nothing_is_left_out() -> None:
    repeated: list[Change] = [(0, 1, None), (0, 2, "on"), (0, 3, "on"), (0, 4, None), (0, 5, None), (1, 1, "on")]
    kept = only_changes(changing(repeated))
    assert kept.times.tolist() == [2, 4, 1] and kept.offsets.tolist() == [0, 2, 3, 3, 3]
    numbers = only_changes(changing_numbers([(1, 1, float("nan")), (1, 2, 3.0), (1, 3, 3.0), (1, 4, 4.0)]))
    assert numbers.times.tolist() == [2, 4] and numbers.numbers.tolist() == [3.0, 4.0]


def test_some_items_keep_their_changes() -> None:
    taken = changing(CHANGES).take(np.array([3, 0]))
    assert taken.times.tolist() == [1, 9, 12, 5, 9] and values_of(taken.at(9)) == ["on", "off"]


times = st.integers(0, 8)
changes = st.lists(st.tuples(st.integers(0, ITEMS - 1), times, st.sampled_from(["on", "off", None])), max_size=20)


@given(changes, st.none() | times)
def test_what_held_is_what_one_change_after_the_other_gives(found: list[Change], time: int | None) -> None:
    attribute = changing(found)
    assert values_of(attribute.at(time)) == plain_values(found, time)
    assert values_of(only_changes(attribute).at(time)) == plain_values(found, time)


@given(changes, times, changes)
def test_no_later_change_is_read(found: list[Change], time: int, others: list[Change]) -> None:
    later = [(item, time + 1 + begins, value) for item, begins, value in others]
    earlier = [change for change in found if change[1] <= time]
    assert values_of(changing(found).at(time)) == values_of(changing([*earlier, *later]).at(time))


def test_it_says_what_it_is() -> None:
    assert repr(changing(CHANGES)) == "ChangingAttribute(state, categorical, 6 changes)"
