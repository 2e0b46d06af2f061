"""The document about events, weights and dislikes runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "behaviours.md"


def test_the_document_runs_block_by_block(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, DOCUMENT.name, "exec"), names)
    told = capsys.readouterr().out
    assert "leave-one-out (targets: event=purchase, negative: event=return, weight: quantity)" in told
    assert re.search(r"^after_event=view +\d+\.\d\d  Often bought after “i[35]” was viewed$", told, flags=re.MULTILINE)
    assert float(told.splitlines()[-1]) < 0
