"""`attrformer prepare` of own tables: as a process, on a full disk, killed and started again, and trained on."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.cli.tiny import train
from tests.support.signalled import signalled
from typer.testing import CliRunner

from attrformer.cli.app import app
from attrformer.data import Dataset
from attrformer.data.prepare_tables import prepare_tables
from attrformer.data.sample import make_sample

COMMAND = [sys.executable, "-m", "attrformer.cli", "prepare"]


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def log(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    users, items = (random.integers(0, size, rows) for size in (rows // 20, 500))
    return pl.DataFrame(
        {"user_id": users, "item_id": items, "timestamp": 1_500_000_000 + random.integers(0, 10**6, rows)}
    )


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_own_tables_are_prepared_and_the_rest_of_the_command_says_so(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log(50).rename({"user_id": "who"}).write_csv(tmp_path / "log" / "interactions.csv")
    arguments = ["prepare", str(tmp_path / "log"), "--out", str(tmp_path / "out"), "--columns", "user_id=who"]
    result = runner.invoke(app, [*arguments, "--duplicates", "drop", "--memory", "0.5"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'out'}\n"
    assert "50 interactions of 2 users and" in result.stderr and "attrformer train --data" in result.stderr
    assert Dataset.load(tmp_path / "out").user_count == 2
    again = runner.invoke(app, [*arguments, "--duplicates", "drop"])
    assert again.exit_code == 0 and "Prepared already" in again.stderr
    prepared = runner.invoke(app, ["prepare", str(tmp_path / "out"), "--out", str(tmp_path / "twice")])
    assert prepared.exit_code == 2 and "its interactions are prepared already" in prepared.stderr
    checked = runner.invoke(app, ["check", str(tmp_path / "out")])
    assert checked.exit_code == 0, checked.stderr


def test_options_of_own_tables_are_refused_for_raw_files(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.inter").write_text("user_id:token\titem_id:token\nu1\ti1\n")
    result = runner.invoke(app, ["prepare", str(tmp_path / "toy"), "--out", str(tmp_path / "out"), "--memory", "1"])
    assert result.exit_code == 2 and "--memory is for folders of your own tables" in result.stderr


@pytest.mark.parametrize("memory", ["inf", "nan", "0"])
def test_memory_is_a_number_of_gigabytes(memory: str, runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log(50).write_csv(tmp_path / "log" / "interactions.csv")
    result = runner.invoke(app, ["prepare", str(tmp_path / "log"), "--out", str(tmp_path / "out"), "--memory", memory])
    assert result.exit_code == 2 and "Invalid value for '--memory'" in result.stderr


def test_a_column_that_is_missing_is_named_before_anything_is_read(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log(50).drop("item_id").write_csv(tmp_path / "log" / "interactions.csv")
    result = runner.invoke(app, ["prepare", str(tmp_path / "log"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and "column 'item_id': the column is missing" in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


@pytest.mark.slow
def test_a_full_disk_is_an_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log(20_000).write_parquet(tmp_path / "log" / "interactions.parquet")
    command = [*COMMAND, str(tmp_path / "log"), "--out", str(tmp_path / "out"), "--quiet"]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    full = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=little_room)
    assert full.returncode == 2, full.stderr
    assert "cannot be written" in full.stderr and "Traceback" not in full.stderr and "Free some space" in full.stderr
    assert not (tmp_path / "out").exists()
    subprocess.run(command, capture_output=True, check=True)
    assert len(Dataset.load(tmp_path / "out").sequences.items) == 20_000


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_preparation_goes_on_where_it_stopped(how: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log(1_000_000).write_csv(tmp_path / "log" / "interactions.csv")
    command = [*COMMAND, str(tmp_path / "log"), "--out", str(tmp_path / "out"), "--memory", "0.1", "--quiet"]
    killed = signalled(how, "attrformer.data.preparing:code_task", 1, *command[len(COMMAND) - 1 :])
    assert killed.returncode == (-how if how is signal.SIGKILL else 128 + how), killed.stderr
    assert not (tmp_path / "out").exists()
    assert how is signal.SIGKILL or "The same command goes on" in killed.stderr
    kept = tmp_path / ".out.preparing"
    assert list(kept.glob("survey-*.json")) and list(kept.glob("coded-*.bin"))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    prepare_tables(tmp_path / "log", tmp_path / "whole", memory=10**8)
    assert bytes_in(tmp_path / "out") == bytes_in(tmp_path / "whole")


@pytest.mark.slow
def test_a_model_trained_on_prepared_tables_is_that_of_the_tables(tmp_path: Path) -> None:
    sample = make_sample(0, 60, 40, interactions_per_user=12)
    (tmp_path / "shop").mkdir()
    sample.interactions.write_parquet(tmp_path / "shop" / "interactions.parquet")
    sample.items.write_parquet(tmp_path / "shop" / "items.parquet")
    prepare_tables(tmp_path / "shop", tmp_path / "prepared", part_rows=100)
    weights = []
    for name in ("shop", "prepared"):
        run = tmp_path / f"run-{name}"
        result = train(tmp_path / name, run, "--set", "training.epochs=1")
        assert result.exit_code == 0, result.stderr
        weights.append({str(file.relative_to(run)): file.read_bytes() for file in run.rglob("*.safetensors")})
    assert weights[0] and weights[0] == weights[1]
