"""From which size on the sampled loss pays: what is compared, the rule, and the whole command on a small log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks.test_benchmarks import figures

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import sampled_from  # noqa: E402


def look(step: int, seconds: float, validation: float) -> dict[str, Any]:
    return {"step": step, "seconds": seconds, "targets": 10 * step, "validation": validation, "median_step": 0.5}


def test_what_counts_after_equal_time_and_after_equal_targets() -> None:
    full = [look(10, 5.0, 0.1), look(20, 10.0, 0.3), look(30, 15.0, 0.2)]
    sampled = [look(10, 4.0, 0.1), look(30, 12.0, 0.29), look(38, 15.1, 0.31), look(39, 15.4, 0.5)]
    found = sampled_from.compared(full, sampled)
    assert (found["validation"], found["after_equal_targets"], found["after_equal_time"]) == (0.3, 0.29, 0.31)
    assert found["targets"] == 300


@pytest.mark.parametrize(
    ("timed", "told", "least"),
    [
        ((0.29, 0.30, 0.31), (0.3, 0.3, 0.3), 20),
        ((0.31, 0.31, 0.31), (0.3, 0.29, 0.3), 30),
        ((0.31, 0.31, 0.29), (0.3, 0.3, 0.3), None),
    ],
)
def test_the_rule_holds_at_all_larger_sizes(
    timed: tuple[float, ...], told: tuple[float, ...], least: int | None
) -> None:
    sizes = (10, 20, 30)
    found = {
        items: [{"validation": 0.3, "after_equal_time": time, "after_equal_targets": target}]
        for items, time, target in zip(sizes, timed, told, strict=True)
    }
    assert sampled_from.least_size(found) == least


@pytest.mark.slow
def test_the_whole_command(tmp_path: Path) -> None:
    small = ("--items", "120", "--epochs=1", "--validation-users=20", "--users=4")
    found = figures("sampled_from", "--work", tmp_path, *small)["found"]["120"][0]
    steps = [each["step"] for each in found["looks"]["full"]]
    assert len(steps) == 2 and steps[0] < steps[1]
    assert set(steps) <= {each["step"] for each in found["looks"]["sampled"]}
    assert found["looks"]["sampled"][-1]["seconds"] > 0 and set(found["step"]) == {"full", "sampled"}
