"""Paths of levels: every level is a value, in whatever form the paths come."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Attribute, Dataset
from attrformer.errors import DataError


def read(values: Any, separator: str = "", dtype: Any = None) -> Attribute:
    """The attribute of items 0, 1, ... with these values."""
    count = len(values)
    log = pl.DataFrame({"user_id": range(count), "item_id": range(count)})
    items = pl.DataFrame({"item_id": range(count), "path": pl.Series(values, dtype=dtype)})
    separators = {"path": separator} if separator else {}
    dataset = Dataset.from_frames(log, items, kinds={"path": "hierarchy"}, separators=separators)
    return dataset.item_attributes["path"]


def values_of(attribute: Attribute) -> list[list[str]]:
    """The values of each item."""
    bounds = attribute.offsets.tolist()
    codes = [attribute.codes[start:end] for start, end in pairwise(bounds)]
    return [[attribute.vocabulary[code] for code in row] for row in codes]


def test_every_level_is_a_value_with_those_above_it() -> None:
    found = read(["Beauty > Hair > Brushes", "Beauty>Hair", " Toys ", None])
    assert found.vocabulary == ("Beauty", "Beauty > Hair", "Beauty > Hair > Brushes", "Toys")
    assert values_of(found) == [
        ["Beauty", "Beauty > Hair", "Beauty > Hair > Brushes"],
        ["Beauty", "Beauty > Hair"],
        ["Toys"],
        [],
    ]


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["A|B|C", "A|D"], "|"),
        (["A / B/C", "A /D"], " / "),
        ([["A", "B", "C"], ["A", "D"]], ""),
        ([["A", None, "B", "", "C"], [" A ", "D"]], ""),
        ([[["A", "B", "C"], ["A"]], [["A", "D"]]], ""),
        ([["A > B > C", "A > B"], ["A > D"]], ""),
        (["['A', 'B', 'C']", '["A", "D"]'], ""),
        (["[['A', 'B', 'C'], ['A', 'B']]", "[['A', 'D']]"], ""),
        (["A > > B > C > ", "> A > D"], ""),
    ],
)
def test_all_forms_of_the_same_paths_are_read_alike(values: list[Any], separator: str) -> None:
    found = read(values, separator)
    assert found.vocabulary == ("A", "A > B", "A > B > C", "A > D")
    assert values_of(found) == [["A", "A > B", "A > B > C"], ["A", "A > D"]]


def test_several_paths_of_an_item_are_the_union_of_their_levels() -> None:
    found = read([[["A", "B"], ["C", "B"], ["A"]], [["A"]]])
    assert values_of(found) == [["A", "A > B", "C", "C > B"], ["A"]]


def test_levels_of_one_name_below_different_ones_are_different_values() -> None:
    assert read(["Men > Shoes", "Women > Shoes"]).vocabulary == ("Men", "Men > Shoes", "Women", "Women > Shoes")


def test_numbers_are_levels_and_names_in_brackets_are_names() -> None:
    assert read([[1, 2], [1]]).vocabulary == ("1", "1 > 2")
    assert read(["[REC]", "(a > b)"]).vocabulary == ("(a", "(a > b)", "[REC]")


def test_mappings_are_no_paths() -> None:
    with pytest.raises(DataError, match=r"items, column 'path': values of type .*Struct.* are no paths of levels"):
        read([{"a": "x"}, {"a": "y"}])


@given(st.lists(st.lists(st.text(alphabet="ab >|,", max_size=6), max_size=4), min_size=1, max_size=5))
def test_a_depth_is_the_number_of_separators_and_parents_are_there(rows: list[list[str]]) -> None:
    for values in values_of(read(rows, dtype=pl.List(pl.String))):
        for value in values:
            levels = value.split(" > ")
            assert all(level.strip(" >") == level != "" for level in levels)
            assert len(levels) == 1 or " > ".join(levels[:-1]) in values
