"""Values of all items: kept, grown, laid over, stored and looked through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.rules.expressions import ROWS, coded, table

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.rules.columns import numbers_attribute
from attrformer.rules.item_values import ItemValues
from attrformer.rules.matching import matching
from attrformer.rules.parsing import parse


def where(values: ItemValues, text: str) -> list[int]:
    return np.flatnonzero(matching(parse(text), values)).tolist()


def test_a_frame_has_the_values_as_they_are() -> None:
    frame = table().frame(["price", "brand", "tags", "since"])
    assert frame["price"].to_list() == [9.5, 50.0, None, -2.0]
    assert frame["brand"].to_list() == ["X", "Y", None, 'q"\\']
    assert [sorted(tags or []) for tags in frame["tags"].to_list()] == [sorted(row["tags"]) for row in ROWS]
    assert [None if day is None else day.isoformat() for day in frame["since"].to_list()] == [
        "1970-01-02T00:00:00+00:00",
        "1970-01-03T00:00:00+00:00",
        None,
        "1970-01-02T00:00:00+00:00",
    ]


def test_vectors_and_texts_are_not_kept() -> None:
    vector = Attribute("v", AttributeKind.VECTOR, np.zeros(5, np.int64), np.empty(0, np.int32), (), np.empty(0))
    assert list(ItemValues.of({"v": vector, **table().columns}, 4).columns) == list(table().columns)


def test_new_items_bring_values_and_new_ones_among_them() -> None:
    more = {"brand": coded("brand", AttributeKind.CATEGORICAL, [["New"], ["X"]])}
    more["price"] = numbers_attribute("price", AttributeKind.NUMERIC, np.array([1.0, np.nan]))
    grown = table().with_items(more, 2)
    assert grown.n_items == 6
    assert where(grown, 'brand == "New"') == [4] and where(grown, 'brand == "X"') == [0, 5]
    assert where(grown, "price < 5") == [3, 4] and where(grown, "tags is missing") == [2, 4, 5]
    grown.check()


def test_values_of_a_request_replace_those_of_some_items() -> None:
    given = {
        "brand": coded("brand", AttributeKind.CATEGORICAL, [["X"], []]),
        "shelf": numbers_attribute("shelf", AttributeKind.NUMERIC, np.array([7.0, 8.0])),
    }
    over = table().overlaid(np.array([3, 1]), given)
    assert where(over, 'brand == "X"') == [0, 3] and where(over, "brand is missing") == [1, 2]
    assert where(over, "shelf == 7") == [3] and where(over, "shelf is missing") == [0, 2]
    assert where(over, "price == 50") == [1]
    over.check()
    assert where(table(), 'brand == "X"') == [0]


def test_values_are_stored_as_arrays() -> None:
    arrays, described = table().to_arrays()
    again = ItemValues.from_arrays(4, arrays, described)
    again.check()
    names = list(table().columns)
    assert again.frame(names).equals(table().frame(names))
    with pytest.raises(KeyError):
        ItemValues.from_arrays(4, {}, described)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("price", {"numbers": np.zeros(3)}),
        ("price", {"numbers": np.zeros(4, np.float32)}),
        ("brand", {"codes": np.array([0, 1, 9], np.int32)}),
        ("brand", {"codes": np.array([0, -1, 1], np.int32)}),
        ("brand", {"offsets": np.array([0, 2, 1, 3, 3])}),
        ("brand", {"offsets": np.array([0, 1, 2, 2, 9])}),
        ("brand", {"vocabulary": (1, 2, 3)}),
    ],
)
def test_damaged_values_are_noticed(column: str, change: dict[str, object]) -> None:
    columns = dict(table().columns)
    columns[column] = replace(columns[column], **change)
    with pytest.raises(ValueError, match=column):
        ItemValues(4, columns).check()
