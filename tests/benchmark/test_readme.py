"""The figures that the README states are those of the committed results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attrformer.benchmark.headline import headline_rows
from attrformer.benchmark.report import PresentRuns
from attrformer.benchmark.results import Board, Result, load_board
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import SEEN_VARIANTS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAMES = {
    "leave-one-out": {"Amazon Beauty": "beauty", "Amazon Toys and Games": "toys", "MovieLens-1M": "ml-1m"},
    "time split": {
        "Amazon Beauty": "beauty_time",
        "Amazon Toys and Games": "toys_time",
        "MovieLens-1M": "ml-1m_time",
    },
}
CASES = [(split, title) for split, names in NAMES.items() for title in names]


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board(ROOT / "benchmarks" / "results", PresentRuns(ROOT / "benchmarks" / "plans"))


@pytest.mark.parametrize(("split", "title"), CASES)
def test_figures_of_the_readme(board: Board, split: str, title: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    stated = re.findall(rf"^\| {re.escape(split)} \| {re.escape(title)} \|(.*)\|$", text, re.MULTILINE)
    rows = headline_rows(board, NAMES[split][title])
    assert len(stated) == 1 and rows[0].group == "ours"
    assert [cell.strip() for cell in stated[0].split("|")] == _cells(rows)


def _cells(rows: list[Result]) -> list[str]:
    """AttrFormer, the network that validation prefers, the models without training, the gain over the best of them."""
    own, *networks, counted, popularity = rows
    rivals = [max(row.figure(HEADLINE, seen).value for row in rows[1:-1]) for seen in SEEN_VARIANTS]
    gains = [own.figure(HEADLINE, seen).value / rival - 1 for seen, rival in zip(SEEN_VARIANTS, rivals, strict=True)]
    return [
        _pair(own),
        f"{_pair(networks[0])} ({networks[0].title})" if networks else "not run yet",
        _pair(counted),
        _pair(popularity),
        " / ".join(f"{100 * gain:+.0f} %" for gain in gains),
    ]


def _pair(row: Result) -> str:
    return " / ".join(f"{row.figure(HEADLINE, seen).value:.4f}".removeprefix("0") for seen in SEEN_VARIANTS)
