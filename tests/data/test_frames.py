from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from attrformer.data.frames import library_of, native_like, to_polars
from attrformer.data.table_files import read_table
from attrformer.errors import DataError

FRAME = pl.DataFrame({"user_id": [1, 2], "name": ["a", None], "score": [0.5, 1.5], "tags": [["x", "y"], []]})

MAKERS = {
    "polars": lambda: FRAME,
    "lazy": lambda: FRAME.lazy(),
    "pandas": lambda: pd.DataFrame(FRAME.to_dict(as_series=False)),
    "pyarrow": lambda: FRAME.to_arrow(),
}


@pytest.mark.parametrize("library", MAKERS)
def test_every_library_gives_the_same_polars_frame(library: str) -> None:
    assert to_polars(MAKERS[library]()).equals(FRAME)


@pytest.mark.parametrize(
    ("library", "kind"), [("polars", pl.DataFrame), ("pandas", pd.DataFrame), ("pyarrow", pa.Table)]
)
def test_results_go_out_in_the_library_that_came_in(library: str, kind: type) -> None:
    there = native_like(FRAME, MAKERS[library]())
    assert isinstance(there, kind)
    assert library_of(there) == library
    assert to_polars(there).equals(FRAME)
    assert isinstance(native_like(FRAME, library), kind)


def test_results_are_polars_where_nothing_is_said() -> None:
    assert native_like(FRAME, None) is FRAME


def test_integers_that_pandas_made_floats_come_back_as_integers() -> None:
    frame = to_polars(pd.DataFrame({"gap": [3, None], "half": [0.5, None], "whole": [1.0, 2.0]}))
    assert frame["gap"].to_list() == [3, None]
    assert frame.dtypes == [pl.Int64, pl.Float64, pl.Float64]


def test_what_is_no_table_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"^items: this is a int that cannot be read as a table .* Pass a pandas"):
        to_polars(3, source="items")


def test_a_column_that_cannot_be_read_is_named() -> None:
    vectors = [np.zeros(2, np.float32), np.zeros(0), np.zeros(2, np.float32)]
    with pytest.raises(DataError, match=r"^items, column 'image': its values cannot be read as a column \(.*one type"):
        to_polars(pd.DataFrame({"item_id": [1, 2, 3], "image": vectors}), source="items")


@pytest.mark.slow
def test_pandas_is_read_and_written_without_pyarrow() -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import pandas as pd
from attrformer.data.frames import native_like, to_polars
there = pd.DataFrame({"user_id": [1, 2, 3], "name": ["a", None, "c"], "gap": [1, None, 3], "tags": [["x"], [], ["y"]]})
here = to_polars(there)
assert here.to_dict(as_series=False) == {
    "user_id": [1, 2, 3], "name": ["a", None, "c"], "gap": [1, None, 3], "tags": [["x"], [], ["y"]]}, here
back = native_like(here, there)
assert isinstance(back, pd.DataFrame) and back["name"].tolist()[0] == "a" and back["user_id"].tolist() == [1, 2, 3]
assert "pyarrow" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert finished.returncode == 0, finished.stderr


def test_csv_columns_get_the_type_that_all_their_values_have(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("id,zip,price,flag,word,gap\n1,01234,1.5,true,a,\n2,99999,2,False,b,7\n")
    frame = read_table(file)
    assert frame.to_dict(as_series=False) == {
        "id": [1, 2],
        "zip": ["01234", "99999"],
        "price": [1.5, 2.0],
        "flag": [True, False],
        "word": ["a", "b"],
        "gap": [None, 7],
    }
    assert frame["id"].dtype == pl.Int64


def test_integers_that_do_not_fit_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("id\n99999999999999999999\n1\n")
    assert read_table(file)["id"].to_list() == ["99999999999999999999", "1"]


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.tsv", "\t"), ("t.csv.gz", ",")])
def test_every_text_format_is_read(tmp_path: Path, name: str, separator: str) -> None:
    data = f"\ufeffa{separator}b\n1{separator}é\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert read_table(tmp_path / name).to_dict(as_series=False) == {"a": [1], "b": ["é"]}


def test_wrong_encoding_names_column_and_row_and_the_right_one_reads(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_bytes("item_id,title\n1,Alien\n2,Amélie\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"items.csv, column 'title', row 1: the text is not UTF-8. Save the file as"):
        read_table(file)
    assert read_table(file, encoding="latin-1")["title"].to_list() == ["Alien", "Amélie"]
    with pytest.raises(DataError, match="encoding 'klingon' is not known"):
        read_table(file, encoding="klingon")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.csv: there is no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "t.xlsx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"the ending '.xlsx' is not known"):
        read_table(tmp_path / "t.xlsx")
    (tmp_path / "t.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match=r"t.parquet: it is no parquet file"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty.csv: the file is empty"):
        read_table(tmp_path / "empty.csv")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2,3\n")
    with pytest.raises(DataError, match=r"ragged.csv, row 0: it has 3 fields and the header 2"):
        read_table(tmp_path / "ragged.csv")


def test_the_named_index_of_pandas_is_a_column_as_it_is_in_a_file_of_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({"item_id": [1, 2], "n": [0.5, 1.5]}).set_index("item_id")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv")
    expected = {"item_id": [1, 2], "n": [0.5, 1.5]}
    for table in (frame, tmp_path / "t.parquet", tmp_path / "t.csv"):
        assert {name: to_polars(table)[name].to_list() for name in expected} == expected
    assert to_polars(frame.reset_index().loc[[1]]).columns == ["item_id", "n"]
