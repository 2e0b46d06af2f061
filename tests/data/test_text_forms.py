"""Signs between the values of text files, and decimal commas: told by the file, by a column, or by an option."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_log import assert_same

from attrformer.data import Dataset
from attrformer.data.prepare_tables import prepare_tables
from attrformer.data.table_files import read_file
from attrformer.data.text_columns import column_as, profile_of
from attrformer.data.text_tables import TextForm
from attrformer.errors import ConfigurationError, DataError

LOG = "user_id{0}item_id{0}price\n1{0}a{0}{1}\n1{0}b{0}{2}\n2{0}a{0}{1}\n2{0}b{0}{2}\n"


def prices(folder: Path, sign: str, *values: str, form: TextForm = TextForm()) -> list[object]:  # noqa: B008
    file = folder / ("t.tsv" if sign == "\t" else "t.csv")
    file.write_text(f"item_id{sign}price\n" + "".join(f"{n}{sign}{v}\n" for n, v in enumerate(values)))
    return read_file(file, form=form).frame["price"].to_list()


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_numbers_with_decimal_commas_are_numbers(tmp_path: Path, sign: str) -> None:
    assert prices(tmp_path, sign, "3,50", "1.234,5", "7", "-0,125", "", "NA") == [3.5, 1234.5, 7.0, -0.125, None, None]
    assert prices(tmp_path, sign, "1,234", "1234,567") == [1.234, 1234.567]


@pytest.mark.parametrize(
    "values", [("1,234", "5,678"), ("1,5", "1,2,3"), ("3,50", "3.5"), ("3,50 EUR", "4,00 EUR"), ("0.125", "3,50")]
)
def test_what_may_be_something_else_stays_text(tmp_path: Path, values: tuple[str, ...]) -> None:
    assert prices(tmp_path, ";", *values) == [*values]


def test_options_say_what_is_not_clear(tmp_path: Path) -> None:
    comma, point = TextForm(decimal="comma"), TextForm(decimal="point")
    assert prices(tmp_path, ";", "1,234", "5,678", form=comma) == [1.234, 5.678]
    assert prices(tmp_path, ",", '"1,5"', '"2,5"', form=comma) == [1.5, 2.5]
    assert prices(tmp_path, ",", '"1,5"', '"2,5"') == ["1,5", "2,5"]
    assert prices(tmp_path, ";", "1,5", "2,5", form=point) == ["1,5", "2,5"]
    assert prices(tmp_path, ";", "1.5", "2.5", form=comma) == [1.5, 2.5]
    # A point that is not before the fraction stands between thousands.
    assert prices(tmp_path, ";", "1.234", "12.500", form=comma) == [1234.0, 12500.0]
    assert prices(tmp_path, ";", "1.234", "7", "n/a", form=comma) == [1234.0, 7.0, None]
    assert prices(tmp_path, ";", "1.234", "12.5", form=comma) == [1.234, 12.5]
    assert prices(tmp_path, ";", "1.234", "12.500") == [1.234, 12.5]
    with pytest.raises(ConfigurationError, match=r"decimal=',' is not known. Use one of: point, comma"):
        Dataset.from_frames({"user_id": [1], "item_id": [1]}, decimal=",")  # type: ignore[arg-type]


def test_what_was_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(LOG.format(";", "1,5", "2"))
    (tmp_path / "items.csv").write_text("item_id;size;weight\na;1,234;0,5\nb;2,345;\n")
    read = Dataset.load(tmp_path)
    notes = "\n".join(read.notes)
    assert "interactions.csv: column 'price': numbers with decimal commas, such as '1,5'" in notes
    assert "column 'size': '1,234' may have a decimal comma or one between thousands" in notes
    assert read.sequences.behaviours["price"].tolist() == [1.5, 2.0, 1.5, 2.0]
    assert read.item_attributes["weight"].numbers[0] == 0.5
    assert Dataset.load(tmp_path, decimal="comma").item_attributes["size"].numbers.tolist() == [1.234, 2.345]


def test_commas_between_values_are_no_decimal_ones(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(LOG.format(";", "1,5", "2"))
    (tmp_path / "items.csv").write_text("item_id;kinds;code\na;1,5;1,10\nb;2;2,20\n")
    read = Dataset.load(tmp_path, separators={"items.kinds": ","}, kinds={"code": "categorical"})
    assert read.item_attributes["kinds"].vocabulary == ("1", "2", "5")
    assert read.item_attributes["code"].vocabulary == ("1,10", "2,20")
    renamed = Dataset.load(tmp_path, columns={"groups": "kinds"}, separators={"groups": ","})
    assert renamed.item_attributes["groups"].vocabulary == ("1", "2", "5")


def test_a_named_delimiter_settles_what_is_not_clear(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("user_id;item_id|x\n1;a|b\n2;a|c\n1;c|d\n2;e|f\n")
    with pytest.raises(DataError, match=r"separated by semicolons or \|.*--delimiter semicolon"):
        Dataset.load(tmp_path, columns={"item_id": "item_id|x"})
    read = Dataset.load(tmp_path, columns={"item_id": "item_id|x"}, delimiter="semicolon")
    assert read.item_ids.values.to_list() == ["a|b", "a|c", "c|d", "e|f"]
    # Files that do not have it tell their own.
    (tmp_path / "items.csv").write_text("item_id,kind\na|b,x\na|c,y\n")
    assert Dataset.load(tmp_path, columns={"interactions.item_id": "item_id|x"}, delimiter="semicolon").item_count == 4


@pytest.mark.parametrize("options", [{}, {"decimal": "comma"}, {"decimal": "point"}])
def test_parts_are_read_as_the_whole(tmp_path: Path, options: dict[str, str]) -> None:
    (tmp_path / "log").mkdir()
    text = LOG.format(";", "1", "1,234") + "3;a;1,5\n3;b;\n4;a;12,50\n"
    (tmp_path / "log" / "interactions.csv").write_text(text)
    read = Dataset.load(tmp_path / "log", **options)  # type: ignore[arg-type]
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=1, **options)  # type: ignore[arg-type]
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))


NUMBERS = st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1, max_size=20)


@given(NUMBERS, st.booleans(), st.integers(1, 5))
def test_written_numbers_are_read_as_themselves(numbers: list[object], thousands: bool, size: int) -> None:
    def written(number: object) -> str:
        text = f"{number:,.2f}" if thousands else f"{number:.2f}"
        return text.replace(",", "_").replace(".", ",").replace("_", ".")

    texts = pl.Series("price", [written(number) for number in numbers])
    whole = profile_of(texts, commas=True)
    assert column_as(texts, whole).to_list() == [float(number) for number in numbers]  # type: ignore[arg-type]
    parts = profile_of(texts[:size], commas=True) | profile_of(texts[size:], commas=True)
    assert parts.way == whole.way and parts.shown == whole.shown
