"""The document "a relation of your own" runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.documents import DOCS, run_document

pytestmark = pytest.mark.slow


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    told = run_document((DOCS / "own-relation.md").read_text(encoding="utf-8"), tmp_path)
    assert [language for language, _ in told] == ["python", "python", "python", "bash"]
    (_, used), (_, commanded) = told[2:]
    assert "'series'" in used and "Same series as “" in used and "Often taken on the same day as “" in used
    assert "first words of a title" in commanded and "series" in commanded
    assert "own: [{name: series, words: 2}, {name: same_day}]" in (tmp_path / "series.yaml").read_text()
