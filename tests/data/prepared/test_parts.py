"""Tables cut into parts: every row stands in one of them, whatever quotes and line ends there are."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data.prepared.parts import cut_table, read_part
from attrformer.data.text_tables import TextForm, read_texts
from attrformer.errors import DataError

FIELDS = st.sampled_from(["1", "23", "a", "a b", '"a,b"', '"line\nbreak"', '"say ""x"""', "", "é", "007", "+5", "-4"])
NUMBERS = st.integers(-(2**62), 2**62) | st.integers(0, 1000)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=12),
    before=st.sampled_from(["", "\ufeff", "sep=,\n"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    size=st.integers(1, 4),
)
def test_the_parts_of_a_text_file_are_the_whole(
    rows: list[tuple[str, str]],
    before: str,
    ending: str,
    last: bool,
    size: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = tmp_path_factory.mktemp("cut") / "interactions.csv"
    lines = ["user_id,item_id", *(",".join(row) for row in rows)]
    file.write_bytes((before + ending.join(lines) + (ending if last else "")).encode())
    source = cut_table(file, size)
    assert source is not None
    parts = [read_part(source, part) for part in source.parts]
    whole = read_texts(file, file.read_bytes(), ",", "utf-8")
    assert pl.concat(parts).equals(whole)
    assert source.parts[0].start == len((before + "user_id,item_id" + ending).encode())
    assert [part.stop for part in source.parts[:-1]] == [part.start for part in source.parts[1:]]


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from(["x", "2.5", "long text"])), min_size=1, max_size=9)
)
def test_plain_whole_numbers_are_read_as_such(
    numbers: list[tuple[int, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("plain") / "interactions.csv"
    frame = pl.DataFrame(numbers, schema={"user_id": pl.Int64, "item_id": pl.Int64, "é c": pl.String}, orient="row")
    frame.write_csv(file)
    source = cut_table(file, 10**6)
    assert source is not None
    assert read_part(source, source.parts[0], ("user_id", "item_id")).equals(frame)


@pytest.mark.parametrize("odd", ["07", "+7", " 7", "7 ", '"7"', "7.0", "7e0", "", "-0", "x", "9223372036854775808"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_numbers_that_are_written_in_another_way_stay_texts(odd: str, ending: str, tmp_path: Path) -> None:
    file = tmp_path / "interactions.csv"
    file.write_bytes(ending.join(["user_id,item_id", "5,6", f"{odd},8", "9,10", ""]).encode())
    source = cut_table(file, 10**6)
    assert source is not None
    found = read_part(source, source.parts[0], ("user_id", "item_id"))
    assert found.schema == {"user_id": pl.String, "item_id": pl.String}
    assert found["user_id"].to_list() == ["5", odd.strip('"') or None, "9"]


@pytest.mark.parametrize(
    "heading", ["\ufeffuser_id,item_id", '"user_id",item_id', "sep=,\nuser_id,item_id", " user_id,item_id"]
)
def test_headings_that_programs_do_not_write_are_cleaned(heading: str, tmp_path: Path) -> None:
    file = tmp_path / "interactions.csv"
    file.write_text(f"{heading}\n5,6\n", encoding="utf-8")
    source = cut_table(file, 10**6)
    assert source is not None
    found = read_part(source, source.parts[0], ("user_id", "item_id"))
    assert found.rows() == [("5", "6")] and found.columns == ["user_id", "item_id"]


def test_files_that_are_read_as_a_whole_are_not_cut(tmp_path: Path) -> None:
    for name in ("interactions.csv.gz", "interactions.jsonl"):
        (tmp_path / name).write_bytes(b"")
        assert cut_table(tmp_path / name, 10) is None
    (tmp_path / "interactions.csv").write_bytes("user_id,item_id\n".encode("utf-16"))
    assert cut_table(tmp_path / "interactions.csv", 10, TextForm("utf-16")) is None
    pl.DataFrame({"user_id": [1]}).to_pandas().rename_axis("visit").to_parquet(tmp_path / "interactions.parquet")
    assert cut_table(tmp_path / "interactions.parquet", 10) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "interactions.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"interactions.parquet: it cannot be read"):
        cut_table(tmp_path / "interactions.parquet", 10)
