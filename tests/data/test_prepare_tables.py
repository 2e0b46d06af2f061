"""A folder whose interactions were prepared in parts gives the dataset that its tables give in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.any_logs import tables
from tests.data.small_log import FORMS, ITEMS, LOG, assert_same, files_of, written

from attrformer.data import Dataset
from attrformer.data.prepare_tables import PreparedTables, prepare_tables
from attrformer.errors import ConfigurationError, DataError

EXAMPLES = int(os.environ.get("ATTRFORMER_EXAMPLES", "25"))


def both(folder: Path, rows: int = 2, **options: Any) -> tuple[Dataset, Dataset]:
    """The dataset of a folder as it is read in memory, and as it is prepared in parts."""
    out = folder.with_name("prepared")
    prepare_tables(folder, out, part_rows=rows, **options)
    return Dataset.load(folder, name="log", **options), Dataset.load(out, name="log")


def test_the_arrays_of_a_small_log_are_coded_sorted_and_mapped(tmp_path: Path) -> None:
    done = prepare_tables(written(LOG, tmp_path / "log", items=ITEMS), tmp_path / "out", part_rows=2)
    assert done == PreparedTables((tmp_path / "out").resolve(), 7, 3, 3, True)
    dataset = Dataset.load(tmp_path / "out")
    sequences = dataset.sequences
    assert dataset.user_ids.to_list() == ["a", "b", "c"] and dataset.item_ids.to_list() == ["x", "y", "z"]
    assert sequences.offsets.tolist() == [0, 2, 6, 7] and sequences.items.tolist() == [0, 1, 1, 0, 0, 0, 2]
    assert sequences.times is not None and sequences.times.tolist() == [10, 20, 20, 30, 30, 30, 5]
    assert sequences.behaviours["price"][:6].tolist() == [3.0, 2.0, 1.0, 1.5, 1.5, 2.5]
    assert sequences.meaning.values == {"event": ("buy", "view")}
    assert all(isinstance(values, np.memmap) for values in sequences.to_arrays().values())
    assert list(dataset.item_attributes) == ["brand"] and not (tmp_path / ".out.preparing").exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("duplicates", [None, "drop", "count"])
def test_every_form_and_rule_for_repeated_rows_gives_what_memory_gives(
    form: str, duplicates: str | None, tmp_path: Path
) -> None:
    one, two = both(written(LOG, tmp_path / "log", form, ITEMS), duplicates=duplicates, catalogue="all")
    assert_same(one, two)
    assert len(one.sequences.items) == (7 if duplicates is None else 6)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    tables=tables(),
    form=st.sampled_from(["parquet", "csv", "folder", "tsv", "text folder", "semicolons"]),
    rows=st.sampled_from([1, 2, 7, 100]),
    duplicates=st.sampled_from([None, "keep", "drop", "count"]),
    catalogue=st.sampled_from(["interacted", "all"]),
    kinds=st.sampled_from([{}, {"interactions.word": "categorical"}, {"interactions.rating": "categorical"}]),
)
def test_any_table_gives_what_memory_gives(
    tables: tuple[pl.DataFrame, pl.DataFrame],
    form: str,
    rows: int,
    duplicates: str | None,
    catalogue: str,
    kinds: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("prepared")
    frame, items = tables
    kinds = {name: kind for name, kind in kinds.items() if name.partition(".")[2] in frame.columns}
    folder = written(frame, place / "log", form, items)
    options: dict[str, Any] = {"duplicates": duplicates, "catalogue": catalogue, "kinds": kinds}
    try:
        whole = Dataset.load(folder, name="log", **options)
    except DataError as error:
        with pytest.raises(DataError) as raised:
            prepare_tables(folder, place / "prepared", part_rows=rows, **options)
        assert (raised.value.column, raised.value.row) == (error.column, error.row)
        return
    prepare_tables(folder, place / "prepared", part_rows=rows, **options)
    assert_same(whole, Dataset.load(place / "prepared", name="log"))


def test_tasks_in_any_order_write_the_same_bytes(tmp_path: Path) -> None:
    def backwards(step: str, task: Callable[[int], None], count: int) -> None:
        for number in reversed(range(count)):
            task(number)
            task(number)

    folder = written(LOG, tmp_path / "log", "folder", ITEMS)
    prepare_tables(folder, tmp_path / "one", part_rows=2)
    prepare_tables(folder, tmp_path / "two", part_rows=2, run=backwards)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


_FIFTH = pl.Series([False] * 5 + [True, False])
WRONG = {
    "missing id": (LOG.with_columns(LOG["user_id"].set(_FIFTH, None)), "user_id"),
    "no time": (LOG.with_columns(timestamp=pl.Series(["2020-01-01"] * 5 + ["tomorrow", "2020-01-02"])), "timestamp"),
    "infinite": (LOG.with_columns(price=pl.Series([1.0, 1, 1, 1, 1, float("inf"), 1])), "price"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("form", ["parquet", "csv", "folder"])
def test_an_error_names_the_row_of_the_whole_table(name: str, form: str, tmp_path: Path) -> None:
    frame, column = WRONG[name]
    folder = written(frame, tmp_path / "log", form)
    with pytest.raises(DataError) as raised:
        prepare_tables(folder, tmp_path / "out", part_rows=2)
    with pytest.raises(DataError) as whole:
        Dataset.load(folder)
    assert str(raised.value) == str(whole.value)
    assert (raised.value.column, raised.value.row) == (column, 5)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_what_parts_cannot_tell_is_looked_at_as_a_whole_where_that_fits(form: str, tmp_path: Path) -> None:
    late = 1_600_000_000_000
    mixed = LOG.with_columns(timestamp=pl.Series([0, 0, 0, 0, late + 1000, late, late]))
    folder = written(mixed, tmp_path / "log", form)
    with pytest.raises(
        DataError, match=r"the times of rows 0 to \d are seconds since 1970, and those of rows \d to \d"
    ):
        prepare_tables(folder, tmp_path / "prepared", part_rows=1, memory=1)
    assert_same(*both(folder, rows=1))


def test_a_column_that_may_number_the_rows_is_decided_by_all_of_them(tmp_path: Path) -> None:
    numbers = {"up": [0, 1, 2, 3, 4, 5, 6], "gaps": [2, 3, 5, 8, 9, 11, 20], "mixed": [3, 1, 2, 0, 4, 6, 5]}
    for name, values in {**numbers, "late": [1, 2, 3, 4, 5, 6, 2]}.items():
        folder = written(LOG.with_columns(index=pl.Series(values)), tmp_path / name, "csv")
        whole = Dataset.load(folder, name="log")
        prepare_tables(folder, tmp_path / f"{name}-out", part_rows=1)
        assert_same(whole, Dataset.load(tmp_path / f"{name}-out", name="log"))
        assert ("index" in whole.sequences.behaviours) == (name == "late")
    folder = written(LOG.with_columns(index=pl.Series(numbers["mixed"])), tmp_path / "large")
    with pytest.raises(DataError, match="column 'index': its values may number the rows in another order"):
        prepare_tables(folder, tmp_path / "large-out", part_rows=1, memory=1)


@pytest.mark.parametrize("order", [1, -1])
def test_numbers_beyond_64_bits_with_a_sign_may_number_the_rows(order: int, tmp_path: Path) -> None:
    large = pl.Series([2**63 + row for row in range(len(LOG))], dtype=pl.UInt64)[::order]
    one, two = both(written(LOG.with_columns(index=large), tmp_path / "log", "parquet"))
    assert_same(one, two)
    assert ("index" in two.sequences.behaviours) == (order < 0)


def test_notes_on_ids_are_about_those_of_the_interactions(tmp_path: Path) -> None:
    numbers = LOG.with_columns(item_id=pl.Series([5, 6, 5, 7, 5, 5, 6]))
    more = pl.DataFrame({"item_id": ["5", "x9"], "brand": ["A", "B"]})
    one, two = both(written(numbers, tmp_path / "log", items=more), catalogue="all")
    assert two.item_ids.to_list() == ["5", "6", "7", "x9"]
    assert_same(one, two)


@pytest.mark.parametrize("option", ["memory", "part_rows"])
def test_sizes_below_one_are_refused(option: str, tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log")
    for value in (0, -5):
        given: dict[str, Any] = {option: value}
        with pytest.raises(ConfigurationError, match=f"{option} is {value}. Give 1 or more"):
            prepare_tables(folder, tmp_path / "out", **given)


def test_a_packed_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log", "packed")
    with pytest.raises(DataError, match=r"interactions.csv.gz: such a file is read as a whole.*Write it as parquet"):
        prepare_tables(folder, tmp_path / "out", memory=1)


def test_a_first_part_that_misleads_costs_a_second_look_alone(tmp_path: Path) -> None:
    texts = ["1", "2", "inf", "4", "NA", "blue", "7"]
    frame = LOG.drop("price").with_columns(code=pl.Series(texts))
    one, two = both(written(frame, tmp_path / "log"), rows=1)
    assert_same(one, two)
    assert one.sequences.meaning.values["code"] == ("1", "2", "4", "7", "blue", "inf")


def test_nothing_of_an_earlier_table_is_left_in_memory(tmp_path: Path) -> None:
    for number, frame in enumerate((LOG, LOG.with_columns(user_id=pl.lit("z"), item_id=pl.col("user_id")), LOG[2:])):
        folder = written(frame, tmp_path / f"log{number}", "folder")
        prepare_tables(folder, tmp_path / "out", part_rows=2, overwrite=True)
        assert_same(Dataset.load(folder, name="log"), Dataset.load(tmp_path / "out", name="log"))


@pytest.mark.parametrize("form", ["csv", "folder"])
@pytest.mark.parametrize("duplicates", [None, "drop", "count"])
def test_numbers_that_are_cut_short_late_still_tell_rows_apart(
    form: str, duplicates: str | None, tmp_path: Path
) -> None:
    # The first parts hold numbers of 32 bits, by which rows are told apart; the last one does not.
    price = [1.5, 2.5, 1.5, None, 0.1 + 2**-40, 0.1, 0.1]
    times = [30, 20, 30, 5, 10, 10, 10]
    users, items = ["b", "a", "b", "c", "a", "a", "a"], ["x", "y", "x", "z", "x", "x", "x"]
    frame = pl.DataFrame({"user_id": users, "item_id": items, "price": price, "timestamp": times})
    one, two = both(written(frame, tmp_path / "log", form), rows=2, duplicates=duplicates)
    assert_same(one, two)
    assert len(one.sequences.items) == (7 if duplicates is None else 5)


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_files_without_rows_are_left_out(empty: int, tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log", "folder")
    parts = sorted((folder / "interactions").iterdir())
    LOG.clear().write_parquet(parts[empty].with_name(f"{parts[empty].stem}-empty.parquet"))
    LOG.clear().write_parquet(folder / "interactions" / "a.parquet")
    assert_same(*both(folder))


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("first", [-(10**9), 0, 1_600_000_000])
def test_times_of_any_unit_and_span(unit: int, first: int, tmp_path: Path) -> None:
    seconds = pl.Series([30, 20, 30, 2**31, 10, 30, 20]) + first
    stamps = pl.from_epoch(seconds * 10**9, "ns").dt.cast_time_unit({1: "ms", 10**3: "ms", 10**6: "us"}.get(unit, "ns"))
    times = stamps if unit > 1 else seconds
    assert_same(*both(written(LOG.with_columns(timestamp=times), tmp_path / "log", "parquet")))
