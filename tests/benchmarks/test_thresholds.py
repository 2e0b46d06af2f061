"""The thresholds of speed: measured figures against limits, and what happens above one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.benchmarks.test_benchmarks import FOLDER, run

NAMES = ["import_seconds", "help_seconds", "model_import_seconds", "step_ms", "answer_ms"]


@pytest.mark.slow
def test_figures_are_held_against_their_limits(tmp_path: Path) -> None:
    # An answer cannot be that fast, and no machine is so slow that an import takes an hour.
    limits = dict.fromkeys(NAMES, 3600.0) | {"step_ms": 3.6e6, "answer_ms": 1e-6}
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump(limits), encoding="utf-8")
    options = ("--limits", tmp_path / "limits.yaml", "--rounds", 1, "--steps", 2)
    found = json.loads(run("thresholds", *options, "--json", code=1).stdout)
    assert list(found["figures"]) == NAMES
    # The first three are less what a program took that does nothing, which beside other work may be more.
    assert all(value >= 0 for value in found["figures"].values())
    assert found["figures"]["step_ms"] > 0 and found["figures"]["answer_ms"] > 0
    assert found["limits"] == limits and found["over"] == ["answer_ms"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("answer_ms: 1\n", "has to give a limit for each of"),
        ("\n".join(f"{name}: 0" for name in NAMES), "is no number above 0"),
        ("a: [", "expected"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(text, encoding="utf-8")
    refused = run("thresholds", "--limits", tmp_path / "limits.yaml", code=2).stderr
    assert problem in refused and "Traceback" not in refused


def test_the_committed_limits_name_every_figure() -> None:
    limits = yaml.safe_load((FOLDER / "thresholds.yaml").read_text(encoding="utf-8"))
    assert sorted(limits) == sorted(NAMES)
