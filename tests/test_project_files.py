"""Files of the project that no other test reads: the workflow, templates, hooks, pins and the citation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from scripts.commit_subject import problem

pytestmark = pytest.mark.slow

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
HOOKS = ROOT / ".pre-commit-config.yaml"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
SCHEMAS = [
    ("github-workflows", [WORKFLOW]),
    ("github-issue-forms", FORMS),
    ("github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
    ("citation-file-format", [ROOT / "CITATION.cff"]),
]


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def against(schema: str, paths: list[Path]) -> subprocess.CompletedProcess[str]:
    """Files against a schema that check-jsonschema brings along, so that no network is needed."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines if "==" in line}


@pytest.mark.parametrize(("schema", "paths"), SCHEMAS, ids=[schema for schema, _ in SCHEMAS])
def test_files_fit_their_schema(schema: str, paths: list[Path]) -> None:
    assert paths
    done = against(schema, paths)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_does_not_fit_is_found(tmp_path: Path) -> None:
    wrong = loaded(WORKFLOW)
    wrong["jobs"]["quick"]["runs_on"] = wrong["jobs"]["quick"].pop("runs-on")
    (tmp_path / "ci.yml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    assert against("github-workflows", [tmp_path / "ci.yml"]).returncode != 0


def test_the_workflow_runs_every_python_and_the_lowest_torch_that_are_promised() -> None:
    jobs = loaded(WORKFLOW)["jobs"]
    prefix = "Programming Language :: Python :: "
    named = [line.removeprefix(prefix) for line in PROJECT["classifiers"] if re.fullmatch(rf"{prefix}3\.\d+", line)]
    assert jobs["test"]["strategy"]["matrix"]["python"] == named
    assert all(Version(f"{version}.1") in Requirement(f"x{PROJECT['requires-python']}").specifier for version in named)
    tried = jobs["torch"]["strategy"]["matrix"]["include"]
    assert [entry["python"] for entry in tried] == named
    (torch,) = [found for found in map(Requirement, PROJECT["dependencies"]) if found.name == "torch"]
    lowest = next(bound.version for bound in torch.specifier if bound.operator == ">=")
    assert tried[0]["torch"] == f"{lowest}.*"


def test_commands_of_the_workflow_exist() -> None:
    steps = [step["run"] for job in loaded(WORKFLOW)["jobs"].values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    called = {step.removeprefix("make ") for step in steps if step.startswith("make ")}
    assert called and called <= targets
    assert "bash .ci/run" in steps and (ROOT / ".ci" / "run").is_file()


def test_hooks_run_the_pinned_tools() -> None:
    hooks = [hook for repository in loaded(HOOKS)["repos"] for hook in repository["hooks"]]
    # Nothing is installed beside the lock: a hook runs a program of `.venv`.
    assert {repository["repo"] for repository in loaded(HOOKS)["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    packages = {"lint-imports": "import-linter"}
    for hook in hooks:
        program, *arguments = hook["entry"].split()
        name = program.removeprefix(".venv/bin/")
        assert program == f".venv/bin/{name}" and (name == "python" or packages.get(name, name) in pins("lock.txt"))
        assert all((ROOT / word).is_file() for word in arguments if word.endswith(".py")), hook["entry"]
    checked = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks}
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint: setup\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"\$\(BIN\)/([\w-]+)", lint)) <= checked


@pytest.mark.parametrize("lock", ["lock.txt", "lock-3.10.txt"])
def test_every_tool_of_the_project_is_pinned_within_its_bounds(lock: str) -> None:
    wanted = [Requirement(line) for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])]
    pinned = pins(lock)
    assert [found.name for found in wanted if canonicalize_name(found.name) not in pinned] == []
    assert [str(found) for found in wanted if pinned[canonicalize_name(found.name)] not in found.specifier] == []


def test_subjects_of_commits() -> None:
    assert problem("Say what it does\n\nThe reason.\n# a comment of git\n") is None
    assert problem("x" * 72) is None
    assert "73 characters" in str(problem("x" * 73))
    assert "no subject" in str(problem("# only comments\n\n"))
    assert "blank line" in str(problem("Say what it does\nand go on\n"))
