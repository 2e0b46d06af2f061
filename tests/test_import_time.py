"""What `import attrformer` and the first answer leave alone, and that the collector is as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_loading_reads_nothing_that_an_answer_does_not_need_and_the_collector_goes_on() -> None:
    code = (
        "import gc, sys, attrformer\n"
        "attrformer.AttrFormer\n"
        "assert gc.isenabled() and not gc.get_freeze_count()\n"
        "spared = ('scipy.sparse', 'scipy.spatial', 'scipy.linalg', 'rich', 'narwhals', 'yaml')\n"
        "print([name for name in spared if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_collector_that_is_off_stays_off() -> None:
    code = "import gc, attrformer; gc.disable(); attrformer.AttrFormer; raise SystemExit(gc.isenabled())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_objects_that_were_frozen_stay_frozen() -> None:
    code = "import gc, attrformer; gc.freeze(); attrformer.AttrFormer; raise SystemExit(not gc.get_freeze_count())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_training_that_shows_nothing_imports_no_rich() -> None:
    code = (
        "import sys; from attrformer.recommender.progress import TrainingWatcher\n"
        "with TrainingWatcher(3, None, False) as watcher:\n"
        "    watcher.epoch({'epoch': 0, 'loss': 1.0, 'seconds': 1.0})\n"
        "raise SystemExit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
