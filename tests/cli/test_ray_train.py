"""Ray Train starts the ranks as the document says: the model of torchrun, also where a process is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.commands import TINY, write_shop
from tests.cli.test_several_ranks import OPTIONS, assert_same, ended, lines, start
from tests.support.ray_nodes import children, title, two_nodes

from attrformer.recommender import Config

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")]

DOCUMENT = Path("docs/training-many-processes.md")
EPOCHS = 12
CONFIG = repr(Config().override(*TINY, *OPTIONS, f"training.epochs={EPOCHS}").to_dict())


def example(folder: Path) -> str:
    """The example of the document, with folders and options of the test."""
    (code,) = (
        block for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "ray.train" in block
    )
    changed = code.replace("/shared", str(folder)).replace('{"training": {"epochs": 40}}', CONFIG)
    assert changed.count(str(folder)) == 3 and CONFIG in changed
    return str(changed)


def ray_workers() -> list[int]:
    """Processes that train for Ray and were started by this one's cluster."""
    found, waiting = [], [os.getpid()]
    while waiting:
        own = children(waiting.pop())
        waiting += own
        for process in own:
            with suppress(FileNotFoundError, ProcessLookupError):
                found += [process] if "RayTrainWorker" in title(process) else []
    return found


def test_ray_train_gives_the_model_of_torchrun_though_a_process_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray.train", exc_type=ImportError)
    (tmp_path / "data").mkdir()
    shop, run, other = write_shop(tmp_path / "data" / "shop"), tmp_path / "runs" / "shop", tmp_path / "two"
    ended(start(2, shop, other, EPOCHS))
    with two_nodes() as nodes:
        told = os.environ | {"RAY_ADDRESS": nodes.address, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            [sys.executable, "-c", example(tmp_path)],
            env=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until = time.monotonic() + 600
        while not (run / "metrics.jsonl").exists() or len(lines(run)) < 3:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        first = min(ray_workers())
        os.kill(first, signal.SIGKILL)
        said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said
    assert str(first) in said
    assert [line["epoch"] for line in lines(run)] == list(range(EPOCHS))
    assert_same(other, run)
