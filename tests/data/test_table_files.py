"""Files of tables: every ending, headers that cannot be used, several files of one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from attrformer.data import Dataset, read_table, to_polars
from attrformer.errors import DataError

FRAME = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]})


@pytest.mark.parametrize("name", ["t.JSONL", "t.json", "t.ndjson"])
def test_json_lines_and_lists_are_read(tmp_path: Path, name: str) -> None:
    (FRAME.write_json if name == "t.json" else FRAME.write_ndjson)(tmp_path / name)
    assert read_table(tmp_path / name).equals(FRAME)


def test_of_several_files_of_a_table_the_parquet_file_is_read_with_a_note(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "interactions.parquet")
    FRAME.head(1).write_csv(tmp_path / "interactions.csv")
    dataset = Dataset.load(tmp_path)
    assert dataset.user_count == 2
    assert "interactions.parquet: this file is read, interactions.csv beside it is not" in dataset.notes


def test_several_text_files_of_a_table_are_refused(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "interactions.csv")
    FRAME.write_csv(tmp_path / "interactions.tsv", separator="\t")
    with pytest.raises(DataError, match=r"several files of one table: interactions.csv, interactions.tsv. Leave one"):
        Dataset.load(tmp_path)


def test_other_files_of_a_folder_do_not_disturb(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "interactions.csv")
    for name in ("interactions.csv.bak", "interactions.old.csv", "items_old.csv", "items.xlsx", "interactions"):
        (tmp_path / name).write_text("x")
    assert Dataset.load(tmp_path).user_count == 2


@pytest.mark.parametrize("name", ["products.csv", "Items.XLSX", "item.csv", "items.csv.bz2", "items.txt"])
def test_a_file_that_seems_to_hold_a_table_and_is_not_read_is_told(tmp_path: Path, name: str) -> None:
    FRAME.write_csv(tmp_path / "interactions.csv")
    for other in (name, "README.md", "schema.json", "_SUCCESS", ".items.csv.crc", "dataset.json"):
        (tmp_path / other).write_text("{}")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "log.csv").write_text("x")
    told = [note for note in Dataset.load(tmp_path).notes if "is not read" in note]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path.name}: '{name}' is not read; a table is called interactions, items, users,")


def test_a_folder_of_parts_under_another_name_is_told(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "interactions.csv")
    (tmp_path / "products").mkdir()
    FRAME.write_parquet(tmp_path / "products" / "0.parquet")
    assert any(note.startswith(f"{tmp_path.name}: 'products' is not read; ") for note in Dataset.load(tmp_path).notes)


def test_a_folder_without_interactions_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "interactions" / "day").mkdir(parents=True)
    FRAME.write_parquet(tmp_path / "interactions" / "day" / "0.parquet")
    with pytest.raises(DataError, match=r"no table of interactions \(it holds interactions\). Write .* or a folder"):
        Dataset.load(tmp_path)


def test_vectors_in_another_form_are_told(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "interactions.csv")
    (tmp_path / "item_vectors").mkdir()
    (tmp_path / "item_vectors" / "image.pt").write_bytes(b"")
    told = f"{tmp_path.name}: 'item_vectors/image.pt' is not read; files of vectors end in one of .npz, "
    assert any(note.startswith(told) for note in Dataset.load(tmp_path).notes)


@pytest.mark.parametrize("table", ["items", "items.parquet"])
def test_a_table_of_any_name_may_be_a_folder_of_files(tmp_path: Path, table: str) -> None:
    FRAME.write_csv(tmp_path / "interactions.csv")
    (tmp_path / table).mkdir()
    for number, item in enumerate("ab"):
        pl.DataFrame({"item_id": [item], "size": [item * 2]}).write_parquet(tmp_path / table / f"{number}.parquet")
    assert Dataset.load(tmp_path).item_attributes["size"].vocabulary == ("aa", "bb")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,item_id,a,a\n1,2,3,4\n", "column 'a': the column stands twice in the header. Rename one"),
        ("user_id,item_id,a, a\n1,2,3,4\n", "column 'a': the column stands twice in the header"),
        (
            "user_id;item_id\n1;2;3\n",
            "its columns are separated by semicolons. Say which sign counts: --delimiter semicolon",
        ),
        ("user_id;item_id\tx\n1;2\t3\n", "its columns are separated by tabs or semicolons"),
        ("user_id item_id\n1 2\n", "its columns are separated by blanks"),
    ],
)
def test_headers_that_cannot_be_used_say_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "interactions.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        Dataset.load(tmp_path)


def test_blanks_around_headings_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user_id , item_id\n1,2\n\n3,4\n")
    assert read_table(tmp_path / "t.csv").to_dict(as_series=False) == {"user_id": [1, 3], "item_id": [2, 4]}


def test_text_and_numbers_in_one_column_of_pandas_are_refused_with_their_rows() -> None:
    frame = pd.DataFrame({"user_id": [1, None, "1"], "item_id": [1, 2, 3]}, dtype=object)
    with pytest.raises(
        DataError, match=r"column 'user_id', row 2: text and numbers are mixed \(1 in row 0, '1' in row 2"
    ):
        to_polars(frame, source="interactions")


def test_lists_beside_texts_are_called_what_they_are() -> None:
    frame = pd.DataFrame({"item_id": [1, 2], "tags": [["a"], "b"]})
    with pytest.raises(DataError, match=r"column 'tags', row 1: values of several types are mixed \(\['a'\] in row 0"):
        to_polars(frame, source="items")


def test_a_column_of_arrow_that_cannot_be_read_is_named() -> None:
    views = pa.array([[1]], pa.list_view(pa.int64()))
    with pytest.raises(DataError, match="column 'views': its values cannot be read as a column"):
        to_polars(pa.table({"item_id": [1], "views": views}), source="items")


def test_ids_that_pandas_made_floats_are_whole_numbers() -> None:
    log = pd.DataFrame({"user_id": [1, 1], "item_id": [1.0, 2.0]})
    dataset = Dataset.from_frames(log, pd.DataFrame({"item_id": [2.0, 1.0], "n": [0.5, None]}))
    assert dataset.item_ids.to_list() == [1, 2]


def test_json_ids_that_are_text_here_and_numbers_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"user_id": "1", "item_id": 1}\n{"user_id": 1, "item_id": 2}\n')
    with pytest.raises(DataError, match="column 'user_id', row 1: text and numbers are mixed"):
        read_table(tmp_path / "t.jsonl")
