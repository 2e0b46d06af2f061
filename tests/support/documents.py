"""Documents whose blocks are run one after the other in one folder, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def run_document(document: Path, folder: Path, first: str) -> list[tuple[str, str]]:
    """Runs the blocks of a document; one that fails fails the test.

    Args:
        document: Markdown.
        folder: where they run.
        first: name of the file that the first block is.

    Returns:
        For each block its language and what it printed; of a block that is neither Python nor bash, its text.
    """
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    told = []
    for number, (language, block) in enumerate(blocks):
        if language not in ("python", "bash"):
            told.append((language, block))
            continue
        file = folder / (first if number == 0 else f"block.{language}")
        file.write_text(block, encoding="utf-8")
        command = [sys.executable, file.name] if language == "python" else ["bash", "-e", file.name]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append((language, done.stdout))
    return told
