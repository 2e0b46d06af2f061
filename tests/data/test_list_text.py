"""Several values in one text: lists that were written as text, separators, and the hint that there may be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from attrformer.data import AttributeKind, Dataset
from attrformer.data.list_text import lists_of_texts, parse_list
from attrformer.errors import ConfigurationError, DataError

LISTS = [["A", "B c"], ["it's"], [], ['say "x"', "A"], ["B c", None], ["é"]]
LOG = pl.DataFrame({"user_id": [1] * 6, "item_id": range(6), "timestamp": range(6)})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("['A', 'B']", ["A", "B"]),
        ("['A' 'B']", ["A", "B"]),
        ("['A'\n 'B']", ["A", "B"]),
        ('["A", "B"]', ["A", "B"]),
        ('["caf\\u00e9", "a\\/b"]', ["café", "a/b"]),
        ("('A', 'B')", ["A", "B"]),
        ("('A',)", ["A"]),
        ("{'A', 'B'}", ["A", "B"]),
        ("['it\\'s', \"it's\"]", ["it's", "it's"]),
        ("[A, B c]", ["A", "B c"]),
        ("[1, 2]", [1, 2]),
        ("[1 2 3]", [1, 2, 3]),
        ("[ 1.  2.5]", [1.0, 2.5]),
        ("['A', None, nan]", ["A", None, None]),
        ("[]", []),
        ("[['A', 'B'], ['C']]", [["A", "B"], ["C"]]),
        ("(no genres listed)", None),
        ("['A'", None),
        ("['A' 'B', 'C']", None),
        ("A", None),
        ("[REC]", None),
    ],
)
def test_lists_of_every_writer_are_read(text: str, values: list[Any] | None) -> None:
    assert parse_list(text) == values


def dataset_of(column: Any, tmp_path: Path, **options: Any) -> Dataset:
    LOG.write_csv(tmp_path / "interactions.csv")
    pd.DataFrame({"item_id": range(6), "genres": column}).to_csv(tmp_path / "items.csv", index=False)
    return Dataset.load(tmp_path, **options)


def values_of(dataset: Dataset) -> list[set[str]]:
    found = dataset.item_attributes["genres"]
    ends = zip(found.offsets[:-1], found.offsets[1:], strict=True)
    return [{found.vocabulary[code] for code in found.codes[start:stop]} for start, stop in ends]


def test_lists_that_pandas_wrote_to_csv_are_those_of_the_frame(tmp_path: Path) -> None:
    expected = [{value for value in row if value} for row in LISTS]
    dataset = dataset_of(LISTS, tmp_path)
    assert dataset.item_attributes["genres"].kind is AttributeKind.MULTI and values_of(dataset) == expected
    assert "items.csv: column 'genres' is read as multi with 5 values, its texts are lists" in dataset.notes
    arrays = [np.array([value for value in row if value]) for row in LISTS]
    assert values_of(dataset_of(arrays, tmp_path)) == expected
    assert values_of(Dataset.from_frames(LOG, pl.DataFrame({"item_id": range(6), "genres": LISTS}))) == expected


def test_texts_in_brackets_are_no_lists_where_some_are_not(tmp_path: Path) -> None:
    assert lists_of_texts(pl.Series(["['A']", "B"])) is None
    assert lists_of_texts(pl.Series(["[REC]", "[rec]"])) is None


def test_lists_of_nothing_but_a_missing_value_are_lists() -> None:
    for text in ("[None]", "[nan]", "[ null ]"):
        lists = lists_of_texts(pl.Series([text, None]))
        assert lists is not None and lists.to_list() == [[None], None]
    numbers = lists_of_texts(pl.Series(["[-1.25]", "[1e20]"]))
    assert numbers is not None and numbers.to_list() == [[-1.25], [1e20]]


def test_nested_lists_are_left_out_from_csv_as_from_frames(tmp_path: Path) -> None:
    nested = [[["A", "B"], ["C"]]] * 3 + [[["D"]]] * 3
    for dataset in (
        dataset_of(nested, tmp_path),
        Dataset.from_frames(LOG, pl.DataFrame({"item_id": range(6), "genres": nested})),
    ):
        assert dataset.item_attributes == {}
        assert any("lists of lists or mappings are read where a kind is declared" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("texts", "separator"),
    [
        (["Action, Comedy", "Action", "Comedy,Drama"], ", "),
        (["Action\tComedy", "Action", "Comedy\tDrama"], "\t"),
        (["Action;Comedy", " Action ", "Comedy ; Drama"], ";"),
    ],
)
def test_a_separator_splits_and_blanks_do_not_count(tmp_path: Path, texts: list[str], separator: str) -> None:
    dataset = dataset_of(texts * 2, tmp_path, separators={"genres": separator})
    assert values_of(dataset) == [{"Action", "Comedy"}, {"Action"}, {"Comedy", "Drama"}] * 2
    assert f"is read as multi with 3 values, its texts are split at '{separator}'" in dataset.notes[-1]


def test_bars_with_blanks_are_split_without_being_told(tmp_path: Path) -> None:
    dataset = dataset_of(["Action | Comedy", "Action|Drama ", "Comedy"] * 2, tmp_path)
    assert values_of(dataset)[:3] == [{"Action", "Comedy"}, {"Action", "Drama"}, {"Comedy"}]


@pytest.mark.parametrize("mark", [", ", ";", " / "])
def test_a_text_that_seems_to_hold_several_values_gets_a_hint(tmp_path: Path, mark: str) -> None:
    texts = [mark.join(pair) for pair in ("ab", "ac", "ad", "bc", "bd", "cd")]
    dataset = dataset_of(texts, tmp_path)
    hint = f"its 6 texts seem to be 4 values separated by '{mark}' (separators={{'genres': '{mark}'}} splits them)"
    assert hint in "\n".join(dataset.notes)
    assert "separators" not in "\n".join(dataset_of(["a, b", "c, d", "e, f", "g, h", "i", "j"], tmp_path).notes)


def test_separators_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a separator is given for 'genre', and no such column is there"):
        dataset_of(["a"] * 6, tmp_path, separators={"genre": ","})
    with pytest.raises(ConfigurationError, match=r"separators\['genres'\] is ''"):
        dataset_of(["a"] * 6, tmp_path, separators={"genres": ""})
    with pytest.raises(ConfigurationError, match="Leave one of the two out"):
        dataset_of(["a"] * 6, tmp_path, separators={"genres": ","}, kinds={"genres": "categorical"})
    with pytest.raises(DataError, match="the column holds no text"):
        dataset_of([1, 2, 3, 4, 5, 6], tmp_path, separators={"genres": ","})


@pytest.mark.parametrize(
    "texts", [["$1.50", "$2,000.00"], ["1,5", "2,5"], ["1.50 EUR", "2 EUR"], ["1'000", "20"], ["5 kg", "7 kg"]]
)
def test_numbers_with_other_signs_get_a_hint(tmp_path: Path, texts: list[str]) -> None:
    assert "its texts look like numbers with other signs" in dataset_of(texts * 3, tmp_path).notes[-1]
    for other in (["1 star", "5 apples"], ["b0", "b1"], ["1.50", "2.50"]):
        assert "look like numbers" not in dataset_of(other * 3, tmp_path).notes[-1]


@pytest.mark.parametrize(
    ("texts", "hint"),
    [
        (["13.01.2023", "14.02.2023"], "read as time, its texts are dates with the day first"),
        (["01/13/2023 10:00", "02/14/2023 11:00"], "read as time, its texts are dates with the month first"),
        (
            ["01/12/2023", "02/11/2023"],
            "its texts look like days (kinds={'genres': 'time'} reads them, with --date-order",
        ),
        (["13.01.23", "14.02.23"], "its texts look like days"),
        (["Home>Garden", "Home>Kitchen"], "look like paths of levels (kinds={'genres': 'hierarchy'} reads"),
    ],
)
def test_days_and_paths_in_other_forms_get_a_hint(tmp_path: Path, texts: list[str], hint: str) -> None:
    assert hint in dataset_of(texts * 3, tmp_path).notes[-1]


@pytest.mark.parametrize("texts", [["1.0", "2.0"], ["-999", "1.5"], ["1990", "1991"]])
def test_numbers_that_a_frame_holds_as_text_get_a_hint(texts: list[str]) -> None:
    log = pl.DataFrame({"user_id": [1] * 6, "item_id": range(6)})
    items = pl.DataFrame({"item_id": range(6), "size": texts * 3})
    told = f"its texts are {'whole ' if texts[0] == '1990' else ''}numbers (declare 'numeric' to have them read so)"
    assert told in Dataset.from_frames(log, items).notes[-1]
    assert "its texts" not in Dataset.from_frames(log, items.with_columns(size=pl.lit("007"))).notes[-1]


def test_empty_lists_of_interactions_are_no_category(tmp_path: Path) -> None:
    """They are none in a file of real lists either, and a table is read alike in whatever file it comes."""
    log = tmp_path / "interactions.csv"
    log.write_text("user_id,item_id,tags,film\na,x,[],[REC]\na,y,,[REC]\nb,x,[],Alien\n")
    dataset = Dataset.from_frames(log)
    assert list(dataset.sequences.behaviours) == ["film"]
    assert "interactions.csv: column 'tags' is not used, a behaviour attribute has to be a number or a category" in (
        dataset.notes
    )


def test_places_get_a_hint(tmp_path: Path) -> None:
    places = [f"{number}.25,-{number}.5" for number in range(10, 16)]
    assert "(kinds={'genres': 'location'} reads places)" in dataset_of(places, tmp_path).notes[-1]
    assert "look like latitude" not in dataset_of([*places[:5], "1,5"], tmp_path).notes[-1]
