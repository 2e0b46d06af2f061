"""Form of the documents: short lines, links to headings that exist, and a README that begins with what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 120
TEXT = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def too_long(text: str) -> list[str]:
    """Lines over 120 characters outside code blocks and tables, whose rows cannot be broken."""
    lines = without_blocks(text).splitlines()
    return [line for line in lines if len(line) > LONGEST and not line.startswith("|")]


def anchors(text: str) -> set[str]:
    """The addresses of headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_rows_and_blocks_may_be_longer_than_lines() -> None:
    long = "x" * 121
    assert too_long(f"{long}\n| {long} |\n```\n{long}\n```\n{'x' * 120}\n") == [long]


def test_anchors_of_headings() -> None:
    assert anchors("# A step, on `CUDA`\n```\n# none\n```\n### Two-part name\n") == {"a-step-on-cuda", "two-part-name"}


@pytest.mark.parametrize("name", TEXT)
def test_lines_are_short(name: str) -> None:
    assert too_long(TEXT[name]) == []


@pytest.mark.parametrize("name", TEXT)
def test_links_lead_to_headings(name: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)\s#]*\.md)?#([^)\s]+)\)", TEXT[name]):
        path = ((ROOT / name).parent / target).resolve() if target else ROOT / name
        assert anchor in anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"


def test_the_readme_begins_with_what_it_is_and_the_first_command() -> None:
    first = TEXT["README.md"].splitlines()[:10]
    assert first[0] == "# AttrFormer"
    opening = " ".join(first)
    assert "recommends the next item" in opening and "engineers" in opening and "researchers" in opening
    assert any(line.startswith("make demo") for line in first)
    # What it prints comes next.
    shown = TEXT["README.md"].split("```")[3]
    assert shown.startswith("text\nsample | ") and "NDCG@20" in shown and "Ten recommendations" in shown
