from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from attrformer.cli.serve import serve
from attrformer.errors import AttrFormerError
from attrformer.server import server
from attrformer.server.server import require_extra


def run_command(*arguments: object, **environment: str) -> Result:
    app = typer.Typer()
    app.command()(serve)
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb", **environment}).invoke(app, [str(a) for a in arguments])


def refusal(*arguments: object, **environment: str) -> str:
    result = run_command(*arguments, **environment)
    assert isinstance(result.exception, AttrFormerError)
    return str(result.exception)


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert "cannot be read" in refusal(tmp_path, "--token-file", file)
    file.write_text("\n")
    assert "is empty" in refusal(tmp_path, "--token-file", file)
    file.write_text("short\n")
    assert "16 or more" in refusal(tmp_path, "--token-file", file)
    assert "16 or more" in refusal(tmp_path, ATTRFORMER_TOKEN="short")
    file.write_text("a-token-that-is-long-enough\n")
    # The token is fine, and so the folder is what is wrong.
    assert "no finished model" in refusal(tmp_path, "--token-file", file, ATTRFORMER_TOKEN="short")


def test_a_service_that_is_open_to_the_network_says_so(tmp_path: Path) -> None:
    result = run_command(tmp_path, "--host", "0.0.0.0", ATTRFORMER_TOKEN="")
    assert "Anybody who reaches 0.0.0.0 can ask" in result.stderr
    assert "Anybody" not in run_command(tmp_path, ATTRFORMER_TOKEN="").stderr


def test_a_missing_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_extra()
    needed: Any = (*server._NEEDED, "a_package_that_nobody_made")
    monkeypatch.setattr(server, "_NEEDED", needed)
    with pytest.raises(AttrFormerError, match=r"a_package_that_nobody_made.*pip install 'attrformer\[serve\]'"):
        require_extra()
