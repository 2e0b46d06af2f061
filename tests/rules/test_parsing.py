"""What a condition says, exactly; what it writes it reads again; errors point at the place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rules.expressions import conditions, texts

from attrformer.errors import ConfigurationError, RuleError
from attrformer.rules.conditions import Among, And, Column, Compare, Condition, Contains, Date, Missing, Not, Or, leaves
from attrformer.rules.parsing import MOST_CHARACTERS, MOST_CONDITIONS, MOST_NESTED, parse

PRICE, BRAND = Column("price"), Column("brand")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("price < 50", Compare(PRICE, "<", 50.0)),
        ("price>=-1.5e2", Compare(PRICE, ">=", -150.0)),
        ("price<.5", Compare(PRICE, "<", 0.5)),
        ('brand == "X"', Compare(BRAND, "==", "X")),
        ("brand != 'it\\'s'", Compare(BRAND, "!=", "it's")),
        ('brand == "a \\"b\\" \\\\"', Compare(BRAND, "==", 'a "b" \\')),
        ("price < cost", Compare(PRICE, "<", Column("cost"))),
        ("in_stock == true", Compare(Column("in_stock"), "==", True)),
        ("in_stock == False", Compare(Column("in_stock"), "==", False)),
        ("since > 2024-05-31", Compare(Column("since"), ">", Date(1_717_113_600))),
        ("since > 2024-05-31T10:30", Compare(Column("since"), ">", Date(1_717_151_400))),
        ("since > 2024-05-31 10:30:05", Compare(Column("since"), ">", Date(1_717_151_405))),
        ('brand in ["X", "Y"]', Among(BRAND, ("X", "Y"))),
        ("price NOT IN [1, 2]", Among(PRICE, (1.0, 2.0), True)),
        ('tags contains "a"', Contains(Column("tags"), "a")),
        ('tags not contains "a"', Contains(Column("tags"), "a", True)),
        ("brand is missing", Missing(BRAND)),
        ("brand is not missing", Missing(BRAND, True)),
        ("`list price` < 2", Compare(Column("list price"), "<", 2.0)),
        ("`a``b` < 2", Compare(Column("a`b"), "<", 2.0)),
        ("`not` < 2", Compare(Column("not"), "<", 2.0)),
        ("größe.cm < 2", Compare(Column("größe.cm"), "<", 2.0)),
        ("not not brand is missing", Not(Not(Missing(BRAND)))),
    ],
)
def test_a_text_says_one_condition(text: str, condition: Condition) -> None:
    assert parse(text) == condition
    assert parse(str(condition)) == condition


def test_not_binds_closer_than_and_and_and_closer_than_or() -> None:
    a, b, c = (Missing(Column(name)) for name in "abc")
    text = "a is missing or b is missing and not c is missing"
    assert parse(text) == Or((a, And((b, Not(c)))))
    assert parse("(a is missing or b is missing) and c is missing") == And((Or((a, b)), c))
    assert parse("a is missing and (b is missing and c is missing)") == And((a, And((b, c))))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(conditions)
def test_what_a_condition_writes_reads_the_same(condition: Condition) -> None:
    again = parse(str(condition))
    assert again == condition and str(again) == str(condition)


WORDS = ["a", "<", "1", "and", "not", "(", ")", '"x"', "[", "in"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_read_or_refused_by_a_typed_error(text: str) -> None:
    try:
        assert parse(str(parse(text))) == parse(text)
    except RuleError as error:
        assert 0 <= error.at <= len(text) and str(error).startswith("where")


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=20) | texts)
def test_any_text_can_be_a_value_and_any_name_a_column(text: str) -> None:
    assert parse(str(Compare(Column(text), "==", text))) == Compare(Column(text), "==", text)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("", 0, "the condition is empty"),
        ("price <", 7, "a value or a column, not the end"),
        ("price < 50 and", 14, "a column is expected here"),
        ('brand = "X"', 6, "Write =="),
        ("a < 1 && b < 2", 6, "Write and"),
        ("price < 50 brand", 11, "Join conditions with and, or"),
        ("(price < 50", 11, "parenthesis of character 1 is not closed"),
        ("price < 50)", 10, "a condition ends before ')'"),
        ('brand in "X"', 9, "after in comes a list"),
        ('brand in ["X"', 13, "the list is not closed"),
        ("brand in [X]", 10, 'Write "X" in quotation marks'),
        ("50 < price", 0, "a column is expected here"),
        ("since > 2024-13-01", 8, "no date of the calendar"),
        ('brand == "X', 9, "not closed"),
        ("price == 5x", 9, "this is no number"),
        ("price is null", 9, "after is comes missing"),
        ("price", 5, "after a column comes"),
        ("price == 1e999", 9, "too large"),
        ("price < 5 ; drop", 10, "means nothing here"),
        ("__import__('os')", 0, ""),
    ],
)
def test_errors_point_at_the_place(text: str, at: int, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert caught.value.at >= at and said in str(caught.value)
    assert f"character {caught.value.at + 1} " in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


def test_a_condition_is_limited_in_length_conditions_and_depth() -> None:
    parse(" and ".join(["a < 1"] * MOST_CONDITIONS))
    for text in (
        "a < 1" + " " * MOST_CHARACTERS,
        " and ".join(["a < 1"] * (MOST_CONDITIONS + 1)),
        "(" * (MOST_NESTED + 1) + "a < 1" + ")" * (MOST_NESTED + 1),
        "not " * 5000 + "a < 1",
    ):
        with pytest.raises(RuleError, match="at most"):
            parse(text)


def test_leaves_come_from_left_to_right() -> None:
    found = leaves(parse("a < 1 and (b < 2 or not c < 3)"))
    assert [leaf.column.name for leaf in found] == ["a", "b", "c"]
