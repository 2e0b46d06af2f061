"""The cost of engines is measured on files that are equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.recommenders import small_config, small_dataset

import attrformer
from attrformer.recommender import AttrFormer

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "batch_engines.py"


@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray")
def test_every_engine_is_measured(tmp_path: Path) -> None:
    AttrFormer(small_config("training.epochs=1")).fit(small_dataset(), progress=False).save(tmp_path / "model")
    paths = [str(Path(attrformer.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    options = ("--run", tmp_path, "--save-every", 30, "--rounds", 1, "--json")
    command = [sys.executable, str(PROGRAM), *map(str, options)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    ways = ["one process", "2 shards beside each other, joined", f"Ray on {os.cpu_count()} processors"]
    assert list(found["seconds"]) == ways and list(found["start"]) == [ways[0], ways[2]]
    assert all(len(seconds) == 1 and seconds[0] > 0.1 for seconds in found["seconds"].values())
