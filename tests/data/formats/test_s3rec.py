"""S3Rec: lines of items and a JSON object of attribute codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data.formats import detect, read_raw
from attrformer.errors import DataError


def s3rec(folder: Path, lines: str, attributes: object = None) -> Path:
    (folder / "Shop.txt").write_text(lines)
    (folder / "Shop_sample.txt").write_text("1 5 6\n")
    if attributes is not None:
        (folder / "Shop_item2attributes.json").write_text(json.dumps(attributes))
    return folder


def fault(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_raw(path, "s3rec")
    return caught.value


def test_the_exact_tables(tmp_path: Path) -> None:
    s3rec(tmp_path, "2 30 10 30\n\n1 10\n", {"10": [1, 4], "30": [], "40": [2]})
    assert detect(tmp_path).name == "s3rec"
    tables = read_raw(tmp_path)
    assert tables.interactions.columns == ["user_id", "item_id"]
    assert tables.interactions.rows() == [(2, 30), (2, 10), (2, 30), (1, 10)]
    assert tables.items is not None
    assert tables.items.rows() == [(10, ["1", "4"]), (30, []), (40, ["2"])]


def test_text_ids_stay_text_and_attributes_may_be_absent(tmp_path: Path) -> None:
    tables = read_raw(s3rec(tmp_path, "1 a 007\n2 3\n"), "s3rec")
    assert tables.interactions.rows() == [(1, "a"), (1, "007"), (2, "3")]
    assert tables.items is None


@pytest.mark.slow
@given(st.dictionaries(st.integers(0, 10**9), st.lists(st.integers(0, 99), min_size=1), min_size=1))
def test_every_sequence_comes_back(tmp_path_factory: pytest.TempPathFactory, sequences: dict[int, list[int]]) -> None:
    folder = tmp_path_factory.mktemp("s3rec")
    s3rec(folder, "".join(f"{user} {' '.join(map(str, items))}\n" for user, items in sequences.items()))
    expected = [(user, item) for user, items in sequences.items() for item in items]
    assert read_raw(folder).interactions.rows() == expected


@pytest.mark.parametrize(
    ("lines", "attributes", "row", "said"),
    [
        ("1 10\n2\n", None, 1, "the user has no items (user '2', line 2"),
        ("1 10\n1 20\n", None, 1, "earlier line already (user '1'"),
        ("\n\n", None, None, "no rows"),
        ("1 10\n", [1], None, "no JSON object of items"),
        ("1 10\n", {"9": [1], "10": 3}, 1, "item '10' are no list of codes"),
        ("1 10\n", {"x": [1]}, None, "some items are not integers"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, lines: str, attributes: object, row: int | None, said: str) -> None:
    error = fault(s3rec(tmp_path, lines, attributes))
    assert error.row == row and said in str(error) and "Shop" in str(error)


def test_attributes_that_are_no_json_are_named(tmp_path: Path) -> None:
    s3rec(tmp_path, "1 10\n")
    (tmp_path / "Shop_item2attributes.json").write_text("{")
    assert "no JSON" in str(fault(tmp_path)) and "item2attributes" in str(fault(tmp_path))
