"""The document about the index and the export runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.documents import DOCS, run_document

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("usearch", "onnx", "onnxruntime")), reason="needs the extras"
    ),
]


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    told = run_document((DOCS / "index-and-export.md").read_text(encoding="utf-8"), tmp_path)
    assert [language for language, _ in told] == ["python", "bash", "python", "bash", "python"]
    assert told[2][1].count("user-0001") == 5 and told[2][1].count("visitor") == 5
    assert told[4][1].count("visitor") == 5
