"""The table of docs/architecture.md that says which part of the package stands on which, from `.importlinter`.

`make layers` writes it. With `--check` nothing is written, and a table that is not up to date ends the command with 1.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / ".importlinter"
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- layers: begin -->"
END = "<!-- layers: end -->"
INTRODUCTION = """\
Written by `make layers` from `.importlinter` and the docstrings. A part imports only what stands on a lower floor;
parts on the same floor import nothing of each other. `make lint` checks that, and that no package has a circle of
imports."""


def floors(contracts: Path = CONTRACTS) -> list[list[str]]:
    """The parts of the package from the ground up, as the contract of floors names them.

    Args:
        contracts: the file of import-linter.

    Returns:
        The names of each floor, in the order of the alphabet.
    """
    read = configparser.ConfigParser()
    read.read_string(contracts.read_text(encoding="utf-8"))
    lines = read["importlinter:contract:floors"]["layers"].split("\n")
    named = [sorted(name.strip() for name in line.split("|")) for line in lines if line.strip()]
    return named[::-1]


def place_of(name: str, root: Path = ROOT) -> tuple[str, Path]:
    """What a part is called in the table, and the file whose docstring says what it is for.

    Raises:
        SystemExit: the contract names a part that the package does not have.
    """
    package = root / "src" / "attrformer"
    if (package / f"{name}.py").is_file():
        return f"`{name}.py`", package / f"{name}.py"
    if (package / name / "__init__.py").is_file():
        return f"`{name}/`", package / name / "__init__.py"
    raise SystemExit(f"{CONTRACTS.name} names {name}, and src/attrformer has no such file or package.")


def purpose(path: Path) -> str:
    """The first line of a file's docstring.

    Raises:
        SystemExit: it has none.
    """
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not said:
        raise SystemExit(f"{path.relative_to(ROOT)} has no docstring. Say in one line what it is for.")
    return said.splitlines()[0]


def table() -> str:
    """The table in Markdown with its introduction: a row for each part, the ground first."""
    rows = ["| floor | part | what it is for |", "|---|---|---|"]
    for floor, names in enumerate(floors(), start=1):
        for name in names:
            shown, path = place_of(name)
            rows.append(f"| {floor} | {shown} | {purpose(path)} |")
    return "\n".join([INTRODUCTION, "", *rows])


def with_table(text: str) -> str:
    """A document with the table between its two marks.

    Args:
        text: the document.

    Raises:
        SystemExit: it has no marks.
    """
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"The document has no lines {BEGIN} and {END}. Put them where the table shall stand.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Writes the table, or checks it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 where the table is old")
    check = parser.parse_args().check
    before = DOCUMENT.read_text(encoding="utf-8")
    after = with_table(before)
    if after == before:
        return
    if check:
        sys.exit(f"{DOCUMENT.relative_to(ROOT)} is not up to date. Run `make layers`.")
    DOCUMENT.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
