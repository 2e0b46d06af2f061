"""The benchmark of rules in the index measures every rule beside none, and says under what conditions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "index_rules.py"


def test_every_rule_is_measured_beside_none(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    out = tmp_path / "rules.json"
    command = [sys.executable, str(SCRIPT), "--items", "400", "--queries", "3", "--near", "8", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(out.read_text())["sizes"]["400"]
    assert figures["rules"]["none"]["times"] == 1.0 and len(figures["rules"]) == len(done.stdout.splitlines()) == 10
    assert all(each["recall"] > 0.9 and each["p50_ms"] > 0 for each in figures["rules"].values())
    assert {"cpu", "threads", "commit", "load"} <= set(figures["hardware"])
