"""Training by several processes, as torchrun starts it: the same model, checkpoints for any number, ranks that die."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.cli.commands import call, settings, write_shop

from attrformer.ranks import TIMEOUT

pytestmark = pytest.mark.slow

EPOCHS = 3
OPTIONS = ("model.dropout=0.0", "training.batch_targets=128", "training.patience=99")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("data") / "shop")


@pytest.fixture(scope="module")
def alone(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("runs") / "alone"
    assert call(*words(shop, run, EPOCHS)).exit_code == 0
    return run


@pytest.fixture(scope="module")
def two(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run of two processes, an epoch shorter, with what it said."""
    run = tmp_path_factory.mktemp("runs") / "two"
    said = ended(start(2, shop, run, EPOCHS - 1))
    run.with_name("said").write_text(said)
    return run


def words(shop: Path, run: Path, epochs: int, *more: str) -> list[str]:
    told = settings(*OPTIONS, f"training.epochs={epochs}")
    return ["train", "--data", str(shop), "--out", str(run), "--quiet", *told, *more]


def start(
    size: int, shop: Path, run: Path, epochs: int, *more: str, program: Sequence[str] = ("-m", "attrformer")
) -> subprocess.Popen[str]:
    command = [*TORCHRUN, str(size), *program, *words(shop, run, epochs, *more)]
    told = os.environ | {"OMP_NUM_THREADS": "1", TIMEOUT: "300"}
    return subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    said = process.communicate(timeout=600)[1]
    assert process.returncode == code, said
    return said


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_same(first: Path, second: Path) -> None:
    """Equal weights and losses but for rounding."""
    weights, others = (load_file(run / "model" / "model.safetensors") for run in (first, second))
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=1e-3, atol=2e-4, msg=name)
    losses, of_others = ([line["loss"] for line in lines(run)] for run in (first, second))
    assert losses == pytest.approx(of_others, rel=1e-5)


def test_two_processes_train_the_model_of_one_and_three_go_on(shop: Path, alone: Path, two: Path) -> None:
    said = two.with_name("said").read_text()
    assert said.count("Report: ") == 1 and "Error" not in said
    assert [line["epoch"] for line in lines(two)] == list(range(EPOCHS - 1))
    assert {path.name for path in two.iterdir()} == {path.name for path in alone.iterdir()}
    files = sorted(path.name for path in (two / "checkpoint").rglob("*.safetensors"))
    # Each rank writes what it owns, and nothing is pickled.
    assert len(files) == 2 and not list((two / "checkpoint").rglob(".metadata"))
    three = two.with_name("three")
    shutil.copytree(two, three)
    ended(start(3, shop, three, EPOCHS, "--resume"))
    assert_same(alone, three)
    assert len(lines(three)) == EPOCHS and lines(three)[:-1] == lines(two)
    assert json.loads((three / "figures.json").read_text())["protocol"]["targets"] == 80
    # One process reads the checkpoint of three.
    result = call(*words(shop, three, EPOCHS + 1, "--resume"))
    assert result.exit_code == 0, result.stderr
    assert len(lines(three)) == EPOCHS + 1


def test_one_process_goes_on_where_two_were(shop: Path, alone: Path, two: Path) -> None:
    run = two.with_name("one")
    shutil.copytree(two, run)
    result = call(*words(shop, run, EPOCHS, "--resume"))
    assert result.exit_code == 0, result.stderr
    assert_same(alone, run)
    assert not list((run / "checkpoint").glob("*.shards"))


def test_a_damaged_checkpoint_of_several_is_refused(shop: Path, two: Path) -> None:
    run = two.with_name("damaged")
    shutil.copytree(two, run)
    file = next((run / "checkpoint").rglob("shard-00002*"))
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    result = call(*words(shop, run, EPOCHS, "--resume"))
    assert result.exit_code == 2 and "does not have the checksum" in result.stderr


LONG = 40
WAITS = """
import os, signal
from attrformer.cli import main
from attrformer.recommender.run_folder import RunFolder

kept = RunFolder.add_epoch

def waits(folder, line):
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    # A byte for each signal that comes from now on.
    signal.set_wakeup_fd(tell)
    kept(folder, line)
    os.read(told, 1)
    signal.set_wakeup_fd(-1)

RunFolder.add_epoch = waits
main()
"""
DIES = """
import os, signal
from attrformer.cli import main
from attrformer.training.trainer import Trainer

step = Trainer.step

def dies(trainer, example):
    if os.environ["RANK"] == "1" and trainer.progress.step == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(trainer, example)

Trainer.step = dies
main()
"""


def written(folder: Path, program: str) -> tuple[str]:
    (folder / "program.py").write_text(program)
    return (str(folder / "program.py"),)


@pytest.fixture(scope="module")
def long(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of a longer run of one process."""
    run = tmp_path_factory.mktemp("runs") / "long"
    assert call(*words(shop, run, LONG)).exit_code == 0
    return [line["loss"] for line in lines(run)]


def test_an_interrupt_saves_on_all_ranks(shop: Path, long: list[float], tmp_path: Path) -> None:
    run = tmp_path / "run"
    # The first rank goes no further than the first epoch before it is asked to end.
    process = start(2, shop, run, LONG, program=written(tmp_path, WAITS))
    until = time.monotonic() + 600
    while not (run / "metrics.jsonl").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said = ended(process, 1)
    assert said.count("Ended by SIGTERM. The same command with --resume continues.") == 1
    state = json.loads((run / "checkpoint" / "state.json").read_text())
    assert state["step"] == 9 and len(list((run / "checkpoint").glob("*.shards"))) == 1
    result = call(*words(shop, run, LONG, "--resume"))
    assert result.exit_code == 0, result.stderr
    assert [line["loss"] for line in lines(run)] == pytest.approx(long, rel=2e-3)


def test_a_rank_that_dies_is_named_and_its_work_can_be_resumed(shop: Path, long: list[float], tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = ended(start(2, shop, run, LONG, program=written(tmp_path, DIES)), 1)
    assert said.count("Error: Rank 1 has ended or no longer answers, so all ranks stop.") == 1
    assert "--resume continues" in said and not (run / "model").exists()
    result = call(*words(shop, run, LONG, "--resume"))
    assert result.exit_code == 0, result.stderr
    assert [line["loss"] for line in lines(run)] == pytest.approx(long, rel=2e-3)


SAMPLED = ("--set", "training.loss=sampled", "--set", "training.negatives=8", "--set", "training.batch_targets=32")


def test_ranks_that_hold_parts_of_the_table_train_alike(shop: Path, tmp_path: Path) -> None:
    two, three = tmp_path / "two", tmp_path / "three"
    ended(start(2, shop, two, 1, *SAMPLED))
    states = [load_file(path) for path in (two / "checkpoint").rglob("shard-*")]
    assert [len(state["rows/table.item/mean"]) for state in states] == [30, 30]
    ended(start(3, shop, two, 2, *SAMPLED, "--resume"))
    ended(start(3, shop, three, 2, *SAMPLED))
    assert_same(two, three)


def test_ranks_evaluate_within_an_epoch_as_one_process_does(shop: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    often = ("--set", "training.evaluations_per_epoch=3")
    assert call(*words(shop, one, 2, *often)).exit_code == 0
    ended(start(2, shop, two, 2, *often))
    assert_same(one, two)
    found, wanted = ([line["passes"] for line in lines(run)] for run in (two, one))
    assert found == wanted and len(found) == 6


TOLD = """
import atexit, os
from attrformer.cli import main

class Last:
    def __del__(self, write=os.write):
        write(2, b"taken down|")

last = Last()
atexit.register(os.write, 2, b"at exit|")
main()
"""


def test_ranks_end_without_taking_their_interpreter_down(shop: Path, tmp_path: Path) -> None:
    # Threads of gloo are there until the end; see `_end_of_rank`.
    (tmp_path / "told.py").write_text(TOLD)
    said = ended(start(2, shop, tmp_path / "run", 1, program=(str(tmp_path / "told.py"),)))
    assert said.count("at exit|") == 2 and "taken down|" not in said
    told = [sys.executable, str(tmp_path / "told.py"), "options"]
    done = subprocess.run(told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    assert done.stderr.endswith("at exit|taken down|")


def test_a_mistake_is_said_once(shop: Path, tmp_path: Path) -> None:
    said = ended(start(2, shop, tmp_path / "run", 1, "--set", "training.epoch=3"), 1)
    assert said.count("training.epochs") == 1 and "Error: " in said
    assert not (tmp_path / "run").exists()
