"""How a run in a process of its own ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

INTERRUPTED = """
import os, signal, sys, threading
import polars
from attrformer.benchmark import execute

def work(folder):
    frame = polars.select(polars.int_range(3_000_000).hash().alias("a")).lazy().sort("a")
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    while True:
        frame.collect()

execute.execute = work
sys.argv = ["execute", "folder"]
execute.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupt_while_data_are_read_leaves_no_trace() -> None:
    """polars answers an interrupt with one KeyboardInterrupt, and Python with another."""
    command = [sys.executable, "-c", INTERRUPTED]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (130, "")
