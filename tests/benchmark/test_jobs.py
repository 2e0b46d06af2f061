"""The runs of a plan: which, in which order, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from attrformer.benchmark.jobs import Job, Selection, jobs
from attrformer.benchmark.options import Overrides
from attrformer.benchmark.plan import Plan, load_plan
from attrformer.errors import ConfigurationError

PLAN = """
runs: out
data: {a: {folder: "${ATTRFORMER_DATA}"}, b: {folder: "${ATTRFORMER_DATA}"}}
seeds: [0, 1]
rows:
  - {name: one}
  - {name: two, only: [b], set: {training.clip: 1}}
  - {name: three, seeds: [5]}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return load_plan(tmp_path / "plan.yaml")


def names(found: list[Job]) -> list[str]:
    return [f"{job.row.name} {job.source} {job.seed}" for job in found]


def test_all_in_the_order_of_the_plan(plan: Plan, tmp_path: Path) -> None:
    found = jobs(plan, root=tmp_path)
    assert names(found) == ["one a 0", "one a 1", "one b 0", "one b 1", "two b 0", "two b 1", "three a 5", "three b 5"]
    assert [job.config.seed for job in found] == [0, 1, 0, 1, 0, 1, 5, 5]
    assert len({job.folder for job in found}) == len({job.key for job in found}) == 8
    assert found[4].folder.parent == Path("out/b/two") and found[4].folder.name.startswith("seed-0-")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("data", ["one a 0", "one a 1", "three a 5", "one b 0", "one b 1", "two b 0", "two b 1", "three b 5"]),
        ("seeds", ["one a 0", "one b 0", "two b 0", "one a 1", "one b 1", "two b 1", "three a 5", "three b 5"]),
    ],
)
def test_other_orders(plan: Plan, tmp_path: Path, order: str, expected: list[str]) -> None:
    assert names(jobs(plan, order=order, root=tmp_path)) == expected


def test_selection(plan: Plan, tmp_path: Path) -> None:
    assert names(jobs(plan, Selection(rows=["two", "three"], data=["b"]), root=tmp_path)) == [
        "two b 0",
        "two b 1",
        "three b 5",
    ]
    assert names(jobs(plan, Selection(rows=["three"], data=["a"], seeds=[8, 9]), root=tmp_path)) == [
        "three a 8",
        "three a 9",
    ]
    with pytest.raises(ConfigurationError, match=r"no row 'four'\. It has one, two, three"):
        jobs(plan, Selection(rows=["four"]), root=tmp_path)
    with pytest.raises(ConfigurationError, match=r"no dataset 'c'\. It has a, b"):
        jobs(plan, Selection(data=["c"]), root=tmp_path)


def test_threads_make_no_other_run(plan: Plan, tmp_path: Path) -> None:
    one, two = (jobs(plan, overrides=Overrides(threads=threads), root=tmp_path) for threads in (1, 2))
    assert [job.folder for job in one] == [job.folder for job in two]
    assert {job.config.training.threads for job in two} == {2}


def test_a_bad_option_is_found_before_anything_runs(make_plan: Callable[..., Plan], data: Path) -> None:
    plan = make_plan("name: one", "name: two, set: {model.widht: 3}")
    with pytest.raises(ConfigurationError, match=r"Row 'two'"):
        jobs(plan, root=data)
