"""The document "a model of your own" runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.documents import DOCS, run_document

pytestmark = pytest.mark.slow


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    text = (DOCS / "own-model.md").read_text(encoding="utf-8")
    # The source that the tests run has changes, which the commands refuse.
    text = text.replace("benchmark tune plan.yaml", "benchmark tune plan.yaml --allow-dirty")
    text = text.replace("benchmark plan.yaml", "benchmark plan.yaml --allow-dirty")
    told = run_document(text, tmp_path)
    languages = ["python", "python", "python", "bash", "yaml", "bash", "python"]
    assert [language for language, _ in told] == languages
    (_, used), (_, commanded) = told[2:4]
    assert used.count("user-0001") == 5 and used.count("bootstrap") == 2
    assert "model.kernel" in commanded and "tempered" in commanded
    results = [json.loads(line) for line in (tmp_path / "results" / "plan.jsonl").read_text().splitlines()]
    assert [line["row"] for line in results] == ["convolutions", "sasrec", "attrformer", "popularity"]
    assert [set(line.get("models", ())) for line in results] == [{"convolutions.py"}, set(), set(), set()]
    shown = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| **Dilated convolutions** |" in shown and "paper" not in shown.partition("| model |")[2]
    assert "`attrformer benchmark plan.yaml`" in shown and (tmp_path / "img" / "gain-sample.svg").is_file()
    for title in ("Against every other model", "Short and long histories", "What the search chose"):
        assert f"### {title}" in shown
    assert "### What each part is worth" not in shown
