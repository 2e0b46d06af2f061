"""docs/glossary.md defines each term once, and the code has the names that it gives."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
NEW_NAMES, _, TERMS = TEXT.partition("\n## Data\n")


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows but headers and rules."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [row for row in cells if row[0] != "term" and not row[0].startswith("-")]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def words_of_the_source() -> set[str]:
    """Identifiers and names of files of the package."""
    found: set[str] = set()
    for path in (ROOT / "src" / "attrformer").rglob("*.py"):
        found |= set(re.findall(r"[A-Za-z_]\w*", path.read_text(encoding="utf-8")))
        found |= {path.stem, path.parent.name}
    return found


SOURCE = words_of_the_source()


def test_no_term_is_defined_twice() -> None:
    terms = Counter(row[0] for row in rows(TERMS))
    assert len(terms) > 50
    assert [term for term, times in terms.items() if times > 1] == []


@pytest.mark.parametrize("row", rows(TERMS), ids=lambda row: row[0])
def test_the_code_has_the_names_of_a_term(row: list[str]) -> None:
    _, meaning, synonyms, names = row
    assert meaning and synonyms and code(names)
    for name in code(names):
        # An option or an attribute has its last name; the test of documents checks options as a whole.
        assert name.rpartition(".")[2] in SOURCE, name


@pytest.mark.parametrize("row", rows(NEW_NAMES), ids=lambda row: row[0])
def test_the_code_has_the_new_name_or_the_earlier_one(row: list[str]) -> None:
    new, meaning, earlier = row
    assert meaning
    assert any(name in SOURCE for name in (*code(new), *code(earlier)))
