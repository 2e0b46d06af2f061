"""Rules at many times against the same rules prepared for each time by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.expressions import ROWS, conditions
from tests.rules.test_values_at_a_time import Change, changes, times, values_of

from attrformer.rules import over_time
from attrformer.rules.compiled import CompiledRules, compile_rules
from attrformer.rules.conditions import Condition
from attrformer.rules.item_values import ItemValues
from attrformer.rules.options import NewItemsRule, Rules
from attrformer.rules.over_time import RulesOverTime
from attrformer.rules.selection import Limit

NEVER = np.arange(len(ROWS)) % 3 == 0


def pinned(ids: list[Any]) -> Any:
    return np.array([int(each) for each in ids], dtype=np.int64)


def new_at(time: int) -> Any:
    return NEVER | (np.arange(len(ROWS)) > time)


def reference(rules: Rules, values: ItemValues, time: int) -> CompiledRules:
    def is_new(rule: NewItemsRule) -> Any:
        return NEVER if rule.within is None else new_at(time)

    return compile_rules(rules, None, values.at(time), len(ROWS), pinned, is_new)


def alike(limit: Limit) -> Any:
    """Which items share a value, bool `[items, items]`, by whatever codes."""
    each = [
        set(limit.codes[first:last].tolist()) for first, last in zip(limit.offsets, limit.offsets[1:], strict=False)
    ]
    return np.array([[bool(one & other) for other in each] for one in each])


def require_same(found: CompiledRules, wanted: CompiledRules) -> None:
    for name in ("open", "open_items", "boost", "added", "new"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        assert one is None or (one.dtype == other.dtype and (one == other).all()), name
    assert (found.n_items, found.pinned, found.share) == (wanted.n_items, wanted.pinned, wanted.share)
    assert found.diversity == wanted.diversity
    assert [(each.column, each.most) for each in found.limits] == [(each.column, each.most) for each in wanted.limits]
    for mine, own in zip(found.limits, wanted.limits, strict=True):
        assert (alike(mine) == alike(own)).all()


@pytest.mark.slow
@pytest.mark.parametrize("apart", [1, 1 << 16], ids=["states are kept", "one state"])
@given(
    batches=st.lists(st.lists(changes, max_size=8), max_size=3),
    condition=st.none() | conditions,
    boosted=conditions,
    asked=st.lists(times, max_size=9),
    within=st.sampled_from([None, "8h"]),
)
def test_rules_at_many_times_are_those_of_each_time(
    apart: int,
    batches: list[list[Change]],
    condition: Condition | None,
    boosted: Condition,
    asked: list[int],
    within: str | None,
) -> None:
    values = values_of(batches)
    rules = Rules(
        where=None if condition is None else str(condition),
        boost=((str(boosted), 0.5), ("price < 50", -1.0)),
        at_most={"brand": 1, "price": 2, "tags": 1},
        new_items=NewItemsRule(0.5, within),
        pinned={2: "1"},
    )
    before = over_time._APART
    over_time._APART = apart  # type: ignore[misc]
    try:
        many = RulesOverTime(rules, values, reference(rules, values, 99), new_at)
    finally:
        over_time._APART = before  # type: ignore[misc]
    ordered = np.sort(np.array(asked, dtype=np.int64))
    found = list(many.at(ordered))
    assert [place for _, start, stop in found for place in range(start, stop)] == list(range(len(ordered)))
    for one, start, stop in found:
        for time in ordered[start:stop].tolist():
            require_same(one, reference(rules, values, time))


def test_what_was_yielded_before_stays_as_it_was() -> None:
    values = values_of([[("price", 0, 1, 9.5), ("price", 0, 3, 50.0)]])
    rules = Rules(where="price < 10")
    many = RulesOverTime(rules, values, reference(rules, values, 0), None)
    first, second = (one.open for one, _, _ in many.at(np.array([2, 3])))
    assert first is not None and second is not None and first[0] and not second[0]


def test_times_at_which_nothing_changes_share_their_rules() -> None:
    values = values_of([[("price", 0, 1, 9.5), ("brand", 0, 5, "X")]])
    rules = Rules(where="price < 10")
    many = RulesOverTime(rules, values, reference(rules, values, 0), None)
    assert [(start, stop) for _, start, stop in many.at(np.array([-3, 0, 1, 4, 5, 9]))] == [(0, 2), (2, 6)]
