"""For which items a condition holds, against the same condition row by row, and what is refused."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from tests.rules.expressions import ROWS, conditions, table

from attrformer.errors import ConfigurationError, RuleError
from attrformer.rules.conditions import Among, And, Column, Compare, Condition, Contains, Date, Missing, Not, Or
from attrformer.rules.matching import matching, matching_expression, with_value
from attrformer.rules.parsing import parse

SIGNS: dict[str, Any] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def values_of(row: dict[str, Any], name: str) -> list[Any]:
    """The values of one item; years, which are text, as numbers."""
    value = row[name]
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return [float(one) for one in listed] if name == "year" else listed


def plain(value: Any) -> Any:
    return float(value.seconds) if isinstance(value, Date) else value


def holds(condition: Condition, row: dict[str, Any]) -> bool:
    """The plain reference: one condition for one item."""
    match condition:
        case Not(part):
            return not holds(part, row)
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
    mine = values_of(row, condition.column.name)
    match condition:
        case Missing(_, negated):
            return bool(mine) == negated
        case Compare(_, sign, value):
            others = values_of(row, value.name) if isinstance(value, Column) else [plain(value)]
            return bool(mine) and bool(others) and bool(SIGNS[sign](mine[0], others[0]))
        case Among(_, values, negated):
            found = any(one in [plain(value) for value in values] for one in mine)
        case Contains(_, value, negated):
            found = plain(value) in mine
    return bool(mine) and found != negated


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(conditions)
def test_a_condition_holds_for_the_items_for_which_it_holds_one_by_one(condition: Condition) -> None:
    assert matching(condition, table()).tolist() == [holds(condition, row) for row in ROWS]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("price < 50", [0, 3]),
        ("price != 50", [0, 3]),
        ("not price == 50", [0, 2, 3]),
        ("stock > 0", [1, 2]),
        ("price < stock", []),
        ("price > stock", [0, 1]),
        ("year > 2000", [1, 3]),
        ('year == "2005"', [1, 3]),
        ("brand is missing", [2]),
        ('brand != "X"', [1, 3]),
        ('brand not in ["X", "Y"]', [3]),
        ('tags contains "a"', [0, 3]),
        ('tags not contains "a"', [1]),
        ('tags in ["c", "zzz"]', [3]),
        ("since == 1970-01-02", [0, 3]),
        ('since > "1970-01-02"', [1]),
        ("since in [1970-01-03, 1999-01-01]", [1]),
    ],
)
def test_exact_items(text: str, items: list[int]) -> None:
    assert np.flatnonzero(matching(parse(text), table())).tolist() == items


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("price < 1 and brnd == 'X'", 14, "no column 'brnd'. Did you mean 'brand'?"),
        ("PRICE < 1", 0, "Did you mean 'price'?"),
        ("zzz < 1", 0, "There are: price, stock, since, brand, year, tags"),
        ("price == null", 9, "Write is missing"),
        ("brand == Y", 9, "quotation marks"),
        ("price == 'X'", 0, "holds numbers"),
        ("price == true", 0, "holds numbers"),
        ("brand < 'X'", 0, "has no order"),
        ("brand < 5", 0, "holds text, such as"),
        ("brand == 2024-01-01", 0, "holds text, such as"),
        ("brand == true", 0, "holds no truth values, but such as 'X'. Compare it with one of these"),
        ("year in [false]", 0, "holds no truth values"),
        ("tags == 'a'", 0, "Write contains or in"),
        ("brand contains 'X'", 0, "Write == in place of contains"),
        ("since > 5", 0, "Write a date"),
        ("since > 'yesterday'", 0, "Write a date"),
        ("price < tags", 8, "several values"),
        ("price < since", 8, "one holds times"),
        ("tags in [2024-01-01]", 0, "holds no times"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(text: str, at: int, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        matching(parse(text), table(), text)
    assert caught.value.at == at and said in str(caught.value)


def test_polars_expressions_select_the_same_items() -> None:
    pairs = [
        (pl.col("price") < 50, "price < 50"),
        ((pl.col("brand") == "X") | (pl.col("stock") > 1), 'brand == "X" or stock > 1'),
        (pl.col("tags").list.contains("a"), 'tags contains "a"'),
        (pl.col("since") > pl.datetime(1970, 1, 2, time_zone="UTC"), "since > 1970-01-02"),
        (pl.col("brand").is_null(), "brand is missing"),
    ]
    for expression, text in pairs:
        found = matching_expression(expression, table())
        assert found.tolist() == matching(parse(text), table()).tolist()


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (pl.col("prise") < 1, "Did you mean 'price'"),
        (pl.col("price") + 1, "no condition"),
        (pl.col("price").max() > 3, "no condition"),
        (pl.col("brand").dt.year() > 3, "cannot be computed"),
    ],
)
def test_an_expression_that_is_no_condition_is_refused(expression: pl.Expr, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        matching_expression(expression, table())


def test_values_as_text() -> None:
    values = table()
    for column, value, items in (
        ("price", "50", [1]),
        ("price", "much", []),
        ("brand", "X", [0]),
        ("brand", "Z", []),
        ("tags", "b", [0, 1, 3]),
        ("since", "1970-01-02", [0, 3]),
        ("year", "1999", [0]),
    ):
        assert np.flatnonzero(with_value(column, value, values, "boost")).tolist() == items
