"""Ray Train starts the ranks as the document says: the model of torchrun, also where a process is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.commands import TINY, write_shop
from tests.cli.test_several_ranks import OPTIONS, assert_same, ended, lines, start
from tests.support.ray_nodes import two_nodes

from attrformer.recommender import Config

pytestmark = pytest.mark.slow

DOCUMENT = Path("docs/training-many-processes.md")
EPOCHS = 12
CONFIG = repr(Config().override(*TINY, *OPTIONS, f"training.epochs={EPOCHS}").to_dict())


KILLED = """\
    import os, signal
    from pathlib import Path
    from attrformer.recommender.run_folder import RunFolder

    kept, mark = RunFolder.add_epoch, Path("/shared/killed")

    def add_epoch(folder, line):
        kept(folder, line)
        if line["epoch"] == 2 and not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)

    RunFolder.add_epoch = add_epoch
"""


def example(folder: Path) -> str:
    """The example of the document, with folders and options of the test, and a process that is killed once."""
    (code,) = (
        block for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "ray.train" in block
    )
    line = '    """What each process does."""\n'
    changed = code.replace(line, line + KILLED).replace("/shared", str(folder))
    changed = changed.replace('{"training": {"epochs": 40}}', CONFIG)
    assert changed.count(str(folder)) == 4 and CONFIG in changed
    return str(changed)


def test_ray_train_gives_the_model_of_torchrun_though_a_process_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray.train", exc_type=ImportError)
    (tmp_path / "data").mkdir()
    shop, run, other = write_shop(tmp_path / "data" / "shop"), tmp_path / "runs" / "shop", tmp_path / "two"
    ended(start(2, shop, other, EPOCHS))
    with two_nodes() as nodes:
        told = os.environ | {"RAY_ADDRESS": nodes.address, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", example(tmp_path)]
        done = subprocess.run(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "killed").read_text() in done.stdout
    assert [line["epoch"] for line in lines(run)] == list(range(EPOCHS))
    assert_same(other, run)
