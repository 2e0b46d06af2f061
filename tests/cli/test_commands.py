"""The commands that need no model: help, errors, download, prepare, report."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from attrformer.cli import app as application
from attrformer.cli.app import app
from attrformer.data import download as downloads
from attrformer.data.download import Source, SourceFile

NAMES = (
    *("demo", "download", "prepare", "check", "train", "evaluate", "recommend", "join", "explain"),
    *("index", "export", "publish", "serve", "report", "options", "benchmark"),
)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def test_help_names_every_command(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    commands = result.stdout.partition("Commands")[2]
    assert re.findall(r"^\W*([a-z]+) {2,}\S", commands, re.MULTILINE) == list(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_command_teaches_with_an_example(runner: CliRunner, name: str) -> None:
    result = runner.invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert f"attrformer {name}" in result.stdout


def test_help_needs_neither_torch_nor_polars() -> None:
    code = (
        "import sys, attrformer.cli.app; "
        "print([name for name in ('torch', 'polars', 'numpy', 'scipy', 'jinja2') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_error_is_one_message_on_standard_error_without_a_trace(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "attrformer.cli", "report", str(tmp_path / "absent")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: {tmp_path / 'absent'} is not a folder. Give the folder that `attrformer train --out` wrote.\n"
    )


def test_interruption_is_no_failure_with_a_trace(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(run: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("attrformer.report.write_report", interrupted)
    result = runner.invoke(app, ["report", str(tmp_path)])
    assert (result.exit_code, result.stderr) == (130, "\nInterrupted.\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_what_to_do_next_is_said_where_polars_is_interrupted() -> None:
    """polars answers an interrupt with one KeyboardInterrupt, and Python with another: neither may cost the hint."""
    program = """
import os, signal, threading, time
import polars, typer
from attrformer.cli import app, console

def work(ctx: typer.Context) -> None:
    ctx.meta[console.HINT] = "Go on."
    frame = polars.select(polars.int_range(3_000_000).hash().alias("a")).lazy().sort("a")
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    while True:
        frame.collect()

commands = typer.Typer(cls=app.Commands)
commands.command("work")(work)
commands.command("rest")(lambda: None)
commands(["work"])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=180)
    assert (result.returncode, result.stderr) == (130, "\nInterrupted. Go on.\n")


def test_a_system_error_names_its_file(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "report.html").mkdir()
    result = runner.invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == application.BAD_INPUT
    page = tmp_path / "report.html"
    advice = "Name another place, or move what lies there."
    assert result.stderr == f"Error: {page} cannot be written (a folder lies there). {advice}\n"


def test_report_prints_where_it_lies(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    result = runner.invoke(app, ["report", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'report.html'}\n")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}/"
        listener.shutdown()
        thread.join()


def test_download_shows_the_terms_and_prints_the_file(
    runner: CliRunner, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"not quite an archive"
    (tmp_path / "served" / "tiny.zip").write_bytes(content)
    file = SourceFile("tiny.zip", hashlib.md5(content).hexdigest())
    source = Source("tiny", "A tiny set", (file,), server, "Only for tests.", "http://example.org/terms")
    monkeypatch.setitem(downloads.SOURCES, "tiny", source)
    result = runner.invoke(app, ["download", "tiny", "--out", str(tmp_path / "raw"), "--yes"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'raw' / 'tiny.zip'}\n"
    assert "Only for tests." in result.stderr and "http://example.org/terms" in result.stderr
    assert (tmp_path / "raw" / "tiny.zip").read_bytes() == content


def test_download_fetches_nothing_before_the_terms_are_accepted(runner: CliRunner, server: str, tmp_path: Path) -> None:
    result = runner.invoke(app, ["download", "ml-1m", "--out", str(tmp_path / "raw"), "--url", server])
    assert result.exit_code == 2
    assert "give --yes" in result.stderr
    assert not (tmp_path / "raw").exists()


def test_download_of_an_unknown_name_lists_those_there_are(runner: CliRunner) -> None:
    result = runner.invoke(app, ["download", "ml-2m", "--yes"])
    assert result.exit_code == 2
    assert "ml-100k, ml-1m, ml-25m, beauty, toys" in result.stderr


def test_prepare_writes_a_dataset_folder_and_says_what_comes_next(runner: CliRunner, tmp_path: Path) -> None:
    raw = tmp_path / "toy"
    raw.mkdir()
    (raw / "toy.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\nu1\ti1\t5\nu1\ti2\t7\n")
    out = tmp_path / "data"
    result = runner.invoke(app, ["prepare", str(raw), "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{out}\n"
    assert "Read as recbole: 2 interactions" in result.stderr
    assert f"attrformer train --data {out}" in result.stderr
    assert pl.read_parquet(out / "interactions.parquet")["item_id"].to_list() == ["i1", "i2"]
    again = runner.invoke(app, ["prepare", str(raw), "--out", str(out)])
    assert again.exit_code == 2
    assert runner.invoke(app, ["prepare", str(raw), "--out", str(out), "--overwrite"]).exit_code == 0


def test_the_help_lists_what_is_registered(runner: CliRunner, tmp_path: Path, known_models: None) -> None:
    file = tmp_path / "plays_of_mine.py"
    file.write_text(
        "from attrformer.data.formats import RawFormat, Source, SourceFile, register\n"
        "class Plays(RawFormat):\n"
        "    name = 'plays'\n"
        "    sources = (Source('plays-24', 'Plays', (SourceFile('p.zip'),), 'http://x/', 'None.', 'http://x'),)\n"
        "    def read(self, files):\n"
        "        raise NotImplementedError\n"
        "register(Plays)\n"
    )

    def shown(*words: str) -> str:
        return " ".join(runner.invoke(app, [*words, "--help"]).stdout.replace("│", " ").split())

    assert "recbole, s3rec; recognised by itself" in shown("prepare")
    assert "ml-100k, ml-1m, ml-25m, beauty, toys." in shown("download")
    assert "recbole, s3rec, plays; recognised by itself" in shown("--plugins", str(file), "prepare")
    assert "beauty, toys, plays-24." in shown("download", "--plugins", str(file))


def test_prepare_of_an_unknown_format(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "notes.txt").write_text(json.dumps({}))
    arguments = ["prepare", str(tmp_path / "raw"), "--out", str(tmp_path / "out")]
    assert runner.invoke(app, arguments).exit_code == 2
    result = runner.invoke(app, [*arguments, "--format", "excel"])
    assert result.exit_code == 2
    assert "'excel'" in result.stderr and "recbole" in result.stderr
