"""The page about rules runs as it stands, and its claims hold."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from attrformer.errors import ShortListWarning
from attrformer.server.schemas import RecommendBody

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "rules.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_page_runs_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = list(re.finditer(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL))
    assert len(blocks) >= 12
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShortListWarning)
        for block in blocks:
            # The line numbers of an error are those of the document.
            line = TEXT.count("\n", 0, block.start(1))
            exec(compile("\n" * line + block[1], str(DOCUMENT), "exec"), namespace)
    printed = capsys.readouterr().out
    assert re.search(r"# (where, character 16 .*)", TEXT)[1] in printed  # type: ignore[index]
    # What is shown has something to show.
    assert len(namespace["cheap"]) == 5 and len(namespace["found"]) == 5
    assert len(namespace["varied"]) == 8 and len(namespace["short"]) < 100


def test_the_request_of_the_page_is_one() -> None:
    block = re.search(r"^```json\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    assert RecommendBody(**json.loads(block[1])).at_most == {"brand": 2}
