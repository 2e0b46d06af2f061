"""`attrformer benchmark` at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.benchmark.builders import add_result, evaluation, random_ranks
from typer.testing import CliRunner

from attrformer.benchmark.files import append_line
from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.plan import Plan
from attrformer.cli.app import Commands
from attrformer.cli.benchmark import benchmark
from attrformer.config import to_dict

MakePlan = Callable[..., Plan]
root = typer.Typer(cls=Commands)
root.add_typer(benchmark, name="benchmark")


@root.command()
def another() -> None:
    """A second command, as in the real program."""


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(root, ["benchmark", *map(str, arguments)])


@pytest.mark.slow
def test_a_plan_is_run_with_or_without_the_word(make_plan: MakePlan, data: Path, tmp_path: Path) -> None:
    plan = make_plan("name: one, seeds: [0, 1]", "name: two, set: {model.name: sasrec}")
    first = jobs(plan, root=data)[0]
    line = {"row": "one", "dataset": "shop", "seed": 0, "configuration": to_dict(first.config)}
    append_line(Path(plan.results), line)
    expected = "one on shop, seed 0: done before\none on shop, seed 1: to run\ntwo on shop, seed 0: to run\n"
    for words in ([], ["run"]):
        result = run(*words, tmp_path / "plan.yaml", "--dry-run", "--data-root", data)
        assert (result.exit_code, result.stdout) == (0, expected), result.output
    result = run(
        tmp_path / "plan.yaml", "--dry-run", "--data-root", data, "--seeds", "0,4", "--rows", "one", "--order", "seeds"
    )
    assert result.stdout == "one on shop, seed 0: done before\none on shop, seed 4: to run\n"
    result = run(tmp_path / "plan.yaml", "--dry-run", "--data-root", data, "--set", "training.clip=1", "--rows", "one")
    assert "done before" not in result.stdout


def test_rows_whose_search_is_not_found_are_named(make_plan: MakePlan, data: Path, tmp_path: Path) -> None:
    space = "space: {training.clip: [1, 2]}"
    make_plan("name: one, seeds: [0, 1]", f"name: two, seeds: [0, 1], {space}", f"name: three, {space}")
    command = (tmp_path / "plan.yaml", "--dry-run", "--data-root", data)
    (line,) = run(*command).stderr.splitlines()
    assert f"{tmp_path}/chosen holds no searched options for two, three on shop" in line
    assert f"attrformer benchmark tune {tmp_path}/plan.yaml" in line
    for name in ("two", "three"):
        file = tmp_path / "chosen" / "shop" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("set: {training.clip: 2}", encoding="utf-8")
    assert run(*command).stderr == ""


@pytest.mark.slow
def test_a_finished_plan_is_told_and_a_failure_is_an_exit_code(make_plan: MakePlan, data: Path, tmp_path: Path) -> None:
    plan = make_plan("name: one, set: {model.name: sasrec}")
    (job,) = jobs(plan, root=data)
    append_line(Path(plan.results), {"row": "one", "dataset": "shop", "seed": 0, "configuration": to_dict(job.config)})
    result = run(tmp_path / "plan.yaml", "--data-root", data)
    assert (result.exit_code, result.stderr) == (0, f"1 done before; {plan.results}\n")
    other = tmp_path / "other.jsonl"
    result = run(
        tmp_path / "plan.yaml", "--data-root", data, "--set", "data.core=1000", "--results", other, "--allow-dirty"
    )
    assert result.exit_code == 1
    assert "1 failed" in result.stderr and "Error: one on shop, seed 0: Error: shop: nothing is left" in result.stderr
    assert not other.exists()


def test_errors_that_can_be_mended(make_plan: MakePlan, tmp_path: Path, data: Path) -> None:
    result = run("rum")
    assert result.exit_code == 2 and "rum is neither a plan nor one of the commands run, tune, report" in result.stderr
    make_plan("name: one")
    plan = tmp_path / "plan.yaml"
    assert "no row 'absent'" in run(plan, "--rows", "absent", "--data-root", data).stderr
    assert "--seeds is a,1. Give whole numbers" in run(plan, "--seeds", "a,1", "--data-root", data).stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "tune", "report"])
def test_every_command_teaches_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0 and f"attrformer benchmark {name}" in result.stdout
    assert "attrformer benchmark benchmarks/plans/leaderboard.yaml" in run("--help").stdout


def test_report(tmp_path: Path) -> None:
    add_result(tmp_path, "one", evaluation(random_ranks(1, 9)), group="ours")
    (tmp_path / "page.in.md").write_text('{{ leaderboard("shop") }}\n', encoding="utf-8")
    (tmp_path / "paper.yaml").write_text(json.dumps({"citation": "none"}), encoding="utf-8")
    out = tmp_path / "page.md"
    files = ("--results", tmp_path, "--template", tmp_path / "page.in.md", "--paper", tmp_path / "paper.yaml")
    result = run("report", *files, "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}\n")
    assert "| **ONE** |" in out.read_text(encoding="utf-8")


def test_report_in_a_folder_that_has_results_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_result(tmp_path / "results", "one", evaluation(random_ranks(1, 9)), group="ours")
    result = run("report", "--results", "results", "--out", "page.md")
    assert (result.exit_code, result.stdout) == (0, "page.md\n")
    assert "| **ONE** |" in Path("page.md").read_text(encoding="utf-8")
    Path("docs").mkdir()
    Path("docs/benchmarks.in.md").write_text("Prose.\n", encoding="utf-8")
    assert run("report", "--results", "results", "--out", "page.md").exit_code == 0
    assert Path("page.md").read_text(encoding="utf-8").endswith("-->\nProse.\n")
