"""Which folders may be written, and which data belong to a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.recommenders import small_dataset
from typer.testing import CliRunner

from attrformer.cli.app import _plugins_first, app
from attrformer.cli.runs import (
    check_free,
    data_folder,
    free_folder,
    remember_data,
    remember_sample,
    split_of_run,
)
from attrformer.errors import CheckpointError, DataError
from attrformer.recommender import Config


def test_only_new_or_empty_folders_are_free(tmp_path: Path) -> None:
    check_free(tmp_path / "new", resume=False)
    check_free(tmp_path, resume=False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="no training folder"):
        check_free(tmp_path, resume=False)
    with pytest.raises(CheckpointError, match="no training folder"):
        check_free(tmp_path / "notes.txt", resume=False)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="--resume"):
        check_free(tmp_path, resume=False)
    check_free(tmp_path, resume=True)


def test_free_folder_counts_on(tmp_path: Path) -> None:
    found = []
    for _ in range(3):
        found.append(free_folder(tmp_path / "demo"))
        found[-1].mkdir()
    assert [folder.name for folder in found] == ["demo", "demo-2", "demo-3"]


def test_a_run_finds_its_data_again_after_both_were_moved(tmp_path: Path) -> None:
    run, data = tmp_path / "a" / "runs" / "x", tmp_path / "a" / "data" / "shop"
    run.mkdir(parents=True)
    data.mkdir(parents=True)
    remember_data(run, data)
    assert data_folder(run, None) == data
    assert data_folder(run, tmp_path) == tmp_path
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert data_folder(tmp_path / "b" / "runs" / "x", None) == tmp_path / "b" / "data" / "shop"


def test_a_run_on_the_embedded_sample_finds_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = small_dataset()
    monkeypatch.setattr("attrformer.data.sample.sample_dataset", lambda: small)
    remember_sample(tmp_path)
    dataset, split = split_of_run(tmp_path, None, Config())
    assert dataset is small and split.name == "leave-one-out"
    with pytest.raises(DataError, match="no such folder"):
        split_of_run(tmp_path, tmp_path / "nowhere", Config())


def test_a_run_that_was_fitted_in_python_or_lost_its_data_says_which_flag_to_give(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"it was fitted in Python.*dataset.save\(FOLDER\).*--data FOLDER"):
        data_folder(tmp_path, None)
    remember_data(tmp_path, tmp_path / "gone")
    with pytest.raises(CheckpointError, match=r"gone, which is no longer there.*--data FOLDER"):
        data_folder(tmp_path, None)


def test_a_run_without_data_asks_for_them(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="--data"):
        data_folder(tmp_path, None)
    for content in ("{", "[]", '{"folder": 3}'):
        (tmp_path / "data.json").write_text(content)
        with pytest.raises(CheckpointError, match="damaged"):
            data_folder(tmp_path, None)


def test_models_of_ones_own_may_be_named_before_and_behind_the_command(tmp_path: Path) -> None:
    assert _plugins_first(["train", "--plugins", "a.py", "-d", "x", "--plugins=b.py"]) == [
        *("--plugins", "a.py", "--plugins=b.py"),
        *("train", "-d", "x"),
    ]
    assert _plugins_first(["train", "--", "--plugins", "a.py"]) == ["train", "--", "--plugins", "a.py"]
    assert _plugins_first(["train", "--plugins=a.py", "--plugins", "b.py"]) == [
        *("--plugins=a.py", "--plugins", "b.py", "train"),
    ]
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit(7)")
    for words in ([option, str(file), "options"] for option in ("--models", "--plugins")):
        assert CliRunner().invoke(app, words).exit_code == 7
    for words in (["options", "--models", str(file)], ["options", "--plugins", str(file)]):
        assert CliRunner().invoke(app, words).exit_code == 7
