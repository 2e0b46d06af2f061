"""What ends or hinders a command: full disks, limits of memory, hostile files, other writers, requests to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest
from tests.support.limits import little_memory, small_disk, small_files
from typer.testing import CliRunner, Result

from attrformer.cli.app import app
from attrformer.data import Dataset
from attrformer.data.sample import make_sample
from attrformer.errors import BusyError
from attrformer.locks import locked_folder, locked_place
from attrformer.recommender import Recommender

ROOT = Path(__file__).parents[2]
TINY = (
    "training.epochs=3",
    "training.threads=1",
    "training.precision=float32",
    "training.batch_targets=256",
    "model.width=16",
    "model.layers=1",
    "evaluation.resamples=20",
)


def call(*words: object) -> Result:
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    folder.mkdir()
    sample = make_sample(users=40, items=40, brands=4)
    sample.interactions.write_parquet(folder / "interactions.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    return folder


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    result = train(shop, folder)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw files that `prepare` reads."""
    rows = "".join(
        f"{user}\t{item}\t5\t{user * item * 7919 % 10**8}\n" for user in range(1, 90) for item in range(1, 90)
    )
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "x.inter").write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + rows)
    return folder


def writers(run: Path, shop: Path, raw: Path) -> dict[str, Callable[[Path], Result]]:
    """Every command that writes, told where to."""
    found: dict[str, Callable[[Path], Result]] = {
        f"recommend {ending}": lambda place, ending=ending: call(
            "recommend", run, "-k", 30, "--quiet", "--out", place / f"a.{ending}"
        )
        for ending in ("csv", "parquet", "json")
    }
    found |= {
        "train": lambda place: train(shop, place / "run"),
        "explain": lambda place: call("explain", run, "--out", place / "parts.csv"),
        "plot": lambda place: call("explain", run, "--user", "user-0001", "--plot", place / "shares.svg"),
        "index": lambda place: call("index", run, "--method", "approximate", "--quiet", "--out", place / "index"),
        "prepare": lambda place: call("prepare", raw, "--out", place / "data"),
    }
    return found


WRITERS = ("recommend csv", "recommend parquet", "recommend json", "train", "explain", "plot", "index", "prepare")


@pytest.mark.slow
@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize("limit", ["disk", "file"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(
    run: Path, shop: Path, raw: Path, tmp_path: Path, what: str, limit: str
) -> None:
    if what == "index":
        pytest.importorskip("usearch")
    write = writers(run, shop, raw)[what]
    place = tmp_path / "place"
    full: AbstractContextManager[object] = small_disk(place, "12k") if limit == "disk" else small_files(600)
    with full:
        place.mkdir(exist_ok=True)
        assert "cannot be written" in refused(write(place))
        left = [path.name for path in place.rglob("*") if path.is_file()]
        assert not [name for name in left if name.endswith((".tmp", ".lock", ".csv", ".svg", ".json.tmp"))], left


@pytest.mark.slow
def test_what_was_there_stays_when_the_disk_is_full(run: Path, shop: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        copy = disk / "run"
        shutil.copytree(run, copy)
        before = content(copy)
        with (disk / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass
        for command in (
            ("evaluate", copy, "--data", shop),
            ("report", copy),
            ("recommend", copy, "--quiet", "--out", copy / "model" / "a.csv"),
            ("train", "--data", shop, "--out", copy, "--resume", "--set", "training.epochs=4", "--quiet"),
        ):
            result = call(*command)
            assert "No space left" in refused(result), command
            assert ("NDCG@20" in result.stdout) == (command[0] == "evaluate"), "figures are not lost for want of space"
            assert {name: text for name, text in content(copy).items() if name in before} == before
        model = Recommender.load(copy / "model")
        with pytest.raises(OSError, match="No space left"):
            model.save(copy / "model")
        assert content(copy / "model") == content(run / "model")


def test_too_little_memory_is_one_line(shop: Path, run: Path, tmp_path: Path) -> None:
    with little_memory(300 << 20):
        assert "not enough memory" in refused(train(shop, tmp_path / "run", "--set", "model.width=60000"))
    assert content(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"])
def test_deeply_nested_files_are_one_line(shop: Path, run: Path, tmp_path: Path, text: str) -> None:
    nested = tmp_path / "nested.json"
    nested.write_text(text)
    (tmp_path / "options.yaml").write_text(text)
    assert "nested too deeply" in refused(call("recommend", run, "--histories", nested))
    assert "nested too deeply" in refused(call("recommend", run, "--attributes", nested))
    assert "nested too deeply" in refused(train(shop, tmp_path / "new", "--config", tmp_path / "options.yaml"))
    assert "nested too deeply" in refused(train(shop, tmp_path / "new", "--set", f"model.width={text[:5000]}"))
    copy, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(shop, data)
    (data / "dataset.json").write_text(text)
    assert "nested too deeply" in refused(train(data, tmp_path / "new"))
    for name in ("model/model.json", "config.json", "data.json", "figures.json"):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        (copy / name).write_text(text)
        asked = {
            "model/model.json": ("recommend", copy),
            "config.json": ("train", "--data", shop, "--out", copy, "--resume"),
            "data.json": ("evaluate", copy),
            "figures.json": ("report", copy),
        }
        assert "nested too deeply" in refused(call(*asked[name])), name
    assert not (tmp_path / "new").exists()


def test_aliases_that_stand_for_millions_of_values_are_refused(shop: Path, tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]\n" for level in range(1, 12)
    )
    for text, problem in ((bomb, "too many values"), ("a: &a [*a]", "nested too deeply"), ("seed: &s 3\n", None)):
        (tmp_path / "options.yaml").write_text(text)
        asked = train(shop, tmp_path / "new", "--config", tmp_path / "options.yaml", "--set", "model.width=0")
        assert (problem or "width") in refused(asked)


@pytest.mark.slow
def test_a_folder_in_the_place_of_a_file_is_one_line(run: Path, raw: Path, tmp_path: Path) -> None:
    for ending in ("csv", "parquet", "json"):
        (tmp_path / f"a.{ending}").mkdir()
        assert "is a folder" in refused(call("recommend", run, "--out", tmp_path / f"a.{ending}"))
    (tmp_path / "file").write_text("mine")
    for words in (
        ("index", run, "--out", tmp_path / "file"),
        ("prepare", raw, "--out", tmp_path / "file"),
        ("recommend", run, "--out", tmp_path / "file" / "a.csv"),
        ("recommend", run, "--quiet", "--out", "/proc/nowhere/a.csv"),
        ("recommend", run, "--quiet", "--out", "/proc/nowhere/a.json"),
    ):
        refused(call(*words))
    assert (tmp_path / "file").read_text() == "mine"


def held(lock: AbstractContextManager[None]) -> Callable[[], None]:
    """Somebody else who holds a place until the function is called."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait(60)

    def release() -> None:
        done.set()
        holding.join()

    holding = threading.Thread(target=hold, daemon=True)
    holding.start()
    assert taken.wait(20)
    return release


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
def test_sigterm_saves_as_ctrl_c_does(shop: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def end() -> None:
        while not (folder / "metrics.jsonl").exists():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    before = signal.getsignal(signal.SIGTERM)
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

    def end() -> None:
        while len(list(tmp_path.glob(".a.csv.unfinished/*.parquet"))) < 2:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
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
