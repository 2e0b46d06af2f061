"""`attrformer publish`: what it puts into a folder of versions, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from attrformer.cli.publish import publish
from attrformer.errors import AttrFormerError

pytestmark = pytest.mark.slow


def published(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(publish)
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [str(a) for a in arguments])


def test_a_run_becomes_the_current_version_and_another_can_be_gone_back_to(run: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert published(run, "--to", models, "--version", "a").exit_code == 0
    result = published(run, "--to", models)
    assert result.exit_code == 0 and result.stderr.startswith(f"{models / 'current'} is 2")
    assert os.readlink(models / "current") != "a" and len(list(models.iterdir())) == 3
    assert published("--to", models, "--version", "a").exit_code == 0
    assert os.readlink(models / "current") == "a"


def test_what_only_the_service_of_the_run_has_is_told(run: Path, tmp_path: Path) -> None:
    (run / "added.jsonl").touch()
    (run / "changed.jsonl").touch()
    result = published(run, "--to", tmp_path / "models", "--version", "a")
    assert result.exit_code == 0 and result.stderr.count("Note: ") == 2
    assert "changes of items that were sent to the service of this run" in result.stderr
    assert "kept there, and the version does not have them." in result.stderr
    assert "Note: " not in published("--to", tmp_path / "models", "--version", "a").stderr


def test_a_model_that_gives_no_sound_answer_is_not_published(run: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    published(run, "--to", models, "--version", "a")
    (run / "model" / "model.safetensors").write_bytes(b"torn")
    for arguments, words in (((run, "--to", models), "cannot be read"), (("--to", models), "nothing to publish")):
        result = published(*arguments)
        assert isinstance(result.exception, AttrFormerError) and words in str(result.exception)
    assert sorted(path.name for path in models.iterdir()) == ["a", "current"]
