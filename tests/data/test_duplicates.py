"""Interactions that stand in the table more than once: told, and kept, dropped or counted."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Dataset
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame(
    {
        "user_id": [1, 1, 1, 1, 2],
        "item_id": [7, 8, 7, 7, 7],
        "timestamp": [5, 6, 5, 5, 5],
        "price": [1.0, 2.0, 1.0, 3.0, 1.0],
    }
)
TOLD = "interactions: 1 of 5 rows repeat an earlier row in every column and "


def test_repeated_rows_are_kept_and_told() -> None:
    dataset = Dataset.from_frames(LOG)
    assert len(dataset.sequences.items) == 5
    hint = "are kept as acts of their own (duplicates='drop' leaves them out, 'count' adds them up)"
    assert TOLD + hint in dataset.notes
    near = "interactions: 1 rows repeat user, item and time of an earlier row with other values, and are kept"
    assert near in dataset.notes


def test_repeated_rows_can_be_dropped() -> None:
    dataset = Dataset.from_frames(LOG, duplicates="drop")
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [7, 7, 8, 7]
    assert dataset.sequences.behaviours["price"].tolist() == [1.0, 3.0, 2.0, 1.0]
    assert TOLD + "are left out" in dataset.notes


def test_repeated_rows_can_be_counted() -> None:
    dataset = Dataset.from_frames(LOG, duplicates="count")
    assert dataset.sequences.behaviours["count"].tolist() == [2, 1, 1, 1]
    assert dataset.sequences.behaviours["price"].tolist() == [1.0, 3.0, 2.0, 1.0]
    assert TOLD + "are added up in the behaviour attribute 'count'" in dataset.notes


def test_a_table_given_twice_is_told(tmp_path: Path) -> None:
    distinct = LOG.unique(maintain_order=True)
    pl.concat([distinct, distinct]).write_csv(tmp_path / "interactions.csv")
    dataset = Dataset.load(tmp_path)
    assert any("4 of 8 rows repeat an earlier row" in note for note in dataset.notes)
    (tmp_path / "dataset.json").write_text(json.dumps({"duplicates": "drop"}))
    assert len(Dataset.load(tmp_path).sequences.items) == 4
    assert len(Dataset.load(tmp_path, duplicates="keep").sequences.items) == 8


def test_an_unused_column_tells_rows_apart() -> None:
    log = LOG.with_columns(receipt=pl.Series(["a", "b", "c", "d", "e"]))
    dataset = Dataset.from_frames(log, duplicates="drop")
    assert len(dataset.sequences.items) == 5
    assert any("2 rows repeat user, item and time of an earlier row" in note for note in dataset.notes)


def test_without_repeats_nothing_is_said() -> None:
    notes = Dataset.from_frames(LOG.unique("item_id", maintain_order=True)).notes
    assert not any("repeat" in note for note in notes)


def test_a_column_count_cannot_be_counted_into() -> None:
    with pytest.raises(DataError, match="column 'count': the table has a column 'count'"):
        Dataset.from_frames(LOG.rename({"price": "count"}), duplicates="count")


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"duplicates='remove' is not known. Use one of: keep, drop, count"):
        Dataset.from_frames(LOG, duplicates="remove")  # type: ignore[arg-type]


EVENT = st.tuples(
    st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.sampled_from([None, 0.5, float("nan"), 1.5])
)


@pytest.mark.slow
@given(st.lists(EVENT, min_size=1, max_size=30))
def test_what_is_dropped_is_what_unique_drops(events: list[tuple[int, int, int, float | None]]) -> None:
    log = pl.DataFrame(events, schema=["user_id", "item_id", "timestamp", "price"], orient="row", strict=False)
    dropped = Dataset.from_frames(log, duplicates="drop")
    expected = Dataset.from_frames(log.unique(maintain_order=True), duplicates="keep")
    assert dropped.sequences.items.tolist() == expected.sequences.items.tolist()
    counted = Dataset.from_frames(log, duplicates="count")
    assert counted.sequences.items.tolist() == expected.sequences.items.tolist()
    assert counted.sequences.behaviours["count"].sum() == len(log)
