"""The contracts of `.importlinter`: the source keeps them, they refuse what they should, the document shows them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import layer_table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CONTRACTS = {
    "floors": "A part of the package imports only what stands below it",
    "circles": "No circle of imports inside a package",
    "no-torch": "Data, relations and rules need no torch",
}
LINTER = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def linted(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over a folder that holds `src/attrformer` and `.importlinter`."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", LINTER]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def changed(root: Path, file: str, line: str) -> None:
    """Adds a line at the end of a file of the copy."""
    path = root / "src" / "attrformer" / file
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source and its contracts in a folder of their own."""
    shutil.copytree(ROOT / "src" / "attrformer", tmp_path / "src" / "attrformer")
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_source_keeps_every_contract() -> None:
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{name} KEPT" in done.stdout for name in CONTRACTS.values()), done.stdout


def test_the_contracts_refuse_what_they_are_there_for(copy: Path) -> None:
    changed(copy, "relations/folds.py", "def late() -> None:\n    import attrformer.recommender")
    changed(copy, "nn/batch.py", "def late() -> None:\n    import attrformer.nn.attention")
    changed(copy, "nn/attention.py", "def late() -> None:\n    import attrformer.nn.batch")
    torchless = ("data", "relations", "rules")
    for part in torchless:
        changed(copy, f"{part}/__init__.py", "def late() -> None:\n    import torch")
    done = linted(copy)
    assert done.returncode == 1
    assert all(f"{name} BROKEN" in done.stdout for name in CONTRACTS.values()), done.stdout
    assert all(f"attrformer.{part} -> torch" in done.stdout for part in torchless), done.stdout


def test_a_part_that_stands_on_no_floor_is_refused(copy: Path) -> None:
    (copy / "src" / "attrformer" / "attic.py").write_text('"""Nobody knows where this belongs."""\n', encoding="utf-8")
    done = linted(copy)
    assert done.returncode == 1 and "attrformer.attic" in done.stdout, done.stdout


def test_no_import_is_excepted() -> None:
    assert "ignore_imports" not in (ROOT / ".importlinter").read_text(encoding="utf-8")


def test_the_table_of_the_document_is_that_of_the_contracts() -> None:
    text = layer_table.DOCUMENT.read_text(encoding="utf-8")
    assert layer_table.with_table(text) == text, "run `make layers`"


def test_the_table_has_a_row_for_every_part_from_the_ground_up(tmp_path: Path) -> None:
    contracts = tmp_path / ".importlinter"
    contracts.write_text("[importlinter:contract:floors]\nlayers =\n    roof\n    right | left\n    ground\n", "utf-8")
    assert layer_table.floors(contracts) == [["ground"], ["left", "right"], ["roof"]]
    source = ROOT / "src" / "attrformer"
    there = {path.stem for path in source.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    named = [name for floor in layer_table.floors() for name in floor]
    assert sorted(named) == sorted(there - {"__init__", "__main__"})


def test_a_document_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="layers: begin"):
        layer_table.with_table("# Architecture\n")
