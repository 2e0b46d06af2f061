"""Ids and histories from the command line, and results into files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from attrformer.cli.tables import check_target, deliver, latest, read_histories, split_ids, with_reasons
from attrformer.data import Dataset
from attrformer.errors import ConfigurationError, DataError


def test_ids_from_repeated_and_comma_separated_options() -> None:
    assert split_ids(["1, 2", "x y", "3,"]) == ["1", "2", "x y", "3"]
    assert split_ids([]) is None
    assert split_ids(None) is None


@given(st.lists(st.text(min_size=1), min_size=1))
def test_double_quotes_keep_an_id_as_it_is(ids: list[str]) -> None:
    assert split_ids([", ".join('"' + name.replace('"', '""') + '"' for name in ids)]) == ids


@given(st.text(st.sampled_from("ab ,\n")))
def test_without_quotes_commas_and_outer_blanks_are_none_of_an_id(text: str) -> None:
    plain = [word.strip() for word in text.split(",") if word.strip()]
    assert (split_ids([text, "x"]) or [])[:-1] == plain


def test_quotes_within_an_id_are_of_the_id() -> None:
    assert split_ids(['12" pan, b']) == ['12" pan', "b"]
    assert split_ids(['" u 1",x', 'a"b']) == [" u 1", "x", 'a"b']


def test_an_option_without_an_id_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="No id is given"):
        split_ids([" ,"])


def test_histories_from_a_table_stay_a_table(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["c", "a", "z"], "timestamp": [30, 10, 20]})
    frame.write_parquet(tmp_path / "histories.parquet")
    found = read_histories(tmp_path / "histories.parquet")
    assert isinstance(found, pl.DataFrame)
    assert_frame_equal(found, frame)
    assert read_histories(None) is None


@pytest.mark.parametrize("text", ['{"u": ["a", 2], "v": []}', '[["a"], ["b", "c"]]'])
def test_histories_from_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "histories.json"
    path.write_text(text)
    expected = {"u": ["a", 2], "v": []} if text[0] == "{" else [["a"], ["b", "c"]]
    assert read_histories(path) == expected


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
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


PARTS = pl.DataFrame(
    {
        "user_id": [2] * 6 + [1],
        "item_id": ["x"] * 5 + ["y", "z"],
        "score": [1.0] * 5 + [0.5, 0.25],
        "rank": [1] * 5 + [2, 1],
        "component": ["a", "b", "c", "d", "e", "a", "a"],
        "contribution": [0.1, -2.0, 0.5, 0.02, 1.0, 0.5, 0.25],
        "history": [None, "y", None, "z", "z", None, None],
    }
)


def test_reasons_name_the_strongest_parts_first_and_keep_the_order_of_items() -> None:
    expected = pl.DataFrame(
        {
            "user_id": [2, 2, 1],
            "rank": [1, 2, 1],
            "item_id": ["x", "y", "z"],
            "score": [1.0, 0.5, 0.25],
            "reasons": ["b -2.0 (y), e +1.0 (z), c +0.5", "a +0.5", "a +0.25"],
        }
    )
    assert_frame_equal(with_reasons(PARTS), expected)


def test_reasons_use_titles_where_items_have_them() -> None:
    titles = pl.DataFrame({"item_id": ["x", "y", "z"], "title": ["Axe", "Yarn", "Zip"]})
    found = with_reasons(PARTS, titles)
    assert found["title"].to_list() == ["Axe", "Yarn", "Zip"]
    assert found["reasons"][0] == "b -2.0 (Yarn), e +1.0 (Zip), c +0.5"


def test_latest_items_of_a_user_come_latest_first() -> None:
    interactions = pl.DataFrame({"user_id": ["u"] * 7, "item_id": list("abcdefg"), "timestamp": range(7)})
    items = pl.DataFrame({"item_id": list("abcdefg"), "title": list("ABCDEFG")})
    dataset = Dataset.from_frames(interactions, items=items)
    assert latest(dataset, 0).rows() == [("g", "G"), ("f", "F"), ("e", "E"), ("d", "D"), ("c", "C")]
