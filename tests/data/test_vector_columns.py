"""Vectors and places: inferred, declared, and refused with the row that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Attribute, AttributeKind, Dataset, core_filter
from attrformer.errors import DataError

NAN = float("nan")


def dataset_of(values: Any, **options: Any) -> Dataset:
    """A dataset whose items 0, 1, ... have a column `value`."""
    count = len(values)
    log = pl.DataFrame({"user_id": range(count), "item_id": range(count)})
    values = values if isinstance(values, pl.Series) else pl.Series(values)
    items = pl.DataFrame({"item_id": range(count)}).with_columns(values.alias("value"))
    return Dataset.from_frames(log, items, **options)


def declared(values: Any, kind: str, separator: str = "") -> Attribute:
    separators = {"value": separator} if separator else {}
    return dataset_of(values, kinds={"value": kind}, separators=separators).item_attributes["value"]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([[0.5, 1.0], None, [2.0, -1.0]], dtype=pl.Array(pl.Float64, 2)),
        pl.Series([[0.5, 1.0], None, [2.0, -1.0]], dtype=pl.Array(pl.Float32, 2)),
        [[0.5, 1.0], None, [2.0, -1.0]],
        [[0.5, 1.0], [], [2.0, -1.0]],
        [[0.5, 1.0], [NAN, NAN], [2.0, -1.0]],
        ["[0.5, 1.0]", None, "[2, -1]"],
        ["[0.5 1. ]", "", "[ 2. -1.]"],
        ["[0.5, 1e0]", None, " [2.0,-1] "],
        ["[+0.5, +1]", None, "[2, -1.0]"],
        ["[np.float32(0.5), np.float32(1.0)]", None, "[np.float32(2.0), np.float32(-1.0)]"],
        ["(0.5, np.float64(1.0))", None, "(2, -1)"],
    ],
)
def test_lists_of_numbers_of_one_length_are_vectors(values: Any) -> None:
    dataset = dataset_of(values)
    found = dataset.item_attributes["value"]
    assert found.kind is AttributeKind.VECTOR and found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, [[0.5, 1.0], [NAN, NAN], [2.0, -1.0]])
    assert found.known.tolist() == [True, False, True] and len(found) == 3 and not len(found.codes)
    assert "items: column 'value' is read as vector of 2 numbers" in dataset.notes
    assert found.described() == "vector, 2 numbers each"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_of_numpy_in_a_column_of_pandas_are_vectors(dtype: Any) -> None:
    arrays = [np.array([0.5, 1.0], dtype), None, np.array([2.0, -1.0], dtype)]
    items = pd.DataFrame({"item_id": [1, 2, 3], "image": arrays})
    log = pd.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 3]})
    found = Dataset.from_frames(log, items).item_attributes["image"]
    np.testing.assert_array_equal(found.vectors, [[0.5, 1.0], [NAN, NAN], [2.0, -1.0]])


def test_whole_numbers_are_values_unless_they_are_declared_to_be_vectors() -> None:
    values = [[1, 2], [2, 3]]
    assert dataset_of(values).item_attributes["value"].kind is AttributeKind.MULTI
    fixed = pl.Series(values, dtype=pl.Array(pl.Int64, 2))
    assert dataset_of(fixed).item_attributes["value"].kind is AttributeKind.MULTI
    for given_values in (values, fixed, ["[1, 2]", "[2, 3]"]):
        assert declared(given_values, "vector").vectors.tolist() == [[1, 2], [2, 3]]
    assert declared(["1 2", "2  3"], "vector", " ").vectors.tolist() == [[1, 2], [2, 3]]
    assert declared(["1;2", "2; 3"], "vector", ";").vectors.tolist() == [[1, 2], [2, 3]]


def test_lists_of_several_lengths_are_not_used_and_refused_where_they_are_declared() -> None:
    values = [[0.5], [1.0, 2.0], [0.5]]
    dataset = dataset_of(values)
    assert dataset.item_attributes == {}
    assert any("its lists hold 1 to 2 numbers, and vectors have one length" in note for note in dataset.notes)
    with pytest.raises(DataError, match="it holds 2 numbers, and the vector of row 0 holds 1") as caught:
        declared(values, "vector")
    assert (caught.value.column, caught.value.row) == ("value", 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[0.5, 1.0], [NAN, 1.0]], "number 0 of the vector is missing"),
        ([[0.5, 1.0], [1.0, None]], "number 1 of the vector is missing"),
        ([[0.5, 1.0], [1.0, float("inf")]], "number 1 of the vector is not finite"),
        ([[0.5, 1.0], [1e300, 1.0]], "number 0 of the vector is not finite"),
        (["[0.5, 1.0]", "[0.5, nan]"], "number 1 of the vector is missing"),
        (["[0.5, 1.0]", "[0.5, 1e99]"], "number 1 of the vector is not finite"),
    ],
)
def test_vectors_with_gaps_or_infinite_numbers_are_refused(values: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        dataset_of(values)
    assert (caught.value.column, caught.value.row) == ("value", 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["[0.5]", "red"], "'red' is no list of numbers"),
        ([["a"], ["b"]], r"values of type List\(String\) are no vectors"),
        ([0.5, 1.0], "values of type Float64 are no vectors"),
        ([[[0.5]], [[1.0]]], "are no vectors"),
        (["[[0.5]]", "[[1.5]]"], "is no list of numbers"),
    ],
)
def test_what_is_no_vector_is_refused(values: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        declared(values, "vector")


def test_a_vector_that_is_the_same_everywhere_says_nothing_and_zeros_are_a_vector() -> None:
    assert dataset_of([[0.5, 1.0], [0.5, 1.0]]).item_attributes == {}
    assert dataset_of([[0.0, 0.0], [0.5, 1.0]]).item_attributes["value"].known.all()


def test_filters_keep_vectors_with_their_items() -> None:
    log = pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 1, 2, 3]})
    items = pl.DataFrame({"item_id": [3, 2, 1], "v": [[3.5, 0], [2.5, 0], [1.5, 0]], "w": [[1.0], None, None]})
    kept = core_filter(Dataset.from_frames(log, items), 2)
    assert kept.item_attributes["v"].vectors.tolist() == [[1.5, 0], [2.5, 0]]
    # Nothing of the other column is left.
    assert list(kept.item_attributes) == ["v"] and "the attribute w has no value left" in kept.notes[-1]


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["48.25,11.5", None, "-90, 180"], ""),
        (["48.25 11.5", "", "-90;180"], ""),
        (["(48.25, 11.5)", "NA", "[-90, 180]"], ""),
        (["48.25/11.5", None, "-90 / 180"], "/"),
        (['{"lat": 48.25, "lon": 11.5}', None, "{'latitude': -90, 'lng': 180}"], ""),
        ([[48.25, 11.5], None, [-90.0, 180.0]], ""),
        (pl.Series([[48.25, 11.5], None, [-90.0, 180.0]], dtype=pl.Array(pl.Float64, 2)), ""),
        ([{"lon": 11.5, "lat": 48.25}, {"lon": None, "lat": None}, {"lon": 180.0, "lat": -90.0}], ""),
        ([{"Latitude": "48.25", "Longitude": "11.5"}, None, {"Latitude": "-90", "Longitude": "180"}], ""),
    ],
)
def test_all_forms_of_the_same_places_are_read_alike(values: Any, separator: str) -> None:
    found = declared(values, "location", separator)
    assert found.kind is AttributeKind.LOCATION
    np.testing.assert_array_equal(found.vectors, np.array([[48.25, 11.5], [NAN, NAN], [-90, 180]], np.float32))


@pytest.mark.parametrize(
    ("values", "row", "said"),
    [
        (["1,1", "90.5,0"], 1, "90.5 is no latitude, which lies within 90 degrees"),
        ([[1.0, 1.0], [1.0, -181.0]], 1, "-181 is no longitude, which lies within 180 degrees"),
        (["1,1", "north"], 1, "'north' is no latitude and longitude"),
        ([{"lat": 1.0, "lon": 1.0}, {"lat": 1.0, "lon": None}], 1, "only one of latitude and longitude is there"),
        ([{"x": 1.0, "y": 1.0}] * 2, None, "its mappings hold x, y"),
        ([[1.0, 1.0, 1.0]] * 2, None, "its lists have 3 numbers"),
        ([{"lat": "a", "lon": "b"}] * 2, 0, "'a' is no number"),
    ],
)
def test_what_is_no_place_is_refused_with_its_row(values: Any, row: int | None, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        declared(values, "location")
    assert (caught.value.column, caught.value.row) == ("value", row)


def test_two_columns_are_one_location_where_they_are_mapped_to_one_name() -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2]})
    items = pl.DataFrame({"item_id": [1, 2], "lat": [48.25, None], "lon": [11.5, None], "brand": ["x", "y"]})
    dataset = Dataset.from_frames(log, items, columns={"place": "lat, lon"})
    assert list(dataset.item_attributes) == ["brand", "place"]
    np.testing.assert_array_equal(dataset.item_attributes["place"].vectors, [[48.25, 11.5], [NAN, NAN]])
    with pytest.raises(DataError, match="no table has the column that is mapped to 'place'"):
        Dataset.from_frames(log, items, columns={"place": "lat,long"})


@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), min_size=2, max_size=6))
def test_vectors_in_text_are_those_in_lists(rows: list[list[float]]) -> None:
    expected = np.array(rows, dtype=np.float32)
    np.testing.assert_array_equal(declared([str(row) for row in rows], "vector").vectors, expected)
    np.testing.assert_array_equal(declared(rows, "vector").vectors, expected)


def test_a_vector_of_another_length_in_a_row_that_is_not_used_does_not_count() -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2]})
    items = pl.DataFrame({"item_id": [1, 2, 3], "image": [[0.5], [1.5], [0.5, 0.5]]})
    found = Dataset.from_frames(log, items).item_attributes["image"]
    assert found.kind is AttributeKind.VECTOR and found.vectors.tolist() == [[0.5], [1.5]]
