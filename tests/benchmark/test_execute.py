"""How a run in a process of its own ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

INTERRUPTED = """
import os, sys, threading
import polars
from attrformer.benchmark import execute

def work(folder):
    frame = polars.select(polars.int_range(3_000_000).hash().alias("a")).lazy().sort("a")
    threading.Timer(0.2, os.kill, (os.getpid(), int(sys.argv[1]))).start()
    while True:
        frame.collect()

execute.execute = work
execute.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_data_are_read_leaves_no_trace(number: int) -> None:
    """polars answers an interrupt with one KeyboardInterrupt, and Python with another."""
    command = [sys.executable, "-c", INTERRUPTED, str(int(number))]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert (result.returncode, result.stderr) == (128 + number, "")
