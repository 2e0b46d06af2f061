"""Text files: missing words, numbers, and ids that only look like numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data import AttributeKind, Dataset, read_table, text_columns
from attrformer.data.text_columns import TextProfile, column_as, profile_of, told_of, typed_column
from attrformer.errors import DataError


def typed(*values: str | None) -> list[object]:
    return typed_column(pl.Series("c", values, dtype=pl.String))[0].to_list()


def told(*values: str | None) -> str | None:
    return typed_column(pl.Series("c", values, dtype=pl.String))[1]


@pytest.mark.parametrize(
    "word",
    ["NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "null", "NULL", "\\N", "None", "<NA>", "#NULL!", "NaT", "", " "],
)
def test_missing_words_are_missing_in_columns_of_numbers(word: str) -> None:
    assert typed("1", word, "3") == [1, None, 3]
    assert typed("1.5", word, "3") == [1.5, None, 3.0]
    assert typed("true", word, "False") == [True, None, False]


@pytest.mark.parametrize("word", [".", "-", "--", "?", "missing", "none"])
def test_some_words_are_missing_among_numbers_alone(word: str) -> None:
    assert typed("1", word, "3") == [1, None, 3]
    assert typed("red", word, "blue") == ["red", word, "blue"]


def test_missing_words_among_texts_are_missing_and_counted() -> None:
    assert typed("red", "NA", "NULL", "blue", "NA") == ["red", None, None, "blue", None]
    assert told("red", "NA", "NULL", "blue", "NA") == "column 'c': 'NA', 'NULL' read as missing in 3 rows"
    assert told("1", "NA", "") == "column 'c': 'NA' read as missing in 1 rows"
    assert told("1", "", "3") is None and told("red", "", None) is None


def test_the_code_of_namibia_stays_a_value_among_codes() -> None:
    assert typed("DE", "NA", "ZA", "null") == ["DE", "NA", "ZA", None]
    assert typed("DE", "NA", "Other") == ["DE", None, "Other"]
    assert "'NA' is read as a value" in str(told("DE", "NA", "ZA"))


def test_blanks_around_numbers_do_not_count() -> None:
    assert typed(" 1", "2 ", "+3") == [1, 2, 3]
    assert typed("007", "1") == ["007", "1"] and typed("1_000", "2") == ["1_000", "2"]


def write(folder: Path, ids: list[str], items: list[str] | None = None) -> Dataset:
    rows = "".join(f'"{value}",{value},{number}\n' for number, value in enumerate(ids))
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\n" + rows)
    if items is not None:
        (folder / "items.csv").write_text(
            "item_id,level\n" + "".join(f"{item},{number}.5\n" for number, item in enumerate(items))
        )
    return Dataset.load(folder)


@pytest.mark.parametrize(
    "ids",
    [
        ["12E3", "7E2", "1E5"],
        ["0x1F", "12"],
        ["007", "12"],
        ["1_000", "12"],
        ["+5", "12"],
        [" 12", "12"],
        ["1.0", "2.0"],
        ["NaN", "12"],
        ["inf", "12"],
        ["NA", "12"],
        ["null", "12"],
        ["true", "false"],
        ["-0", "1"],
        ["\\N", "1"],
        ["99999999999999999999", "1"],
        ["2020-01-01", "2020-01-02"],
        ["None", "1"],
    ],
)
def test_ids_are_text_unless_all_are_plain_whole_numbers(tmp_path: Path, ids: list[str]) -> None:
    dataset = write(tmp_path, ids, ids)
    assert dataset.item_ids.to_list() == dataset.user_ids.to_list() == sorted(ids)
    assert not np.isnan(dataset.item_attributes["level"].numbers).any()
    assert read_table(tmp_path / "interactions.csv")["item_id"].to_list() == ids


def test_plain_whole_numbers_are_integers(tmp_path: Path) -> None:
    assert write(tmp_path, ["10", "9", "-3", "0"]).item_ids.to_list() == [-3, 0, 9, 10]


def test_one_type_of_ids_for_all_tables(tmp_path: Path) -> None:
    dataset = write(tmp_path, ["1", "2"], ["1", "2", "A12", "02"])
    assert dataset.item_ids.to_list() == ["1", "2"] and dataset.user_ids.to_list() == [1, 2]
    assert "item ids are read as text, since items.csv has ids that are no whole numbers ('A12')" in dataset.notes
    expected = Dataset.from_frames(
        pl.DataFrame({"user_id": [1, 2], "item_id": ["1", "2"], "timestamp": [0, 1]}),
        pl.DataFrame({"item_id": ["1", "2", "A12", "02"], "level": [0.5, 1.5, 2.5, 3.5]}),
    )
    assert dataset.item_ids == expected.item_ids
    assert dataset.item_attributes["level"].numbers.tolist() == [0.5, 1.5]
    assert expected.item_attributes["level"].numbers.tolist() == [0.5, 1.5]


def test_numbers_of_one_table_and_text_of_another_are_not_confused() -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [7, 8]})
    dataset = Dataset.from_frames(log, pl.DataFrame({"item_id": ["7", "007", "8"], "n": [0.5, 1.5, 2.5]}))
    assert dataset.item_ids.to_list() == ["7", "8"]
    assert dataset.item_attributes["n"].numbers.tolist() == [0.5, 2.5]


def test_titles_stay_text_and_missing_words_in_them_are_titles(tmp_path: Path) -> None:
    write(tmp_path, ["1", "2", "3"])
    (tmp_path / "items.csv").write_text("item_id,title\n1,NA\n2,007\n3,\n")
    assert Dataset.load(tmp_path).item_titles == ("NA", "007", "3")


def test_missing_words_in_a_file_are_told_and_the_column_is_numeric(tmp_path: Path) -> None:
    write(tmp_path, ["1", "2", "3"])
    (tmp_path / "items.csv").write_text("item_id,price\n1,1.5\n2,NA\n3,3.5\n")
    dataset = Dataset.load(tmp_path)
    assert dataset.item_attributes["price"].kind is AttributeKind.NUMERIC
    np.testing.assert_array_equal(dataset.item_attributes["price"].numbers, [1.5, np.nan, 3.5])
    assert "items.csv: column 'price': 'NA' read as missing in 1 rows" in dataset.notes


def test_ids_that_differ_by_blanks_or_case_are_told_and_kept(tmp_path: Path) -> None:
    dataset = write(tmp_path, ["A1", "a1", "b2 ", "b2"], ["A1", "a1", "B2"])
    assert dataset.item_count == 4
    notes = "\n".join(dataset.notes)
    assert "2 item ids differ from others by blanks, case or the form of a letter alone (e.g. 'A1' and 'a1')" in notes
    assert "1 unknown ids differ from known ones by blanks, case, the form of a letter, zeros in front or" in notes


@pytest.mark.parametrize(
    ("here", "there"), [("007", "7"), ("7", "7.0"), ("7", "7   "), ("CAFE\u0301", "caf\u00e9"), ("AB", "ab")]
)
def test_ids_of_which_none_is_known_are_said_to_be_written_in_another_way(
    tmp_path: Path, here: str, there: str
) -> None:
    with pytest.raises(
        DataError, match=r"no row is about an id .*; 1 unknown ids differ from known ones by blanks, .*"
    ):
        write(tmp_path, [there] * 3, [here])
    with pytest.raises(DataError, match=r"no row is about an id [^;]*\. Use the same ids in both tables\.$"):
        write(tmp_path, [there] * 3, ["other"])


def test_an_empty_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text('user_id,item_id\na,""\n')
    with pytest.raises(DataError, match="column 'item_id', row 0: the id is empty"):
        Dataset.load(tmp_path)
    with pytest.raises(DataError, match="row 1: the id is empty"):
        Dataset.from_frames(pl.DataFrame({"user_id": ["a", ""], "item_id": [1, 2]}))


TEXTS = ["1", "+2", "007", "2.5", "1e3", "inf", "9223372036854775808", "true", "FALSE", "NA", "DE", "FR", "unknown"]
TEXTS += [" 1", "2 ", "", "  ", "-", "nan", "red", "None", "."]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.none() | st.sampled_from(TEXTS), max_size=5), min_size=1, max_size=4),
    st.booleans(),
)
def test_the_profiles_of_parts_add_up_to_that_of_the_whole(parts: list[list[str | None]], counted: bool) -> None:
    series = [pl.Series("c", part, dtype=pl.String) for part in parts]
    whole = pl.concat(series)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_columns, "_FEW", 100 if counted else -1)
        together = TextProfile()
        for part in series:
            together |= profile_of(part)
        alone = profile_of(whole)
    assert together.way == alone.way and told_of("c", together) == told_of("c", alone)
    assert pl.concat([column_as(part, together) for part in series]).equals(column_as(whole, alone))
