"""Nested values of Python keep their fractions and fields, whichever comes first."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from attrformer.data.python_values import mixed_series, series_of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 2], None, [0.5, 1]], [[1.0, 2.0], None, [0.5, 1.0]]),
        ([(1, 2), [3]], [[1, 2], [3]]),
        ([np.array([1, 2]), None, np.array([0.5, 1.0])], [[1.0, 2.0], None, [0.5, 1.0]]),
        ([{"a": 1}, None, {"b": 0.5}], [{"a": 1, "b": None}, None, {"a": None, "b": 0.5}]),
        ([{"a": 1}, {"a": 0.5, "b": True}], [{"a": 1.0, "b": None}, {"a": 0.5, "b": True}]),
        ([{}, None], [{}, None]),
        ([[["a"], ["b", "c"]], None], [[["a"], ["b", "c"]], None]),
        ([[{"tag": "a", "score": 0.5}], []], [[{"tag": "a", "score": 0.5}], []]),
        (["x", None], ["x", None]),
        ([1, None], [1, None]),
    ],
)
def test_nothing_is_cut_to_the_type_of_the_first_value(values: list[Any], expected: list[Any]) -> None:
    assert series_of("x", values).to_list() == expected


def test_values_of_several_kinds_are_refused() -> None:
    with pytest.raises((TypeError, pl.exceptions.PolarsError)):
        series_of("x", [1, "a"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "a", None], ["1", "a", None]),
        ([["a"], "b", None], [["a"], ["b"], []]),
        ([{"a": 0.5}, "a:1", None], ["{'a': 0.5}", "a:1", None]),
        ([["a", "b"], "a > b", [["a"]]], ["['a', 'b']", "a > b", "[['a']]"]),
        ([[1, 2], [0.5]], [[1.0, 2.0], [0.5]]),
    ],
)
def test_values_of_several_kinds_become_text_where_they_are_to_be_one_column(values: Any, expected: Any) -> None:
    assert mixed_series("x", values).to_list() == expected
