"""Tables of changes, as a dataset reads, saves, filters and checks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.data.test_changing_attributes import values_of

from attrformer.data import Dataset, core_filter, keep_items
from attrformer.data.attributes import AttributeKind
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame(
    {"user_id": ["a", "a", "b", "b"], "item_id": ["x", "y", "y", "z"], "timestamp": [10, 20, 15, 30]},
)
CHANGES = pl.DataFrame(
    {
        "item_id": ["x", "x", "y", "x", "y", "w", "z"],
        "timestamp": [25, 5, 12, 5, 12, 1, 40],
        "column": ["price", "price", "price", "brand", "brand", "price", "price"],
        "value": ["2.5", "1", "3", "A", "B", "9", "NA"],
    }
)


def read(changes: Any = CHANGES, log: Any = LOG, **options: Any) -> Dataset:
    return Dataset.from_frames(log, item_changes=changes, **options)


def test_numbers_and_texts_are_told_apart_and_later_values_wait() -> None:
    data = read()
    assert list(data.item_changes) == ["brand", "price"]
    price, brand = data.item_changes["price"], data.item_changes["brand"]
    assert (price.kind, brand.kind) == (AttributeKind.NUMERIC, AttributeKind.CATEGORICAL)
    np.testing.assert_array_equal(data.item_values_at("price", 24).numbers, [1.0, 3.0, np.nan])
    np.testing.assert_array_equal(data.item_values_at("price", 25).numbers, [2.5, 3.0, np.nan])
    np.testing.assert_array_equal(data.item_values_at("price").numbers, [2.5, 3.0, np.nan])
    assert values_of(data.item_values_at("brand", 5)) == ["A", None, None]
    assert "price (numeric, 3 changes)" in repr(data)
    assert any("column 'price' is read as numeric, it changes in time: 3 changes of 2 items" in n for n in data.notes)


def test_the_later_row_of_one_time_holds() -> None:
    twice = pl.DataFrame({"item_id": ["x"] * 3, "timestamp": [5, 5, 4], "column": ["c"] * 3, "value": ["A", "B", "C"]})
    data = read(twice)
    assert data.item_changes["c"].times.tolist() == [4, 5] and values_of(data.item_values_at("c"))[0] == "B"
    assert any("1 row is replaced by a later row with the same item, column and time" in note for note in data.notes)


def test_a_part_of_a_second_is_not_known_before_its_time() -> None:
    log = LOG.with_columns(
        timestamp=pl.Series([1_600_000_000_200, 1_600_000_001_000, 1_600_000_000_999, 1_600_000_005_000])
    )
    changes = pl.DataFrame(
        {
            "item_id": ["x", "y"],
            "timestamp": [1_600_000_000_900, 1_600_000_001_000],
            "column": ["c", "c"],
            "value": ["A", "B"],
        }
    )
    data = read(changes, log)
    assert data.sequences.times is not None and int(data.sequences.times.min()) == 1_600_000_000
    assert data.item_changes["c"].times.tolist() == [1_600_000_001, 1_600_000_001]


@pytest.mark.parametrize("form", ["2020-09-13T12:26:40", "2020-09-13 14:26:40+02:00"])
def test_times_are_read_as_those_of_interactions_are(form: str) -> None:
    changes = pl.DataFrame({"item_id": ["x"], "timestamp": [form], "column": ["c"], "value": ["A"]})
    log = LOG.with_columns(timestamp=pl.lit(1_700_000_000))
    assert read(changes, log).item_changes["c"].times.tolist() == [1_600_000_000]


def test_columns_are_mapped_and_kinds_declared() -> None:
    theirs = CHANGES.rename({"column": "property", "item_id": "itemid"})
    data = read(theirs, columns={"column": "property", "item_id": "itemid"}, kinds={"price": "categorical"})
    assert data.item_changes["price"].vocabulary == ("1", "2.5", "3", "NA")
    assert "brand" not in read(kinds={"item_changes.brand": "ignore"}).item_changes


def test_a_table_of_items_gives_way_to_what_is_known_of_changes() -> None:
    items = pl.DataFrame({"item_id": ["x", "y", "z"], "price": [7.0, 8.0, 9.5], "size": ["S", "S", "M"]})
    data = Dataset.from_frames(LOG, items, item_changes=CHANGES)
    assert list(data.item_attributes) == ["size"]
    assert "items: column 'price' is not used, item_changes says how it changed" in data.notes
    assert data.item_values_at("size") is data.item_attributes["size"]
    kept = Dataset.from_frames(LOG, items, item_changes=CHANGES, kinds={"item_changes.price": "ignore"})
    assert "price" in kept.item_attributes and "price" not in kept.item_changes


def test_what_cannot_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(DataError, match=r"interactions have no times.*leave this table out"):
        read(log=LOG.drop("timestamp"))
    with pytest.raises(DataError, match=r"column 'value'.*missing"):
        read(CHANGES.drop("value"))
    with pytest.raises(DataError, match=r"item_changes, column 'value', row 3: 'A' is not a number \(of 'brand'\)"):
        read(kinds={"item_changes.brand": "numeric"})
    with pytest.raises(ConfigurationError, match=r"'price' to be 'multi'.*'categorical', 'numeric'"):
        read(kinds={"item_changes.price": "multi"})
    with pytest.raises(DataError, match="column 'timestamp', row 2: the time is missing"):
        read(CHANGES.with_columns(timestamp=pl.Series([25, 5, None, 5, 12, 1, 40])))
    with pytest.raises(DataError, match="column 'column', row 1: the id is null"):
        read(CHANGES.with_columns(column=pl.Series(["price", None, *CHANGES["column"][2:]])))
    with pytest.raises(DataError, match="'w' is not in the data"):
        read(on_unknown="raise")
    with pytest.raises(DataError, match=r"no attribute of items has that name. Use one of: brand, price"):
        read().item_values_at("colour")


def test_notes_say_what_is_left_out_or_comes_too_late() -> None:
    notes = read().notes
    assert "item_changes: 1 row about an id without interactions is left out (e.g. 'w')" in notes
    late = read(CHANGES.with_columns(pl.col("timestamp") + 1_000)).notes
    assert any("every change comes after the last interaction" in note for note in late)
    empty = read(pl.concat([CHANGES, CHANGES.head(1).with_columns(column=pl.lit("gap"), value=pl.lit("NA"))]))
    assert "item_changes: column 'gap' is not used, it is empty" in empty.notes


def assert_same_changes(left: Dataset, right: Dataset) -> None:
    assert list(left.item_changes) == list(right.item_changes)
    for name, mine in left.item_changes.items():
        theirs = right.item_changes[name]
        assert (mine.kind, mine.vocabulary) == (theirs.kind, theirs.vocabulary)
        for part in ("offsets", "times", "codes", "numbers"):
            first, second = getattr(mine, part), getattr(theirs, part)
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second)


def test_what_is_saved_comes_back_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count = 300
    many = pl.DataFrame(
        {
            "item_id": rng.choice(["x", "y", "z"], count),
            "timestamp": rng.integers(0, 50, count),
            "column": rng.choice(["price", "tag"], count),
        }
    )
    values = [
        repr(x) if c == "price" else f"t{int(x * 9)}" for c, x in zip(many["column"], rng.random(count), strict=True)
    ]
    data = read(many.with_columns(value=pl.Series(values)))
    data.save(tmp_path)
    loaded = Dataset.load(tmp_path)
    assert_same_changes(loaded, data)
    assert loaded.notes == data.notes
    read(CHANGES.clear()).save(tmp_path)
    assert Dataset.load(tmp_path).item_changes == {}


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_folder_holds_the_table(tmp_path: Path, ending: str) -> None:
    for name, frame in (("interactions", LOG), ("item_changes", CHANGES)):
        path = tmp_path / f"{name}.{ending}"
        {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[ending](path)
    assert_same_changes(Dataset.load(tmp_path), read())


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_frames_of_other_libraries_give_the_same(library: str) -> None:
    def other(frame: pl.DataFrame) -> Any:
        return frame.to_arrow() if library == "pyarrow" else pd.DataFrame(frame.to_dict(as_series=False))

    assert_same_changes(read(other(CHANGES), other(LOG)), read())
    wide = CHANGES.filter(pl.col("column") == "price").with_columns(value=pl.Series([2.5, 1.0, 3.0, 9.0, None]))
    numbers = read(other(wide), other(LOG)).item_changes["price"]
    np.testing.assert_array_equal(numbers.numbers, read().item_changes["price"].numbers)


def test_filters_keep_the_changes_of_the_items_that_stay() -> None:
    data = read()
    kept = keep_items(data, ["x"])
    assert kept.item_changes["brand"].vocabulary == ("A",)
    assert kept.item_changes["price"].times.tolist() == [5, 25] and kept.item_changes["price"].offsets.tolist() == [
        0,
        2,
    ]
    only = keep_items(data, ["z"])
    assert only.item_changes == {}
    assert any("the attribute brand has no value left" in note for note in only.notes)
    assert_same_changes(core_filter(data, 1), data)


def test_the_check_says_what_changes() -> None:
    report = read().check(LOG, item_changes=CHANGES.with_columns(who=pl.lit("me")))
    uses = {use.column: use.used_as for use in report.columns if use.table == "item_changes"}
    assert uses["price"] == "item attribute, numeric, of which 3 changes are known"
    assert uses["who"] == "not used"
