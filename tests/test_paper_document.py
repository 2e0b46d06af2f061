"""docs/paper.md has the parts that comments in the source cite, and states the paper's figures as they were printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
# The first form is that of before the document existed; both cite the same numbers.
REFERENCE = re.compile(r"(?:SPEC|docs/paper\.md,)\s+part\s+(\d+(?:\.\d+)?)")
DATA = {"Beauty": "beauty", "Toys and Games": "toys", "MovieLens-1M": "ml-1m"}


def parts(text: str) -> set[str]:
    """Numbers of the parts of a document: its headings, and the items of numbered lists as "2.1"."""
    found: set[str] = set()
    part = ""
    for line in text.splitlines():
        heading, item = re.match(r"## (\d+)\. ", line), re.match(r"(\d+)\. ", line)
        if heading:
            part = heading[1]
            found.add(part)
        elif item and part:
            found.add(f"{part}.{item[1]}")
    return found


def test_parts_are_headings_and_numbered_items() -> None:
    assert parts("1. before\n## 1. First\n## 2. Second\n1. one\n2. two\n### 3. deeper\n") == {"1", "2", "2.1", "2.2"}


def test_every_part_that_the_source_cites_exists() -> None:
    cited = {}
    for folder in ("src", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != Path(__file__):
                for number in REFERENCE.findall(path.read_text(encoding="utf-8")):
                    cited[f"{path.relative_to(ROOT)}: {number}"] = number
    assert {"2.1", "3", "5"} <= set(cited.values())
    assert [where for where, number in cited.items() if number not in parts(TEXT)] == []


def test_the_overview_lists_the_parts() -> None:
    listed = dict(re.findall(r"^\| (\d) \| (.+) \|$", TEXT, re.MULTILINE))
    assert listed == dict(re.findall(r"^## (\d)\. (.+)$", TEXT, re.MULTILINE))


def stated() -> list[tuple[str, str, str, str]]:
    """Data set, metric, best other model with its figure, AttrFormer's figure, of the rows of part 4."""
    rows = re.findall(r"^\| ([^|]+) \| ((?:Recall|NDCG)@\d+) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 12
    return rows


@pytest.mark.parametrize(("data", "metric", "other", "own"), stated())
def test_figures_of_the_paper_are_those_that_were_printed(data: str, metric: str, other: str, own: str) -> None:
    table = yaml.safe_load((ROOT / "benchmarks" / "paper_table.yaml").read_text(encoding="utf-8"))
    figures = dict(zip(table["models"], table["figures"][DATA[data]][metric], strict=True))
    assert float(own) == figures.pop("attrformer")
    best = max(figures.values())
    figure, names = re.fullmatch(r"(\S+) \((.+)\)", other).groups()  # type: ignore[union-attr]
    assert float(figure) == best
    named = {name.lower().replace("-", "") for name in names.split(", ")}
    assert named == {name for name, value in figures.items() if value == best}
