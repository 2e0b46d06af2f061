"""Rules that cannot be used are refused with a sentence that says what to do."""

from __future__ import annotations

import warnings
from typing import Any

import polars as pl
import pytest

from attrformer import (
    AttrFormer,
    ConfigurationError,
    DataError,
    RuleError,
    UnknownIdError,
    UnknownValueWarning,
)

USERS = [f"user-{n:04d}" for n in (1, 2, 3, 40)]


@pytest.mark.parametrize(
    ("rules", "error", "said"),
    [
        ({"where": "prise < 3"}, RuleError, "Did you mean 'price'"),
        ({"where": pl.col("prise") < 3}, ConfigurationError, "Did you mean 'price'"),
        ({"where": 5}, ConfigurationError, "where"),
        ({"rules": {"wher": "price < 3"}}, ConfigurationError, "Did you mean where"),
        ({"at_most": {"bran": 1}}, ConfigurationError, "Did you mean 'brand'"),
        ({"boost": {"bran": {"X": 1}}}, ConfigurationError, "Did you mean 'brand'"),
        ({"boost": [("prise < 3", 1)]}, RuleError, r"^boost, character 1 \('prise < 3'\): .*Did you mean 'price'"),
        ({"boost": [("price <", 1)]}, RuleError, r"^boost, character 8 \(the end\)"),
        ({"boost": [("price = 3", 1)]}, RuleError, r"^boost, character 7 .*Write =="),
        ({"boost": [("price < 1" + " " * 20_000, 1)]}, RuleError, "^boost has 20,009 characters"),
        ({"pinned": ["thing"]}, UnknownIdError, "pinned: 'thing'"),
        ({"pinned": {11: "item-0001"}}, ConfigurationError, "position 11 of lists of 10"),
        ({"rules": 5}, ConfigurationError, "rules is 5"),
        ({"candidates": {USERS[0]: "item-0001"}}, DataError, "no list of item ids"),
        ({"candidates": {USERS[0]: ["thing"]}}, UnknownIdError, "candidates: 'thing'"),
        ({"item_values": {"item-0001": 5}, "where": "price < 1"}, DataError, "by column"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(
    model: AttrFormer, rules: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        model.recommend(USERS, **rules)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"where": 'brand != "Lumara"'}, "where: no item has 'Lumara' in column 'brand'. Did you mean 'Lumaro'"),
        ({"where": 'price < 0 or brand == "LUMARO"'}, "where: no item has 'LUMARO' in column 'brand'. Did you mean"),
        (
            {"where": 'brand not in ["Lumaro", "qqqq"]'},
            "where: no item has 'qqqq' in column 'brand'. There are such as",
        ),
        (
            {"where": 'category not contains "Tool"'},
            "where: no item has 'Tool' in column 'category'. Did you mean 'Tools'",
        ),
        (
            {"boost": [('brand == "Lumara"', 1)]},
            "boost: no item has 'Lumara' in column 'brand'. Did you mean 'Lumaro'",
        ),
        ({"boost": {"brand": {"Lumara": 1}}}, "boost: no item has 'Lumara' in column 'brand'. Did you mean 'Lumaro'"),
    ],
)
def test_a_value_that_no_item_has_is_warned_of_each_time(model: AttrFormer, rules: dict[str, Any], said: str) -> None:
    for _ in range(2):
        with pytest.warns(UnknownValueWarning) as told:
            model.recommend(USERS, k=3, **rules)
        own = [str(each.message) for each in told if each.category is UnknownValueWarning]
        assert len(own) == 1 and own[0].startswith(said)
    with pytest.warns(UnknownValueWarning):
        model.explain(USERS[:1], k=1, **rules)


def test_of_many_values_that_no_item_has_the_first_are_named_and_the_others_counted(model: AttrFormer) -> None:
    names = ", ".join(f'"no {number:03d}"' for number in range(100))
    with pytest.warns(UnknownValueWarning) as told:
        model.recommend(USERS, k=3, where=f"brand not in [{names}]", boost={"brand": {"no 000": 1, "no 100": 1}})
    own = [str(each.message) for each in told if each.category is UnknownValueWarning]
    assert [sentence[:29] for sentence in own[:3]] == [f"where: no item has 'no {number:03d}' i" for number in range(3)]
    assert own[3:] == ["rules: no item has 99 more of the values in them."]


def test_values_that_items_have_are_not_warned_of(model: AttrFormer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownValueWarning)
        model.recommend(USERS, k=3, where='brand != "Lumaro" and price != 0.125', boost={"price": {"0.125": 1}})


def test_unknown_pinned_items_can_be_left_out(model: AttrFormer) -> None:
    found = model.recommend(USERS[:1], k=3, pinned=["thing", "item-0006"], on_unknown="skip")
    assert found["item_id"].to_list()[1] == "item-0006"
