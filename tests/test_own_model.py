"""The document "a model of your own" runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "own-model.md"
NAMES = {"python": "block.py", "yaml": "plan.yaml", "bash": ""}


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    # The source that the tests run has changes, which the commands refuse.
    text = text.replace("benchmark tune plan.yaml", "benchmark tune plan.yaml --allow-dirty")
    text = text.replace("benchmark plan.yaml", "benchmark plan.yaml --allow-dirty")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert [language for language, _ in blocks] == ["python", "python", "bash", "yaml", "bash", "python"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    told = []
    for number, (language, block) in enumerate(blocks):
        file = tmp_path / ("convolutions.py" if number == 0 else NAMES[language] or "block.sh")
        file.write_text(block, encoding="utf-8")
        if language in ("python", "bash"):
            command = [sys.executable, file.name] if language == "python" else ["bash", "-e", file.name]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            told.append(done.stdout)
    assert told[1].count("user-0001") == 5 and "model.kernel" in told[2]
    results = [json.loads(line) for line in (tmp_path / "results" / "plan.jsonl").read_text().splitlines()]
    assert [line["row"] for line in results] == ["convolutions", "sasrec", "attrformer", "popularity"]
    assert [set(line.get("models", ())) for line in results] == [{"convolutions.py"}, set(), set(), set()]
    shown = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| **Dilated convolutions** |" in shown and "paper" not in shown.partition("| model |")[2]
    assert "`attrformer benchmark plan.yaml`" in shown and (tmp_path / "img" / "gain-sample.svg").is_file()
    for title in ("Against every other model", "Short and long histories", "What the search chose"):
        assert f"### {title}" in shown
    assert "### What each part is worth" not in shown
