"""Documents whose blocks are run one after the other in one folder, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def blocks_of(text: str) -> list[tuple[str, str, str]]:
    """The fenced blocks of a document: name of the file that the sentence before it gives, or "", language and text."""
    parts = re.split(r"^```(\w+)\n(.*?)^```\n", text, flags=re.MULTILINE | re.DOTALL)
    names = [re.search(r"`([\w./]+\.(?:py|yaml))`[^`]*:\s*$", before) for before in parts[:-1:3]]
    return [(name[1] if name else "", *pair) for name, *pair in zip(names, parts[1::3], parts[2::3], strict=True)]


def run_document(text: str, folder: Path) -> list[tuple[str, str]]:
    """Writes the blocks of a document that are files, and runs the others; one that fails fails the test.

    Args:
        text: Markdown.
        folder: where they are written and run.

    Returns:
        For each block its language and what it printed; of a block that is not run, its text.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    told = []
    for name, language, block in blocks_of(text):
        file = folder / (name or f"block.{language}")
        file.parent.mkdir(exist_ok=True)
        file.write_text(block, encoding="utf-8")
        if name or language not in ("python", "bash"):
            told.append((language, block))
            continue
        command = [sys.executable, file.name] if language == "python" else ["bash", "-e", file.name]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append((language, done.stdout))
    return told
