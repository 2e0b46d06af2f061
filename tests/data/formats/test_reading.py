"""Recognising formats, and dataset folders that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from attrformer import folders
from attrformer.data.formats import Tables, detect, prepare, read_raw, summarise, write_tables
from attrformer.errors import DataError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "Shop.txt").write_text("1 10 20\n2 20\n")
    (folder / "Shop_item2attributes.json").write_text('{"10": [1], "20": [1, 2], "30": []}')
    return folder


def tables() -> Tables:
    edges = {"source_item_id": [1, 1], "target_item_id": [2, 3], "relation": ["a", "a"], "rank": [0, 1]}
    interactions = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2]})
    return Tables(interactions, item_relations=pl.DataFrame(edges))


def test_prepare_writes_what_read_raw_reads(raw: Path, tmp_path: Path) -> None:
    done = prepare(raw, tmp_path / "deep" / "shop")
    assert done.format.name == "s3rec" and done.folder == tmp_path / "deep" / "shop"
    assert done.summary.rows == {"interactions": 3, "items": 3}
    assert (done.summary.acting_users, done.summary.acted_items, done.summary.edges) == (2, 2, {})
    assert sorted(os.listdir(done.folder)) == ["interactions.parquet", "items.parquet"]
    for name, frame in read_raw(raw).frames().items():
        assert_frame_equal(pl.read_parquet(done.folder / f"{name}.parquet"), frame)
    assert os.listdir(tmp_path / "deep") == ["shop"]
    assert done.folder.stat().st_mode & 0o777 == (tmp_path / "deep").stat().st_mode & 0o777


def test_a_summary_counts_edges_by_relation() -> None:
    assert summarise(tables()).edges == {"a": 2}


def test_an_earlier_folder_is_replaced_only_on_request(tmp_path: Path) -> None:
    folder = write_tables(tables(), tmp_path / "out")
    before = (folder / "item_relations.parquet").read_bytes()
    with pytest.raises(DataError, match="already holds a dataset"):
        write_tables(tables(), folder)
    assert (folder / "item_relations.parquet").read_bytes() == before
    write_tables(Tables(tables().interactions), folder, overwrite=True)
    assert os.listdir(folder) == ["interactions.parquet"] and os.listdir(tmp_path) == ["out"]


def test_a_folder_of_other_things_is_never_replaced(raw: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(DataError, match=r"other files \(thesis\.tex\)"):
            prepare(raw, home, overwrite=overwrite)
    with pytest.raises(DataError, match="a file, not a folder"):
        prepare(raw, home / "thesis.tex", overwrite=True)
    assert (home / "thesis.tex").read_text() == "years of work"


def test_a_failed_write_leaves_the_earlier_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tables(tables(), tmp_path / "out")
    rename = os.rename

    def refusing(source: Path, target: Path) -> None:
        if Path(target) == folder and not Path(source).name.endswith(".old"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    # As on systems that cannot exchange two names at once.
    monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    monkeypatch.setattr(os, "rename", refusing)
    with pytest.raises(DataError, match=r"cannot be written.*No space left"):
        write_tables(Tables(tables().interactions), folder, overwrite=True)
    assert sorted(os.listdir(folder)) == ["interactions.parquet", "item_relations.parquet"]
    assert os.listdir(tmp_path) == ["out"]


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written"):
        write_tables(tables(), tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["notes.txt", "data.xlsx"], "no known raw format; present are: data.xlsx, notes.txt"),
        ([], "present are: no files"),
        (["u.data", "ratings.dat"], "several formats (movielens-100k, movielens-1m)"),
    ],
)
def test_folders_that_fit_no_or_several_formats(tmp_path: Path, names: list[str], said: str) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("A few words about the data\n")
    with pytest.raises(DataError) as caught:
        detect(folder)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("u.item", "movielens-100k"),
        ("movies.dat", "movielens-1m"),
        ("ratings.csv", "movielens-25m"),
        ("meta_Toys_and_Games.json.gz", "amazon-2014"),
        ("x.inter", "recbole"),
    ],
)
def test_one_file_gives_its_format_away(tmp_path: Path, name: str, format: str) -> None:
    inner = tmp_path / "raw" / "inner"
    inner.mkdir(parents=True)
    (inner / name).write_text("")
    (inner / "README.txt").write_text("Words.")
    assert detect(tmp_path / "raw") is detect(inner) is detect(inner / name)
    assert detect(inner).name == format


def test_unknown_paths_and_formats(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_raw(tmp_path / "nothing.zip")
    with pytest.raises(DataError, match=r"no raw format 'lastfm'.*movielens-1m"):
        read_raw(tmp_path, "lastfm")


def test_plain_tables_are_told_to_need_no_preparing(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv.gz").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "interactions.csv.gz"):
        with pytest.raises(
            DataError, match=r"plain tables \(interactions.csv.gz\), which need no preparing. Pass their"
        ) as caught:
            prepare(path, tmp_path / "out")
        assert f"attrformer train --data {tmp_path} " in str(caught.value)
