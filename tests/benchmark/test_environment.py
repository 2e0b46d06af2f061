"""Commits, machines and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import attrformer
from attrformer.benchmark import environment
from attrformer.errors import ConfigurationError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose package claims to be this one."""
    for name in ("src/attrformer/__init__.py", "benchmarks/results/lines.jsonl", "docs/page.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("first\n")
    settings = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*settings, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(attrformer, "__file__", str(tmp_path / "src" / "attrformer" / "__init__.py"))
    return tmp_path


def test_only_changes_that_matter_make_the_source_dirty(repository: Path) -> None:
    unimportant = (repository / "benchmarks" / "results", repository / "docs", Path("/elsewhere"))
    (repository / "new.txt").write_text("untracked\n")
    (repository / "docs" / "page.md").write_text("second\n")
    (repository / "benchmarks" / "results" / "lines.jsonl").write_text("second\n")
    found = environment.commit(unimportant)
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    assert found.changed == () and len(found.name) >= 7 and head.startswith(found.name)
    environment.check_clean(found)
    (repository / "src" / "attrformer" / "__init__.py").write_text("second\n")
    found = environment.commit(unimportant)
    assert found.changed == ("src/attrformer/__init__.py",)
    with pytest.raises(ConfigurationError, match=r"src/attrformer/__init__\.py\. Commit them, or give --allow-dirty"):
        environment.check_clean(found)
    assert set(environment.commit().changed) == {
        "benchmarks/results/lines.jsonl",
        "docs/page.md",
        "src/attrformer/__init__.py",
    }


def test_an_installed_package_has_a_version_in_place_of_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "attrformer").mkdir()
    monkeypatch.setattr(attrformer, "__file__", str(tmp_path / "attrformer" / "__init__.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv(environment.COMMIT, raising=False)
    assert environment.commit() == environment.Commit(f"version {attrformer.__version__}")
    monkeypatch.setenv(environment.COMMIT, "abc1234")
    assert environment.commit() == environment.Commit("abc1234")


def test_the_machine_is_described() -> None:
    found = environment.hardware(3, "cpu")
    assert found["threads"] == 3 and found["accelerator"] is None and found["cores"] >= 1
    assert found["cpu"] and found["memory_gib"] > 0.1
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.slow
def test_peak_memory_remembers_what_was_given_back() -> None:
    before = environment.peak_memory()
    held = np.ones(200 * 2**20 // 8 + int(before) * 2**17)
    del held
    assert environment.peak_memory() >= before + 190


def test_memory_of_the_accelerator_that_held_most(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        assert environment.peak_accelerator() is None
    held = (3 * environment.MIB, 5 * environment.MIB)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(held))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held[device])
    assert environment.peak_accelerator() == 5.0
