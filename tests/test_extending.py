"""The document "extending the library": the files of the other documents as one package, by the real commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.documents import DOCS, blocks_of, run_document

pytestmark = pytest.mark.slow

FILES = {"series.py": "relation", "convolutions.py": "model", "patience.py": "metric", "plays.py": "format"}


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    (tmp_path / "shopkit").mkdir()
    for file, kind in FILES.items():
        blocks = blocks_of((DOCS / f"own-{kind}.md").read_text(encoding="utf-8"))
        (source,) = (block for name, _, block in blocks if name == file)
        (tmp_path / "shopkit" / file).write_text(source, encoding="utf-8")
    text = (DOCS / "extending.md").read_text(encoding="utf-8")
    told = run_document(text, tmp_path)
    assert [language for language, _ in told] == ["text", "python", "yaml", "python", "bash"]
    (_, tree), (_, used), (_, commanded) = told[0], told[3], told[4]
    assert set(FILES) < set(tree.split()) and "Same series as “" in used
    assert "relations.own[series].words" in commanded and "RareHits@20" in commanded and "series" in commanded
