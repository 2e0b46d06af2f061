"""Ranks as processes of their own, started as a launcher would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def start(script: str, size: int, folder: Path, **variables: str) -> list[subprocess.Popen[str]]:
    """A process for each rank, all on one machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"GROUP_RANK": "0", "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    return [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]


def words(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 0, said
    return said
