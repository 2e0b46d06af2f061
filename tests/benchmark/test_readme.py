"""The figures that the README states are those of the committed results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attrformer.benchmark.present import PresentRuns
from attrformer.benchmark.results import Board, load_board
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import SEEN_VARIANTS

ROOT = Path(__file__).parents[2]
NAMES = {"Amazon Beauty": "beauty", "Amazon Toys and Games": "toys", "MovieLens-1M, 5-core": "ml-1m"}


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board(ROOT / "benchmarks" / "results", PresentRuns(ROOT / "benchmarks" / "plans"))


@pytest.mark.parametrize("title", NAMES)
def test_figures_of_the_readme(board: Board, title: str) -> None:
    row = re.search(
        rf"^\| {re.escape(title)} \|(.*)\|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert row is not None
    stated = [cell.split(" / ") for cell in row[1].split("|")]
    own, data = board.own(NAMES[title]), NAMES[title]
    sasrec = next(result for result in board.on(data) if result.row == "sasrec_ce")
    assert own is not None
    for place, seen in enumerate(SEEN_VARIANTS):
        rival = board.rival(data, HEADLINE, seen)
        assert rival is not None
        figures = [result.figure(HEADLINE, seen).value for result in (own, rival, sasrec)]
        expected = [f"{figure:.4f}".removeprefix("0") for figure in figures]
        assert [cells[place].strip() for cells in stated[:3]] == expected
        assert stated[3][place].strip() == f"{100 * (figures[0] / figures[1] - 1):+.0f} %"
