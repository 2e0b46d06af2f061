"""Commands as a terminal runs them, and a small shop for them."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from attrformer.cli.app import app
from attrformer.data.sample import make_sample

TINY = (
    "training.epochs=2",
    "training.threads=1",
    "training.precision=float32",
    "model.width=16",
    "model.layers=1",
    "evaluation.resamples=50",
)
USERS, ITEMS = 80, 60


def call(*words: object) -> Result:
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def settings(*more: str) -> list[str]:
    return [word for setting in (*TINY, *more) for word in ("--set", setting)]


def write_shop(folder: Path) -> Path:
    """A small shop as tables in a folder, which is made."""
    sample = make_sample(users=USERS, items=ITEMS, brands=6)
    folder.mkdir()
    sample.interactions.write_parquet(folder / "interactions.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    sample.users.write_csv(folder / "users.csv")
    return folder
