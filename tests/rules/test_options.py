"""Rules in every form that they may be written in, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attrformer import ConfigurationError, NewItemsRule, Rules
from attrformer.rules.options import RULES, help_of

FULL: dict[str, Any] = {
    "where": "price < 50",
    "boost": {"brand": {"X": 0.5}, "year": {"1999": -1.0}},
    "at_most": {"brand": 2},
    "diversity": 0.3,
    "new_items": {"share": 0.2, "within": "30d", "last": False},
    "pinned": [[1, 7], [3, "a"]],
}


def test_rules_are_the_same_through_json_yaml_and_python(tmp_path: Path) -> None:
    rules = Rules(**FULL)
    assert rules.to_dict() == FULL and set(FULL) == set(RULES)
    assert Rules.from_dict(json.loads(json.dumps(rules.to_dict()))) == rules
    rules.to_yaml(tmp_path / "rules.yaml")
    assert Rules.from_yaml(tmp_path / "rules.yaml") == rules
    assert Rules.from_dict(FULL).key == rules.key != Rules(**FULL | {"diversity": 0.0}).key


def test_pinned_items_may_be_written_in_several_forms(tmp_path: Path) -> None:
    pairs = ((1, "a"), (2, "b"))
    for form in ({2: "b", 1: "a"}, {"1": "a", "2": "b"}, ["a", "b"], [(2, "b"), (1, "a")], [[1, "a"], [2, "b"]]):
        assert Rules(pinned=form).pinned == pairs
        assert Rules.from_dict({"pinned": form}).pinned == pairs
    assert Rules(pinned=list(np.array([3, 4]))).pinned == ((1, 3), (2, 4))
    (tmp_path / "rules.yaml").write_text("pinned: {2: b, 1: a}\n", encoding="utf-8")
    assert Rules.from_yaml(tmp_path / "rules.yaml").pinned == pairs


def test_keys_of_boosts_are_values_as_attributes_write_them() -> None:
    boost = {"year": {1999: 1, 2005.0: 2}, "sold": {True: -1}}
    assert Rules(boost=boost).boosts == [(("year", "1999"), 1.0), (("year", "2005"), 2.0), (("sold", "true"), -1.0)]
    assert Rules(boost=[("price < 5", 2)]).boosts == [("price < 5", 2.0)]


def test_rules_without_any_are_none() -> None:
    assert not Rules() and Rules(diversity=0.1) and Rules(new_items={}) and Rules(new_items={"share": 0, "last": True})


@pytest.mark.parametrize(
    ("within", "seconds"), [(None, None), ("30d", 2_592_000.0), ("1.5h", 5400.0), (timedelta(minutes=2), 120.0)]
)
def test_spans(within: Any, seconds: float | None) -> None:
    assert NewItemsRule(within=within).seconds == seconds


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"wher": "a < 1"}, "Did you mean where"),
        ({"where": 5}, "'where' takes text"),
        ({"diversity": 2}, "diversity is 2.0. Give a number from 0 to 1"),
        ({"at_most": {"a": 0}}, "at_most.a is 0"),
        ({"at_most": {"a": True}}, "at_most.a"),
        ({"pinned": {"x": 1}}, "pinned"),
        ({"pinned": {0: 1}}, "position of pinned is 0"),
        ({"pinned": ["a", "a"]}, "item a twice"),
        ({"pinned": [(1, "a"), (1, "b")]}, "position 1 twice"),
        ({"pinned": "a"}, "pinned"),
        ({"boost": {"a": 1}}, "boost"),
        ({"boost": [("a < 1", float("inf"))]}, "boost is inf"),
        ({"new_items": {"share": 2}}, "share is 2.0"),
        ({"new_items": {"share": 0}}, "share is 0.0"),
        ({"new_items": {"share": -0.1, "last": True}}, "share is -0.1"),
        ({"new_items": {"within": "3y"}}, "within is '3y'"),
        ({"new_items": {"within": "0d"}}, "within is '0d'"),
    ],
)
def test_what_no_rule_is_is_refused(rules: dict[str, Any], said: str) -> None:
    for make in (lambda: Rules(**rules), lambda: Rules.from_dict(rules)):
        with pytest.raises(ConfigurationError, match=said.replace("(", r"\(")):
            make()


def test_every_rule_has_its_help() -> None:
    assert all(help_of(name) for name in RULES) and help_of("share", NewItemsRule)
