"""Folders of runs that were killed before they began, and damaged files beside a good model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.retrieval.builders import model_of

from attrformer.cli import console, runs
from attrformer.errors import CheckpointError
from attrformer.io import unfinished_name, write_text
from attrformer.recommender import Config
from attrformer.server.added import Added


def test_a_run_that_was_killed_before_its_options_were_written_may_begin_anew(tmp_path: Path) -> None:
    for name in (".lock", "run.json", unfinished_name("run.json"), unfinished_name("config.json")):
        (tmp_path / name).touch()
    runs.check_free(tmp_path, resume=False)
    (tmp_path / "config.json").touch()
    with pytest.raises(CheckpointError, match="holds a run already"):
        runs.check_free(tmp_path, resume=False)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "run.json.tmp", "checkpoint"])
def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "run.json").touch()
    (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match="is no training folder"):
        runs.check_free(tmp_path, resume=False)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "", "[]", '{"folder": 3}', '{"folder": "a\\u0000b"}', '{"folder": null}', "\0"]
)
def test_a_damaged_note_of_the_data_says_to_name_the_folder(tmp_path: Path, content: str) -> None:
    (tmp_path / runs.DATA).write_text(content)
    with pytest.raises(CheckpointError, match=r"Name the dataset folder: --data FOLDER"):
        runs.split_of_run(tmp_path, None, Config())


def test_commands_say_that_items_of_a_service_are_not_in_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_of().save(tmp_path / runs.MODEL)
    runs.open_model(tmp_path)
    assert capsys.readouterr().err == ""
    Added(tmp_path).append([{"item_id": "mine"}])
    runs.open_model(tmp_path)
    assert "answers without them" in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_while_commands_are_imported_is_one_line() -> None:
    script = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from attrformer.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "\nInterrupted.\n")


def test_halves_of_characters_in_files_can_be_said_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.complain("a \ud800 b")
    console.say("a \ud800 b")
    write_text(tmp_path / "a.txt", "a \ud800 b")
    assert capsys.readouterr().err == "Error: a \\ud800 b\na \\ud800 b\n"
    assert (tmp_path / "a.txt").read_text() == "a \\ud800 b"
