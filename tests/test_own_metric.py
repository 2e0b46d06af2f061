"""The document "a metric of your own" runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.documents import run_document

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "own-metric.md"


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    told = run_document(DOCUMENT.read_text(encoding="utf-8"), tmp_path)
    assert [language for language, _ in told] == ["python", "python", "bash", "python", "text"]
    (_, used), (_, judged), (_, promised) = told[1], told[3], told[4]
    assert "RBP@20" in used and "RareHits@20" in used and "MRR" not in used
    assert used.splitlines()[-1].count("[") == 1
    assert judged.startswith(promised)
    assert "targets without any recommendation" in judged
    figures = json.loads((tmp_path / "runs" / "rbp" / "figures.json").read_text())
    assert {name.partition("@")[0] for name in figures["seen=hidden"]} == {"Recall", "RBP", "RareHits"}
    lines = [json.loads(line) for line in (tmp_path / "runs" / "rbp" / "metrics.jsonl").read_text().splitlines()]
    assert "RBP@20" in lines[0]["validation"]["seen=ranked"]
    assert "by validation RBP@20" in figures_protocol(tmp_path)


def figures_protocol(folder: Path) -> str:
    return str(json.loads((folder / "runs" / "rbp" / "figures.json").read_text())["protocol"]["selection"])
