"""Rules that cannot be used are refused with a sentence that says what to do."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from attrformer import (
    AttrFormer,
    ConfigurationError,
    DataError,
    RuleError,
    UnknownIdError,
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


def test_unknown_pinned_items_can_be_left_out(model: AttrFormer) -> None:
    found = model.recommend(USERS[:1], k=3, pinned=["thing", "item-0006"], on_unknown="skip")
    assert found["item_id"].to_list()[1] == "item-0006"
