"""docs/check.md runs as it stands, prints what it shows, and names every finding that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")


def test_the_document_runs_and_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```text\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(code, "docs/check.md", "exec"), namespace)
    assert shown.strip() in capsys.readouterr().out
    assert namespace["report"].find("trained-ahead") is not None


def test_every_finding_that_the_source_can_make_is_in_the_document() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src/attrformer/data/check").glob("*.py")]
    made = {id for text in sources for id in re.findall(r'Finding\(\s*f?"([a-z-]+(?:\{[^}]*\})?)"', text)}
    assert len(made) > 20
    for id in made:
        assert f"`{id.partition('{')[0]}" in TEXT, id
