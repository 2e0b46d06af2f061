"""What rules read at a time, against the table of changes row by row; nothing later is ever read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.test_changing_attributes import changing, changing_numbers
from tests.rules.expressions import ROWS, conditions, table
from tests.rules.test_matching import holds

from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.rules.compiled import columns_read, compile_rules
from attrformer.rules.conditions import Condition
from attrformer.rules.item_values import ItemValues
from attrformer.rules.matching import matching, matching_expression
from attrformer.rules.options import NewItemsRule, Rules
from attrformer.rules.parsing import parse

Change = tuple[str, int, int, float | str | None]
"""Column, item, time, value."""

items, times = st.integers(0, len(ROWS) - 1), st.integers(-5, 5)
changes: st.SearchStrategy[Change] = st.one_of(
    st.tuples(st.just("price"), items, times, st.sampled_from([9.5, 50.0, 0.0, None])),
    st.tuples(st.just("brand"), items, times, st.sampled_from(["X", "Y", "Z", None])),
)


def tables_of(rows: list[Change]) -> dict[str, ChangingAttribute]:
    """The attributes that some changes make; of equal items and times the last one counts."""
    found = {}
    brands = [(item, time, value) for column, item, time, value in rows if column == "brand"]
    if brands:
        found["brand"] = changing(brands, len(ROWS), "brand")  # type: ignore[arg-type]
    prices = {(item, time): value for column, item, time, value in rows if column == "price"}
    if prices:
        known = [(item, time, np.nan if value is None else value) for (item, time), value in sorted(prices.items())]
        found["price"] = changing_numbers(known, len(ROWS))  # type: ignore[arg-type]
    return found


def values_of(batches: list[list[Change]]) -> ItemValues:
    """The table of items with changes that come in one batch after the other."""
    values = ItemValues.of(table().columns, len(ROWS))
    for batch in batches:
        values = values.with_changes(tables_of(batch))
    return values


def rows_at(batches: list[list[Change]], time: int | None) -> list[dict[str, object]]:
    """The table of items as it was at a time, change by change."""
    rows = [dict(row) for row in ROWS]
    known = [change for batch in batches for change in batch if time is None or change[2] <= time]
    for column, item, _, value in sorted(known, key=lambda change: change[2]):
        rows[item][column] = value
    return rows


def where(condition: Condition, values: ItemValues) -> list[bool]:
    return matching(condition, values).tolist()


@given(conditions, st.lists(st.lists(changes, max_size=12), max_size=3), st.one_of(st.none(), times))
def test_conditions_read_what_was_true_at_the_time(
    condition: Condition, batches: list[list[Change]], time: int | None
) -> None:
    expected = [holds(condition, row) for row in rows_at(batches, time)]
    values = values_of(batches)
    assert where(condition, values.at(time)) == expected
    assert where(parse(str(condition)), values.at(time)) == expected
    arrays, described = values.to_arrays()
    again = ItemValues.from_arrays(len(ROWS), arrays, described)
    again.check()
    assert where(condition, again.at(time)) == expected
    assert list(again.at(time).columns) == list(again.columns) and set(again.columns) == set(table().columns)


@given(conditions, st.lists(changes, max_size=20), times)
def test_later_changes_are_never_read(condition: Condition, rows: list[Change], time: int) -> None:
    known = [row for row in rows if row[2] <= time]
    everything, before = values_of([rows]), values_of([known])
    read = columns_read(Rules(where=str(condition)))
    # Whatever else the rules of a request read comes from the same columns.
    rules = Rules(where=str(condition), boost=(("price < 10", 1.5),), at_most={"brand": 1, "price": 2})
    first, second = (_compiled(rules, values.at(time)) for values in (everything, before))
    assert {name: array.tolist() for name, array in first.items()} == {n: a.tolist() for n, a in second.items()}
    # Equal moments stand for equal values.
    for other in range(time + 1):
        if everything.moments(read, other) == everything.moments(read, time):
            assert where(condition, everything.at(other)) == where(condition, everything.at(time))


def _compiled(rules: Rules, values: ItemValues) -> dict[str, np.ndarray]:
    def nothing(_: object) -> np.ndarray:
        return np.empty(0, np.int64)

    def none_new(_: NewItemsRule) -> np.ndarray:
        return np.zeros(len(ROWS), bool)

    found = compile_rules(rules, None, values, len(ROWS), nothing, none_new)
    limits = {
        limit.column: [sorted(map(str, _names(limit, item, values))) for item in range(4)] for limit in found.limits
    }
    return {"open": found.open, "boost": found.boost, "limits": np.array(str(limits))}  # type: ignore[dict-item]


def _names(limit: object, item: int, values: ItemValues) -> list[object]:
    column = values.columns[limit.column]  # type: ignore[attr-defined]
    if len(column.vocabulary):
        return [column.vocabulary[code] for code in limit.values(item)]  # type: ignore[attr-defined]
    return [column.numbers[item]] if limit.values(item) else []  # type: ignore[attr-defined]


def test_new_items_have_what_is_given_until_their_first_change() -> None:
    values = values_of([[("price", 0, 3, 7.0)]])
    grown = values.with_items({"price": table().columns["price"].take(np.array([0, 2]))}, 2)
    assert grown.at(2).columns["price"].numbers[[0, 4]].tolist() == [9.5, 9.5]
    later = grown.with_changes({"price": changing_numbers([(4, 1, 3.0)], 6)})
    assert later.at(0).columns["price"].numbers[4] == 9.5 and later.at(1).columns["price"].numbers[4] == 3.0
    assert np.isnan(later.columns["price"].numbers[5]) and later.columns["price"].numbers[0] == 7.0
    assert where(parse("brand is missing"), later.at(0)) == [False, False, True, False, True, True]


def test_values_of_a_request_lie_over_those_of_the_time() -> None:
    values = values_of([[("price", 0, 3, 7.0), ("brand", 1, 3, "Z")]]).at(2)
    over = values.overlaid(np.array([0]), {"price": table().columns["price"].take(np.array([1]))})
    assert over.columns["price"].numbers[:2].tolist() == [50.0, 50.0]
    assert where(parse('brand == "Y"'), over) == [False, True, False, False]
    assert where(parse('brand == "Z"'), values_of([[("brand", 1, 3, "Z")]]).at(3)) == [False, True, False, False]
    with pytest.raises(KeyError):
        over.columns["no"]
    assert len(over.columns) == len(table().columns)


def test_a_polars_expression_reads_the_same_time() -> None:
    import polars as pl

    values = values_of([[("price", 0, 3, 7.0)]])
    asked = pl.col("price") < 8
    assert matching_expression(asked, values.at(2)).tolist() == [False, False, False, True]
    assert matching_expression(asked, values.at(3)).tolist() == [True, False, False, True]
    assert columns_read(Rules(boost={"brand": {"X": 1.0}}), asked) == {"price", "brand"}
    assert columns_read(Rules(where="price < stock")) == {"price", "stock"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"times": np.array([3, 3])},
        {"times": np.array([1, 2], dtype=np.int32)},
        {"codes": np.array([0, 9], dtype=np.int32)},
        {"offsets": np.array([0, 3, 2, 2, 2])},
        {"offsets": np.array([0, 1, 1, 2])},
    ],
)
def test_changes_that_cannot_be_those_of_the_items_are_refused(wrong: dict[str, np.ndarray]) -> None:
    sound = changing([(0, 1, "a"), (0, 2, "b")], len(ROWS), "state")
    ItemValues.of({}, len(ROWS), {"state": sound}).check()
    with pytest.raises(ValueError, match="changes of 'state'"):
        ItemValues.of({}, len(ROWS), {"state": replace(sound, **wrong)}).check()
