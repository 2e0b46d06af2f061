"""Ids and histories from the command line, and results into files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from attrformer.cli.tables import check_target, deliver, read_histories, user_ids, with_reasons
from attrformer.errors import ConfigurationError, DataError


def test_ids_from_repeated_and_comma_separated_options() -> None:
    assert user_ids(["1, 2", "x y", "3,"]) == ["1", "2", "x y", "3"]
    assert user_ids([]) is None
    assert user_ids(None) is None


def test_an_option_without_an_id_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="No id is given"):
        user_ids([" ,"])


def test_histories_from_a_table_keep_row_order(tmp_path: Path) -> None:
    path = tmp_path / "histories.csv"
    path.write_text("user_id,item_id\nb,3\na,1\nb,2\na,9\n")
    assert read_histories(path) == {"b": [3, 2], "a": [1, 9]}


def test_histories_from_a_table_with_times_are_sorted(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 2, 1], "item_id": ["c", "a", "z", "b"], "timestamp": [30, 10, 20, 20]})
    frame.write_parquet(tmp_path / "histories.parquet")
    assert read_histories(tmp_path / "histories.parquet") == {1: ["a", "b", "c"], 2: ["z"]}


@pytest.mark.parametrize("text", ['{"u": ["a", 2], "v": []}', '[["a"], ["b", "c"]]'])
def test_histories_from_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "histories.json"
    path.write_text(text)
    expected = {"u": ["a", 2], "v": []} if text[0] == "{" else [["a"], ["b", "c"]]
    assert read_histories(path) == expected


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "user,item_id\n1,2\n", "column 'user_id': the column is missing"),
        ("a.json", "{", "cannot be read"),
        ("a.json", '{"u": "abc"}', "something else than lists"),
        ("a.json", "3", "something else than lists"),
    ],
)
def test_histories_that_cannot_be_used(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        read_histories(tmp_path / name)
    assert name in str(caught.value)


def test_missing_histories(tmp_path: Path) -> None:
    for name in ("none.csv", "none.json"):
        with pytest.raises(DataError, match=name):
            read_histories(tmp_path / name)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".json"])
def test_results_into_files(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"user_id": ["a", "b"], "score": [0.5, -1.25]})
    path = tmp_path / "new folder" / f"answers{ending}"
    deliver(frame, path)
    read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".json": pl.read_json}[ending]
    assert_frame_equal(read(path), frame)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_results_into_a_pipe_are_csv(capsys: pytest.CaptureFixture[str]) -> None:
    deliver(pl.DataFrame({"user_id": ["a"], "rank": [1]}), None)
    assert capsys.readouterr().out == "user_id,rank\na,1\n"


def test_unknown_ending_is_refused_before_the_work() -> None:
    with pytest.raises(ConfigurationError, match=r"\.csv, \.parquet, \.json"):
        check_target(Path("answers.xls"))
    check_target(None)


def test_reasons_name_the_strongest_parts_first_and_keep_the_order_of_items() -> None:
    parts = pl.DataFrame(
        {
            "user_id": [2] * 6 + [1],
            "item_id": ["x"] * 5 + ["y", "z"],
            "score": [1.0] * 5 + [0.5, 0.25],
            "rank": [1] * 5 + [2, 1],
            "part": ["a", "b", "c", "d", "e", "a", "a"],
            "contribution": [0.1, -2.0, 0.5, 0.02, 1.0, 0.5, 0.25],
        }
    )
    expected = pl.DataFrame(
        {
            "user_id": [2, 2, 1],
            "rank": [1, 2, 1],
            "item_id": ["x", "y", "z"],
            "score": [1.0, 0.5, 0.25],
            "reasons": ["b -2.0, e +1.0, c +0.5, a +0.1", "a +0.5", "a +0.25"],
        }
    )
    assert_frame_equal(with_reasons(parts), expected)
