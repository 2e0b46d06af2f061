"""The benchmark of the index measures each size once and says under what conditions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "index_scale.py"


def test_sizes_are_measured_once(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    out = tmp_path / "index.json"
    command = [sys.executable, str(SCRIPT), "--sizes", "400", "--queries", "5", "--near", "8", "--out", str(out)]
    command += ["--work", str(tmp_path / "work")]

    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert first.stdout.startswith("400 items: ")
    figures = json.loads(out.read_text())["sizes"]["400"]
    assert figures["recall"] == 1.0 and figures["queries"] == 5
    assert "--sizes 400" in figures["command"] and "--measure" not in figures["command"]
    assert {"cpu", "threads", "commit", "load"} <= set(figures["hardware"])
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout == "400 items: measured already\n"
