"""The tutorial "why was this recommended" runs as it stands, and its claims hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "tutorial-why.md"


def test_the_tutorial_runs_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))
    assert len(blocks) >= 10
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for block in blocks:
        # The line numbers of an error are those of the document.
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(DOCUMENT), "exec"), namespace)
    printed = capsys.readouterr().out
    assert "score" in printed and "Chosen after “" in printed and "times as often by users whose age band is" in printed
    assert ET.fromstring((tmp_path / "why.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    # Each check above has something to check.
    assert namespace["claim"]["count"] > 0 and len(namespace["shared"])
