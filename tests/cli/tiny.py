"""Commands on a shop so small that training takes a second, and what they say."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import call
from typer.testing import Result

TINY = (
    "training.epochs=3",
    "training.threads=1",
    "training.precision=float32",
    "training.batch_targets=256",
    "model.width=16",
    "model.layers=1",
    "evaluation.resamples=20",
)


def train(data: Path, run: Path, *more: object) -> Result:
    settings = [word for setting in TINY for word in ("--set", setting)]
    return call("train", "--data", data, "--out", run, "--quiet", *settings, *more)


def refused(result: Result) -> str:
    """The one line of a command that could not do what it was asked for."""
    lines = said(result)
    assert result.exit_code == 2 and len(lines) == 1 and lines[0].startswith("Error: "), result.stderr
    return lines[0]


def said(result: Result) -> list[str]:
    """What a command says on standard error, but for its warnings about the data."""
    return [line for line in result.stderr.strip().splitlines() if not line.startswith("Warning: ")]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
