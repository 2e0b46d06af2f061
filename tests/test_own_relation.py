"""The document "a relation of your own" runs as it stands, in one folder, by the real commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "own-relation.md"


def test_the_document_runs_block_by_block(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert [language for language, _ in blocks] == ["python", "python", "bash"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    told = []
    for number, (language, block) in enumerate(blocks):
        file = tmp_path / ("series.py" if number == 0 else "block.py" if language == "python" else "block.sh")
        file.write_text(block, encoding="utf-8")
        command = [sys.executable, file.name] if language == "python" else ["bash", "-e", file.name]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    assert "'series'" in told[1] and "Same series as “" in told[1]
    assert "series" in told[2]
