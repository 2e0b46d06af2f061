"""Tables as people have them: files of other programs, frames of other types, ids and times in other writing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.check import check_path
from attrformer.errors import ConfigurationError, DataError

LOG = "user_id,item_id,timestamp\n1,10,1600000000\n1,11,1600000060\n2,10,1600000120\n2,12,1600000180\n"
FRAME = pd.DataFrame(
    {"user_id": [1, 1, 2, 2], "item_id": [10, 11, 10, 12], "timestamp": [1_600_000_000 + 60 * n for n in range(4)]}
)


def same(found: Dataset, right: Dataset) -> bool:
    return (
        found.user_ids == right.user_ids
        and found.item_ids == right.item_ids
        and np.array_equal(found.sequences.items, right.sequences.items)
        and np.array_equal(found.sequences.times, right.sequences.times)  # type: ignore[arg-type]
    )


def loaded(folder: Path, **files: str | bytes) -> Dataset:
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    return Dataset.load(folder)


def said(dataset: Dataset, text: str) -> bool:
    return any(text in note for note in dataset.notes)


@pytest.mark.parametrize(("sign", "ending"), [("|", "csv"), (";", "csv"), ("\t", "csv"), (",", "tsv"), (";", "tsv")])
def test_another_separator_is_read_where_it_is_clear(tmp_path: Path, sign: str, ending: str) -> None:
    plain = Dataset.from_frames(pl.read_csv(LOG.encode()))
    assert same(loaded(tmp_path, **{f"interactions__{ending}": LOG.replace(",", sign)}), plain)


@pytest.mark.parametrize(
    ("text", "ending", "problem"),
    [
        (LOG.replace(",", "|") + "1|2\n", "csv", r"its columns are separated by \|"),
        (LOG.replace(",", " "), "csv", "its columns are separated by blanks"),
        (LOG + "1,2\n", "tsv", "its columns are separated by commas"),
        ("user_id;item_id|rating\n1;10|1,5\n", "csv", r"its columns are separated by semicolons or \|"),
        (LOG + "1,2,3,4,5\n", "csv", "row 4: it has 5 fields and the header 3"),
        (LOG.replace("\n1,", "\n9,1,"), "csv", "row 0: it has 4 fields and the header 3"),
    ],
)
def test_text_files_of_another_shape_are_refused_with_the_place(
    tmp_path: Path, text: str, ending: str, problem: str
) -> None:
    (tmp_path / f"interactions.{ending}").write_text(text)
    with pytest.raises(DataError, match=problem):
        Dataset.load(tmp_path)


def test_names_and_marks_that_other_programs_write_are_read(tmp_path: Path) -> None:
    right = Dataset.from_frames(FRAME)
    assert same(loaded(tmp_path, Interactions__CSV="sep=,\r\n" + LOG), right)
    with_mark = loaded(tmp_path, dataset__json=b'\xef\xbb\xbf{"name": "shop", "colums": {}}')
    assert with_mark.name == "shop" and said(with_mark, "dataset.json: 'colums' is none of name")


def test_a_table_that_spark_wrote_in_parts_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "interactions.parquet"
    folder.mkdir()
    for number in range(2):
        FRAME[2 * number : 2 * number + 2].to_parquet(folder / f"part-0000{number}-a.snappy.parquet", index=False)
    (folder / "_SUCCESS").touch()
    right = Dataset.from_frames(FRAME)
    assert same(Dataset.load(tmp_path), right) and same(Dataset.from_frames(folder), right)
    assert check_path(tmp_path).facts == check_path(folder).facts
    (folder / "part-00001-a.snappy.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        Dataset.load(tmp_path)


def test_json_of_python_and_of_pandas_is_read_or_told_how_to_write(tmp_path: Path) -> None:
    file = tmp_path / "interactions.jsonl"
    file.write_text('{"user_id": 1, "item_id": 2, "rating": NaN}\n{"user_id": 1, "item_id": 3, "rating": 4.5}\n')
    assert np.array_equal(Dataset.load(tmp_path).sequences.behaviours["rating"], [np.nan, 4.5], equal_nan=True)
    file.write_text('{"user_id": 1, "item_id": 2}\n{"user_id": 1,')
    with pytest.raises(DataError, match="row 1: it is no JSON"):
        Dataset.load(tmp_path)
    for orient in ("columns", "split", "list"):
        file.write_text(json.dumps(FRAME.to_dict("list")) if orient == "list" else FRAME.to_json(orient=orient))
        with pytest.raises(DataError, match=r"it holds columns, not rows.*orient='records', lines=True"):
            Dataset.load(tmp_path)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.assign(item_id=[Decimal(int(item)) for item in FRAME.item_id]),
        FRAME.assign(user_id=pd.arrays.SparseArray(FRAME.user_id)),
        FRAME.set_index("user_id", drop=False),
        FRAME.set_index(["user_id", "item_id"]),
        FRAME.convert_dtypes(dtype_backend="pyarrow"),
    ],
    ids=["decimal ids", "sparse column", "index and column", "two levels of an index", "arrow types"],
)
def test_frames_of_other_types_give_the_same_dataset(frame: pd.DataFrame) -> None:
    assert same(Dataset.from_frames(frame), Dataset.from_frames(FRAME))


@pytest.mark.parametrize(
    ("ids", "note"),
    [
        (["1", "2", "NULL"], "user ids are text, since 1 of 3 are no plain whole numbers (e.g. 'NULL')"),
        (["1 ", "2 ", "3 "], "3 user ids have blanks around them (e.g. '1 '), which belong to the id"),
        (["1.23457E+12", "7", "8"], "1 user ids look like numbers that a spreadsheet rounded (e.g. '1.23457E+12')"),
    ],
)
def test_ids_that_are_hardly_meant_so_are_told(tmp_path: Path, ids: list[str], note: str) -> None:
    lines = "".join(f"{user},{number}\n" for number, user in enumerate(ids))
    assert said(loaded(tmp_path, interactions__csv="user_id,item_id\n" + lines), note)


@pytest.mark.parametrize(
    ("times", "first"),
    [
        ([202201, 202203, 202212, 202301], "2022-01-01"),
        (["2022/01/05", "2022/01/06", "2022/01/07", "2022/02/01"], "2022-01-05"),
        (["20220105T101500Z", "20220106T101500Z", "20220107T101500Z", "20220201T101500Z"], "2022-01-05"),
    ],
    ids=["yyyymm", "slashes", "compact"],
)
def test_dates_in_other_writing_are_read(times: list[Any], first: str) -> None:
    assert said(Dataset.from_frames(FRAME.assign(timestamp=times)), f"from {first} to 2")


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([2001, 2002, 2003, 2004], "they are years (write them as 2020-01-01) or counters"),
        ([44000, 44001, 44002, 44003], "they are days as spreadsheets count them"),
        ([202201, 202299, 202212, 202301], "they are counters"),
    ],
)
def test_small_numbers_in_place_of_times_are_told(times: list[int], words: str) -> None:
    assert said(Dataset.from_frames(FRAME.assign(timestamp=times)), words)


def test_columns_of_items_in_other_writing_are_what_they_stand_for(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(LOG)
    rows = [
        {
            "item_id": 10,
            "tags": ["a", "b"],
            "day": "0000-00-00",
            "year": "unknown",
            "array": "{a,b}",
            "map": "{'a': 1}",
        },
        {"item_id": 11, "tags": "a", "day": "2020-01-01", "year": "1999", "array": "{}", "map": "{'a': 2}"},
        {"item_id": 12, "tags": None, "day": "2020-01-02", "year": "2001", "array": "{b}", "map": "{'b': 1}"},
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = Dataset.load(tmp_path, kinds={"year": "numeric"})
    found = dataset.item_attributes
    assert found["tags"].vocabulary == found["array"].vocabulary == ("a", "b")
    assert found["day"].kind.value == "time" and np.isnan(found["day"].numbers[0])
    assert np.array_equal(found["year"].numbers, [np.nan, 1999, 2001], equal_nan=True)
    assert "map" not in found and said(dataset, "column 'map' is not used, lists of lists or mappings")
    assert said(dataset, "column 'year' is read as numeric, as it is declared")


def test_the_use_of_a_declared_column_is_told_once(tmp_path: Path) -> None:
    items = pl.DataFrame({"item_id": [10, 11, 12], "year": ["1999", "2000", "2001"], "code": ["1", "2", "3"]})
    first = Dataset.from_frames(FRAME, items, kinds={"year": "numeric"})
    first.save(tmp_path)
    assert Dataset.load(tmp_path).notes == first.notes
    assert sum("'year'" in note for note in first.notes) == 1
    assert said(first, "column 'code' is read as categorical with 3 values; its texts are whole numbers")


def test_a_list_attribute_of_any_name_is_saved(tmp_path: Path) -> None:
    items = pl.DataFrame({"item_id": [10, 11, 12], "owner": [["a"], ["a", "b"], []], "value": [["c"], [], ["d"]]})
    first = Dataset.from_frames(FRAME, items)
    first.save(tmp_path)
    second = Dataset.load(tmp_path)
    for name in ("owner", "value"):
        assert np.array_equal(second.item_attributes[name].codes, first.item_attributes[name].codes)
    assert first.check().dataset == "dataset"


def test_numbers_that_overflow_are_refused_with_the_row() -> None:
    items = pl.DataFrame({"item_id": [10, 11, 12], "price": [1.5, 1e39, 1.7e308]})
    with pytest.raises(DataError, match=r"items, column 'price', row 2: 1.7e\+308 is too large"):
        Dataset.from_frames(FRAME, items)


@pytest.mark.parametrize(
    ("option", "value"),
    [("kinds", "year"), ("kinds", ["year"]), ("columns", "x"), ("columns", {"user_id": 0}), ("separators", {"g": 5})],
)
def test_options_of_another_shape_are_refused_with_an_example(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"{option}.* such as \{{'"):
        Dataset.from_frames(FRAME, **{option: value})
