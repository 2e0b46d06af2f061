"""Tables in every form of file that shops write: packed, in parts, partitioned, with other separators."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
from tests.data.small_log import LOG, assert_same

from attrformer.data import Dataset, read_table
from attrformer.data.prepare_tables import prepare_tables
from attrformer.errors import DataError

TEXT = LOG.write_csv().encode()
LINES = LOG.write_ndjson().encode()
ZST = {"codec": "zstd", "asbytes": True}


def stream(table: pa.Table) -> bytes:
    """An Arrow table as a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


PLAIN: dict[str, bytes] = {
    "interactions.csv.gz": gzip.compress(TEXT),
    "interactions.csv.zst": pa.compress(TEXT, **ZST),
    "interactions.csv": b"\xef\xbb\xbf" + TEXT.replace(b",", b";"),
    "interactions.CSV": b"sep=;\r\n" + TEXT.replace(b",", b";"),
    "interactions.Csv": TEXT.replace(b"\n", b"\r"),
    "interactions.arrow": stream(LOG.to_arrow()),
    "interactions.tsv": TEXT.replace(b",", b"\t"),
    "interactions.tsv.zst": pa.compress(TEXT.replace(b",", b"\t").replace(b"\n", b"\r\n"), **ZST),
    "interactions.jsonl": LINES,
    "interactions.jsonl.zst": pa.compress(LINES, **ZST),
}
"""The same log in files of other forms."""


@pytest.mark.parametrize("name", PLAIN)
def test_every_form_gives_the_dataset_of_the_plain_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / name).write_bytes(PLAIN[name])
    plain = Dataset.from_frames(LOG)
    read = Dataset.load(tmp_path / "log")
    assert {**read.sequences.to_arrays()}.keys() == {**plain.sequences.to_arrays()}.keys()
    for array, values in plain.sequences.to_arrays().items():
        assert values.tolist() == pytest.approx(read.sequences.to_arrays()[array].tolist(), nan_ok=True), array
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))


def write_parts(folder: Path, write: Callable[[pl.DataFrame, Path], object], ending: str) -> None:
    """LOG in folders of its events and the halves of its days; the first part has no event."""
    keyed = LOG.with_columns(day=pl.when(pl.col("timestamp") < 25).then(pl.lit("2026-01-01")).otherwise(pl.lit("x y")))
    for (event, day), part in keyed.group_by("event", "day", maintain_order=True):
        place = folder / f"event={event or '__HIVE_DEFAULT_PARTITION__'}" / f"day={str(day).replace(' ', '%20')}"
        place.mkdir(parents=True)
        write(part.drop("event", "day"), place / f"part-0{ending}")


PARTS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".arrow": lambda frame, path: frame.write_ipc(path),
}


@pytest.mark.parametrize("ending", PARTS)
def test_folders_of_partitions_are_columns(ending: str, tmp_path: Path) -> None:
    write_parts(tmp_path / "log" / "interactions", PARTS[ending], ending)
    read = Dataset.load(tmp_path / "log")
    # "NA" is a word for a missing value in the names of folders as it is in a text file.
    assert read.sequences.meaning.values == {"event": ("buy", "view"), "day": ("2026-01-01", "x y")}
    events = {row: read.sequences.behaviours["event"][row] for row in range(len(LOG))}
    assert sorted(str(value) for value in events.values()) == ["0.0", "1.0", "1.0", "1.0", "1.0", "nan", "nan"]
    assert sorted(read.sequences.times.tolist()) == sorted(LOG["timestamp"])  # type: ignore[union-attr]
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_numbers_in_the_names_of_folders_are_numbers(ending: str, tmp_path: Path) -> None:
    for user in (7, 12):
        place = tmp_path / "log" / "interactions" / f"user_id={user}"
        place.mkdir(parents=True)
        PARTS[ending](LOG.filter(pl.col("user_id") == "b").drop("user_id"), place / f"0{ending}")
    read = Dataset.load(tmp_path / "log")
    assert read.user_ids.to_list() == [7, 12] and len(read.sequences.items) == 8
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))


def test_commas_within_quotes_separate_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"name, short";user_id;price\n"a, b";1;3,5\nc;2;4,5\n')
    read = read_table(tmp_path / "t.csv")
    assert read.columns == ["name, short", "user_id", "price"] and read["price"].to_list() == [3.5, 4.5]


def test_parts_with_their_columns_in_another_order_are_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "log" / "interactions"
    folder.mkdir(parents=True)
    LOG[:3].write_csv(folder / "0.csv")
    LOG[3:].select(reversed(LOG.columns)).write_csv(folder / "1.csv")
    read = Dataset.load(tmp_path / "log")
    assert read.user_count == 3 and len(read.sequences.items) == 7
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))


@pytest.mark.parametrize("other", ["1.csv", "1.tsv"])
def test_parts_that_do_not_fit_together_are_refused(other: str, tmp_path: Path) -> None:
    folder = tmp_path / "log" / "interactions"
    folder.mkdir(parents=True)
    LOG.write_csv(folder / "0.csv")
    (folder / other).write_text("b,x,1\n")
    for read in (Dataset.load, lambda path: prepare_tables(path, tmp_path / "out", part_rows=2)):
        with pytest.raises(DataError) as raised:
            read(tmp_path / "log")
        message = str(raised.value)
        if other == "1.csv":
            assert "1.csv, column 'b': it has the columns b, x, 1, and 0.csv has user_id, item_id, " in message
        else:
            assert "the folder holds files of several forms (.csv, .tsv)" in message


def test_a_folder_of_text_files_beside_a_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "interactions").mkdir()
    for path in (tmp_path / "interactions.csv", tmp_path / "interactions" / "0.csv"):
        LOG.write_csv(path)
    with pytest.raises(DataError, match=r"several files of one table: interactions.csv, interactions\. Leave one"):
        Dataset.load(tmp_path)


def test_a_long_text_file_with_old_line_ends_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    rows = [f"{row % 7},{row % 5},{'x' * 40}" for row in range(30_000)]
    (tmp_path / "log" / "interactions.csv").write_bytes("\r".join(["user_id,item_id,note", *rows]).encode())
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=1000)
    assert len(Dataset.load(tmp_path / "out").sequences.items) == 30_000


def test_folders_of_different_columns_are_refused(tmp_path: Path) -> None:
    for step in ("day=1", "month=1"):
        (tmp_path / "interactions" / step).mkdir(parents=True)
        LOG.write_parquet(tmp_path / "interactions" / step / "0.parquet")
    with pytest.raises(DataError, match=r"its folders stand for the columns month, and those of 0.parquet for day"):
        Dataset.load(tmp_path)


def test_a_folder_of_any_name_is_a_table_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "events" / "day=1").mkdir(parents=True)
    LOG.write_parquet(tmp_path / "events" / "day=1" / "0.parquet")
    assert Dataset.from_frames(tmp_path / "events").user_count == 3
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="the folder holds no file of a table"):
        Dataset.from_frames(tmp_path / "nothing")


PARQUET = "interactions.parquet"
OTHERS: dict[str, tuple[str, bytes, str]] = {
    "gzip": ("interactions.csv", gzip.compress(TEXT), "it is packed by gzip, and its name ends in .csv. Give its name"),
    "zstd": ("interactions.csv", pa.compress(TEXT, **ZST), "it is packed by zstd, and its name ends in .csv"),
    "workbook": ("interactions.csv", b"PK\x03\x04\x14\x00", "it is a zip archive, as workbooks of Excel are"),
    "page": ("interactions.csv", b"<!DOCTYPE html><html>403</html>", "it is a page of HTML"),
    "pointer": (PARQUET, b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
    "comment": ("interactions.csv", b"# export\nuser_id,item_id\n1,2\n", "the first line is a comment"),
    "empty": ("interactions.jsonl", b"\n", "the file is empty"),
    "nothing": ("interactions.csv", b"", "the file is empty"),
    "utf-16": ("interactions.csv", TEXT.decode().encode("utf-16"), "it is text in UTF-16, .*encoding='utf-16'"),
    "unpacked": ("interactions.csv.gz", TEXT, r"it is no gzip file \(it begins with 'user_id,item'\)"),
    "text": (PARQUET, TEXT, r"it is no parquet file \(it begins with 'user_id,item'\)"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_of_another_form_than_its_name_says_is_named(what: str, tmp_path: Path) -> None:
    name, content, message = OTHERS[what]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / name).write_bytes(content)
    for read in (Dataset.load, lambda path: prepare_tables(path, tmp_path / "out")):
        with pytest.raises(DataError, match=message):
            read(tmp_path / "log")


def test_text_that_begins_as_another_form_does_is_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ORC,user_id\n1,2\n")
    assert read_table(tmp_path / "t.csv").columns == ["ORC", "user_id"]
    (tmp_path / "t.csv").write_bytes(TEXT.decode().encode("utf-16"))
    assert read_table(tmp_path / "t.csv", encoding="utf-16").columns == LOG.columns


@pytest.mark.parametrize("form", ["parquet", "feather", "frame"])
def test_decimals_of_256_bits_are_named(form: str, tmp_path: Path) -> None:
    wide = pa.array([1] * len(LOG)).cast(pa.decimal256(60, 2))
    table = LOG.to_arrow().append_column("price in wei", wide)
    path = tmp_path / f"interactions.{form}"
    if form == "parquet":
        pyarrow.parquet.write_table(table, path)
    elif form == "feather":
        pyarrow.feather.write_feather(table, path, compression="uncompressed")
    with pytest.raises(DataError, match="column 'price in wei': it holds decimals of 256 bits"):
        Dataset.from_frames(table if form == "frame" else path)


def test_a_gzip_file_that_pandas_wrote_is_read(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}).to_csv(tmp_path / "interactions.csv.gz")
    assert Dataset.load(tmp_path).user_count == 2
