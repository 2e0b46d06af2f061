"""The floors of docs/architecture.md are those of the source: a file imports only what stands before it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "attrformer"


def floors() -> list[str]:
    """Packages and files from the ground up, as the table of the document names them."""
    rows = re.findall(r"^\| \d+ \| ([^|]+) \|", (ROOT / "docs/architecture.md").read_text("utf-8"), re.MULTILINE)
    return [name.strip("/").removesuffix(".py") for row in rows for name in re.findall(r"`([\w./]+)`", row)]


def imported(path: Path) -> Iterator[str]:
    """The packages and files of the library that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "attrformer":
            names = [node.module] if "." in node.module else [f"attrformer.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("attrformer.")]
        else:
            continue
        yield from (name.split(".")[1] for name in names)


def test_the_document_names_every_package_and_file_once() -> None:
    there = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert sorted(floors()) == sorted(there - {"__init__", "__main__"})


def test_a_file_imports_only_what_stands_before_it() -> None:
    order = {name: place for place, name in enumerate(floors())}
    for path in sorted(SOURCE.rglob("*.py")):
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if own in order:
            above = [name for name in imported(path) if name != own and order.get(name, -1) >= order[own]]
            assert above == [], f"{path.relative_to(ROOT)} imports {above}"
