"""Columns that number rows are left out, and columns of a plain name never are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.index_columns import without_index

LOG = pd.DataFrame({"user_id": ["a", "a", "b"], "item_id": [1, 2, 2], "timestamp": [1.5e9, 1.6e9, 1.4e9]})
ITEMS = pd.DataFrame({"item_id": [1, 2], "brand": ["x", "y"]})


def left_out(values: list[object], name: str) -> bool:
    frame, notes = without_index(pl.DataFrame({name: values, "other": values}, strict=False))
    assert frame.columns == (["other"] if notes else [name, "other"])
    return bool(notes)


def test_the_index_that_pandas_wrote_is_left_out_with_a_note(tmp_path: Path) -> None:
    LOG.sample(frac=1, random_state=1).to_parquet(tmp_path / "interactions.parquet")
    ITEMS.to_csv(tmp_path / "items.csv")
    dataset = Dataset.load(tmp_path)
    assert dataset.sequences.behaviours == {} and list(dataset.item_attributes) == ["brand"]
    said = "is not used, it is the index that a frame library wrote"
    assert f"interactions.parquet: column '__index_level_0__' {said}" in dataset.notes
    assert f"items.csv: column '' {said}" in dataset.notes


@pytest.mark.parametrize("name", ["__index_level_0__", "__index_level_1__", "Unnamed: 0", "", " ", "...1"])
def test_names_that_only_libraries_give_are_left_out_whatever_they_hold(name: str) -> None:
    assert left_out([7, 3, 9], name) and left_out(["p", "q", "q"], name)


@pytest.mark.parametrize("name", ["X", "x", "rownames", "row.names", "index", "level_0", "_c0", "row_number"])
def test_names_that_a_person_may_give_are_left_out_where_they_number_rows(name: str) -> None:
    assert left_out([0, 1, 2], name) and left_out([1, 2, 3], name) and left_out([2, 0, 1], name)
    assert left_out([3, 8, 20], name) and left_out(["1", "2", "3"], name)
    assert not left_out([3, 20, 8], name) and not left_out([0, 0, 1], name) and not left_out([0, None, 1], name)
    assert not left_out([0.5, 1.5, 2.5], name) and not left_out(["a", "b", "c"], name)


@pytest.mark.parametrize("name", ["number", "year", "position", "id", "xy", "indexed", "stock"])
def test_a_plain_name_is_never_left_out(name: str) -> None:
    assert not left_out([0, 1, 2], name) and not left_out([1, 2, 3], name)


def test_a_declared_index_column_is_read() -> None:
    items = ITEMS.assign(index=[0, 1])
    assert "index" not in Dataset.from_frames(LOG, items).item_attributes
    assert "index" in Dataset.from_frames(LOG, items, kinds={"items.index": "numeric"}).item_attributes


def test_an_index_can_be_mapped_to_a_role() -> None:
    renamed = LOG.rename(columns={"item_id": "index"})
    assert Dataset.from_frames(renamed, columns={"item_id": "index"}).item_ids.to_list() == [1, 2]
