"""Ranks as processes of their own, started as a launcher would."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from contextlib import ExitStack
from pathlib import Path

from tests.support.ports import reserved_port


def start(script: str, size: int, folder: Path, **variables: str) -> list[subprocess.Popen[str]]:
    """A process for each rank, all on one machine."""
    held = ExitStack()
    port = str(held.enter_context(reserved_port()))
    shared = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"GROUP_RANK": "0", "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]
    weakref.finalize(ranks[0], held.close)
    return ranks


def words(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 0, said
    return said
