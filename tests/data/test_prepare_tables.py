"""A folder whose interactions were prepared in parts gives the dataset that its tables give in memory."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data import Dataset
from attrformer.data.prepare_tables import PreparedTables, prepare_tables
from attrformer.data.prepared.folder import MANIFEST, PREPARED
from attrformer.errors import BusyError, DataError
from attrformer.locks import locked_place

EXAMPLES = int(os.environ.get("ATTRFORMER_EXAMPLES", "25"))
LOG = pl.DataFrame(
    {
        "user_id": ["b", "a", "b", "c", "a", "b", "b"],
        "item_id": ["x", "y", "x", "z", "x", "x", "y"],
        "event": ["view", "buy", "view", None, "view", "view", "NA"],
        "price": [1.5, 2.0, 1.5, None, 3.0, 2.5, 1.0],
        "timestamp": [30, 20, 30, 5, 10, 30, 20],
    }
)
ITEMS = pl.DataFrame({"item_id": ["x", "y", "w"], "brand": ["A", "B", "A"]})

Write = Callable[[pl.DataFrame, Path], object]


def in_folder(frame: pl.DataFrame, folder: Path) -> None:
    (folder / "interactions").mkdir()
    for start in range(0, max(len(frame), 1), 3):
        frame[start : start + 3].write_parquet(folder / "interactions" / f"part-{start:05d}.parquet")


def packed(frame: pl.DataFrame, folder: Path) -> None:
    (folder / "interactions.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))


FORMS: dict[str, Write] = {
    "parquet": lambda frame, folder: frame.write_parquet(folder / "interactions.parquet"),
    "csv": lambda frame, folder: frame.write_csv(folder / "interactions.csv"),
    "tsv": lambda frame, folder: frame.write_csv(folder / "interactions.tsv", separator="\t", quote_style="always"),
    "arrow": lambda frame, folder: frame.write_ipc(folder / "interactions.arrow"),
    "folder": in_folder,
    "packed": packed,
}


def written(frame: pl.DataFrame, folder: Path, form: str = "csv", items: pl.DataFrame | None = None) -> Path:
    folder.mkdir()
    FORMS[form](frame, folder)
    if items is not None:
        items.write_csv(folder / "items.csv")
    return folder


def assert_same(one: Dataset, two: Dataset) -> None:
    assert one.user_ids == two.user_ids and one.item_ids == two.item_ids
    first, second = one.sequences.to_arrays(), two.sequences.to_arrays()
    assert list(first) == list(second)
    for name, values in first.items():
        assert values.dtype == second[name].dtype, name
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    assert one.sequences.meaning == two.sequences.meaning
    assert one.notes == two.notes
    assert list(one.item_attributes) == list(two.item_attributes) and one.item_titles == two.item_titles


def files_of(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


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


HOSTILE_IDS = ["7", "07", "a", "A", " a", "1.0", "NA", "é", 'q"u', "x,y", "line\nbreak", "-3", "0"]
TEXTS = [
    "red",
    " red",
    "NA",
    "DE",
    "FR",
    "1",
    "2.5",
    "",
    "true",
    "a|b",
    "2020-01-01",
    "['a']",
    "nan",
    "unknown",
    "x\ny",
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log with repeated rows, gaps and columns of several types, and a table of its items."""
    rows = draw(st.integers(1, 25))

    def drawn(values: st.SearchStrategy[Any], kind: Any) -> pl.Series:
        return pl.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=kind)

    def gaps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.none() | values

    numbers = draw(st.booleans())
    texts = st.sampled_from(draw(st.lists(st.sampled_from(HOSTILE_IDS), min_size=1, max_size=5)))
    ids = st.integers(0, 5)
    columns = {
        "user_id": drawn(ids, pl.Int64) if numbers else drawn(texts, pl.String),
        "item_id": drawn(texts, pl.String) if draw(st.booleans()) else drawn(ids, pl.Int32),
    }
    times = {
        "seconds": (st.integers(1_500_000_000, 1_500_000_009), pl.Int64),
        "milliseconds": (st.integers(1_500_000_000_000, 1_500_000_002_000), pl.Int64),
        "fractions": (st.sampled_from([1.5e9, 1.5e9 + 0.25, 1.5e9 + 1]), pl.Float64),
        "counters": (st.integers(0, 5), pl.Int64),
        "text": (st.sampled_from(["2020-01-01", "2020-01-01T00:00:00", "2020-01-02 10:00"]), pl.String),
        "digits": (st.sampled_from([20200101, 20200102, 20210101]), pl.Int64),
    }
    chosen = draw(st.sampled_from([None, *times]))
    if chosen is not None:
        columns["timestamp"] = drawn(*times[chosen])
    some = st.sampled_from(draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4)))
    others = {
        "word": (gaps(some), pl.String),
        "rating": (gaps(st.sampled_from([0.5, 1.0, 4.0])), pl.Float32),
        "count of views": (st.integers(0, 3), pl.Int64),
        "flag": (gaps(st.booleans()), pl.Boolean),
        "row": (st.integers(0, 3), pl.Int64),
        "empty": (st.none(), pl.String),
        "rank": (gaps(st.sampled_from([1.0, -1.0])), pl.Float64),
        "Unnamed: 0": (st.integers(0, 9), pl.Int64),
    }
    for name in draw(st.lists(st.sampled_from(list(others)), unique=True, max_size=4)):
        columns[name] = drawn(*others[name])
    frame = pl.DataFrame(columns)
    frame = pl.concat([frame, frame[: draw(st.integers(0, rows))]])
    items = frame.select(pl.col("item_id").unique().sort()).with_columns(brand=pl.lit("b"))
    return frame, items


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    tables=tables(),
    form=st.sampled_from(["parquet", "csv", "folder", "tsv"]),
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


@pytest.mark.parametrize("at", [0, 3, 8, 13, 15])
def test_an_interrupted_preparation_goes_on(at: int, tmp_path: Path) -> None:
    ran: list[tuple[str, int]] = []

    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            if len(ran) == at:
                raise KeyboardInterrupt
            ran.append((step, number))
            task(number)

    folder = written(LOG, tmp_path / "log", "csv" if at < 8 else "folder", ITEMS)
    prepare_tables(folder, tmp_path / "whole", part_rows=1)
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=1, run=broken)
    assert not (tmp_path / "out").exists() and (tmp_path / ".out.preparing").is_dir()
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / ".out.preparing").iterdir()}
    kept = [name for name in before if name.startswith(("glance", "survey", "coded"))]
    assert len(kept) >= min(at, 1)
    assert prepare_tables(folder, tmp_path / "out", part_rows=1).fresh
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_what_is_left_of_another_table_is_not_used(tmp_path: Path) -> None:
    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            task(number)
        if step == "coded":
            raise KeyboardInterrupt

    folder = written(LOG, tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=2, run=broken)
    LOG[:5].write_csv(folder / "interactions.csv")
    prepare_tables(folder, tmp_path / "out", part_rows=2)
    assert_same(Dataset.load(folder, name="log"), Dataset.load(tmp_path / "out", name="log"))


def test_a_folder_that_holds_the_same_is_left_alone(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log", items=ITEMS)
    prepare_tables(folder, tmp_path / "out")
    before = (tmp_path / "out" / PREPARED / MANIFEST).stat().st_mtime_ns
    assert not prepare_tables(folder, tmp_path / "out").fresh
    assert (tmp_path / "out" / PREPARED / MANIFEST).stat().st_mtime_ns == before
    with pytest.raises(DataError, match="already holds a dataset"):
        prepare_tables(folder, tmp_path / "out", duplicates="drop")
    assert prepare_tables(folder, tmp_path / "out", duplicates="drop", overwrite=True).interactions == 6


def test_other_files_and_other_writers_are_left_alone(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log")
    prepare_tables(folder, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(notes.txt\)"):
        prepare_tables(folder, tmp_path / "out", duplicates="drop", overwrite=True)
    with locked_place(tmp_path / "busy"), pytest.raises(BusyError):
        _in_thread(lambda: prepare_tables(folder, tmp_path / "busy"))


def _in_thread(call: Callable[[], object]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


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
