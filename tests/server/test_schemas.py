"""Values of attributes in a request: one, several, a vector, paths, tags with scores."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from attrformer.server.carrying import item_table
from attrformer.server.schemas import AddBody


@pytest.mark.parametrize(
    "value",
    [
        "red",
        7,
        0.5,
        True,
        None,
        ["a", "b"],
        [0, 0.5, -1],
        [["Beauty", "Hair"], ["Tools"]],
        {"calm": 0.5, "loud": 2},
        {"calm": 0.5, "loud": None},
        {"lat": 48.1, "lon": 11},
    ],
)
def test_values_of_every_kind_are_taken_as_they_are(value: Any) -> None:
    body = AddBody.model_validate({"items": [{"item_id": "a", "attributes": {"x": value}}]})
    assert body.items[0].attributes == {"x": value}
    assert type(body.items[0].attributes["x"]) is type(value)


@pytest.mark.parametrize("value", [[0.5, "a"], {"a": "b"}, [[1]], [0.5] * 10_000, float("nan"), {"a": float("inf")}])
def test_what_no_attribute_holds_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        AddBody.model_validate({"items": [{"item_id": "a", "attributes": {"x": value}}]})


def test_numbers_of_several_items_keep_their_fractions() -> None:
    rows = [
        {"item_id": "a", "image": [1, 2], "tags": {"calm": 1}},
        {"item_id": "b", "image": [0.5, 1.0], "tags": {"loud": 0.5}},
    ]
    table = item_table(rows, ["image", "tags"])
    assert table["image"].to_list() == [[1.0, 2.0], [0.5, 1.0]]
    assert table["tags"].to_list() == [{"calm": 1, "loud": None}, {"calm": None, "loud": 0.5}]
    assert isinstance(table["image"].dtype, pl.List)
