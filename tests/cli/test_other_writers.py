"""Two commands that write to one place, and commands that are asked to end or killed: nothing is lost or mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.cli.commands import call
from tests.cli.tiny import content, refused, said, train
from tests.support.limits import small_files

from attrformer.data import Dataset
from attrformer.errors import BusyError
from attrformer.locks import locked_folder, locked_place
from attrformer.recommender import Recommender
from attrformer.recommender.pieces import PieceFiles
from attrformer.recommender.run_folder import RunFolder

ROOT = Path(__file__).parents[2]


def held(lock: AbstractContextManager[None]) -> Callable[[], None]:
    """Somebody else who holds a place until the function is called."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait()

    def release() -> None:
        done.set()
        holding.join()

    holding = threading.Thread(target=hold, daemon=True)
    holding.start()
    assert taken.wait(120)
    return release


def terminated_after(patch: pytest.MonkeyPatch, kind: type, method: str, calls: int) -> None:
    """Has this process be asked to end, by a real signal, right after so many calls of a method.

    Another thread that looks on may come too late, and then the signal ends the tests.
    """
    own, made = getattr(kind, method), [0]

    def told(*given: Any, **more: Any) -> Any:
        found = own(*given, **more)
        made[0] += 1
        if made[0] == calls:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    patch.setattr(kind, method, told)


@pytest.mark.slow
def test_a_second_training_into_a_run_is_refused(shop: Path, run: Path, tmp_path: Path) -> None:
    before = content(run)
    for folder, more in ((run, ("--resume",)), (run, ()), (tmp_path / "new", ())):
        release = held(locked_folder(folder))
        line = refused(train(shop, folder, *more))
        assert f"{folder} is being written by process {os.getpid()}" in line and "Wait" in line
        with pytest.raises(BusyError):
            Recommender.load(run / "model").fit(Dataset.load(shop), run=folder, resume=bool(more))
        release()
    assert {name: text for name, text in content(run).items() if name != ".lock"} == before


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_two_answers_into_one_file_are_refused(run: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"two.{ending}"
    release = held(locked_place(out))
    assert "two" in refused(call("recommend", run, "-k", 5, "--quiet", "--out", out)) and not out.exists()
    release()
    assert call("recommend", run, "-k", 5, "--quiet", "--out", out).exit_code == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_sigterm_saves_as_ctrl_c_does(shop: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        terminated_after(patch, RunFolder, "add_epoch", 1)
        result = train(shop, folder)
    assert result.exit_code == 143, result.stderr
    assert [line for line in said(result) if line] == ["Ended by SIGTERM. The same command with --resume continues."]
    assert signal.getsignal(signal.SIGTERM) is before and (folder / "checkpoint" / "state.json").is_file()
    resumed = call("train", "--data", shop, "--out", folder, "--resume", "--quiet")
    assert resumed.exit_code == 0, resumed.stderr
    for name in ("model/model.safetensors", "model/model.json", "figures.json"):
        assert (folder / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_sigterm_keeps_the_answers_that_are_there(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("recommend", run, "-k", 3, "--save-every", 2, "--quiet", "--out")
    assert call(*words, tmp_path / "whole.csv").exit_code == 0
    out = tmp_path / "a.csv"
    with monkeypatch.context() as patch:
        terminated_after(patch, PieceFiles, "keep", 2)
        result = call(*words, out)
    assert result.exit_code == 143 and result.stderr.endswith("The same command goes on where it stopped.\n")
    assert len(list(tmp_path.glob(".a.csv.unfinished/*.parquet"))) >= 2 and not out.exists()
    assert call(*words, out).exit_code == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "whole.csv"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_random_moments_lose_nothing() -> None:
    kills = os.environ.get("ATTRFORMER_KILLS", "2")
    command = [sys.executable, str(ROOT / "benchmarks" / "kill_tests.py"), "--kills", kills]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("nothing lost") == 4


def test_a_piece_of_another_question_is_not_taken_over(run: Path, tmp_path: Path) -> None:
    """What a killed command has left for `-k 20` is nothing to one that asks for `-k 5`."""
    out, folder = tmp_path / "two.csv", tmp_path / ".two.csv.unfinished"
    words = ("recommend", run, "--save-every", 10, "--quiet", "--out", out)
    with small_files(4000):
        refused(call(*words, "-k", 20))
    assert list(folder.glob("*.parquet"))
    assert call(*words, "-k", 5).exit_code == 0
    assert pl.read_csv(out).group_by("user_id").len()["len"].unique().to_list() == [5]
    assert json.loads((run / "run.json").read_text())["precision"] == "float32"
