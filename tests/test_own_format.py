"""The document "a format of your own" runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.support.documents import run_document

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "own-format.md"


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    told = run_document(DOCUMENT.read_text(encoding="utf-8"), tmp_path)
    assert [language for language, _ in told] == ["python", "bash", "python", "text"]
    (_, shown), (_, promised) = told[2:]
    assert shown == promised
    for folder in ("data", "again"):
        assert pl.read_parquet(tmp_path / folder / "items.parquet").rows()[2] == (3, "Red", "Lou")
