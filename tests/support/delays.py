"""Random pauses where the order of things is not promised: `pytest --delays SEED`, as CONTRIBUTING.md says.

Threads and processes hear late of what others have done, and any of them may be far ahead. Which pauses there are
depends on the seed, the test and the process; processes that tests start have pauses of their own.
"""

from __future__ import annotations

import asyncio.base_events
import atexit
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

VARIABLE = "ATTRFORMER_DELAYS"
PLACES = ("/attrformer/server/", "/attrformer/cluster/", "/tests/server/", "/tests/cluster/", "/tests/support/")

_CHILD = """import sys
sys.path.insert(0, {root!r})
from tests.support import delays
del sys.path[0]
delays.start_child()
"""
_draw, _sleep = random.Random(0), time.sleep


def pause(most: float, share: float) -> float:
    """Sleeps for some of the seconds given, in a share of all calls; how long it has."""
    seconds = most * _draw.random() ** 2 if _draw.random() < share else 0.0
    if seconds:
        _sleep(seconds)
    return seconds


def pause_and_rest(rest: Any) -> None:
    """A pause between lines, seldom; work of many lines becomes a few times as slow, and not hundreds.

    Args:
        rest: of this thread; has none before it ends.
    """
    if getattr(rest, "end", 0.0) < time.monotonic():
        seconds = pause(0.1, 0.005)
        rest.end = time.monotonic() + seconds / 5


def _around(place: Any, names: str, most: float, share: float) -> None:
    """Lets functions begin late, and those who called them go on late."""

    def slowed(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            pause(most, share)
            try:
                return real(*given, **more)
            finally:
                pause(most, share)

        return call

    for name in names.split():
        if hasattr(place, name):
            setattr(place, name, slowed(getattr(place, name)))


def lines() -> None:
    """Between any two lines of the places above."""
    known: dict[CodeType, bool] = {}
    rest = threading.local()

    def each(frame: FrameType, event: str, arg: Any) -> Any:
        pause_and_rest(rest)
        return each

    def entered(frame: FrameType, event: str, arg: Any, places: tuple[str, ...] = PLACES) -> Any:
        code = frame.f_code
        if code not in known:
            known[code] = any(place in code.co_filename for place in places)
        return each if known[code] else None

    sys.settrace(entered)
    threading.settrace(entered)


def threads() -> None:
    """Before work of another thread begins, and after it is done before whoever waits for it hears so."""
    _around(threading.Thread, "run", 0.2, 0.5)
    _around(concurrent.futures.Future, "set_running_or_notify_cancel set_result set_exception", 0.3, 0.5)
    _around(asyncio.base_events.BaseEventLoop, "call_soon_threadsafe", 0.1, 0.3)


def loop() -> None:
    """Before the rounds of event loops, seldom for long."""
    _around(asyncio.base_events.BaseEventLoop, "_run_once", 0.01, 0.1)
    _around(asyncio.base_events.BaseEventLoop, "_run_once", 0.5, 0.002)


def files() -> None:
    """Before and after files are moved, linked, copied, removed and flushed."""
    _around(os, "replace rename symlink fsync utime unlink", 0.1, 0.4)
    _around(shutil, "copytree copyfile rmtree", 0.1, 0.4)


def processes() -> None:
    """At the start of processes, on either side of a fork, and around signals."""
    _around(os, "fork kill", 1.0, 0.3)
    _around(subprocess.Popen, "__init__ send_signal wait", 0.3, 0.4)


KINDS = {kind.__name__: kind for kind in (lines, threads, loop, files, processes)}


def start(told: str) -> None:
    """Begins with pauses in this process, and in those that it starts; told are a seed and kinds, or all kinds."""
    if VARIABLE not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="delays-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "sitecustomize.py").write_text(_CHILD.format(root=str(Path(__file__).parents[2])), encoding="utf-8")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        os.environ[VARIABLE] = told
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: seed(told, str(os.getpid())))
    _, *names = told.split(",")
    for name in names or KINDS:
        KINDS[name]()


def start_child() -> None:
    """Begins with pauses in a process that a test has started, some of them at once."""
    # The processes of pytest-xdist are told by pytest.
    if "stdin.readline()" not in " ".join(sys.orig_argv):
        seed(os.environ[VARIABLE], str(os.getpid()))
        pause(2.0, 0.5)
        start(os.environ[VARIABLE])


def seed(told: str, which: str) -> None:
    """Draws the pauses of a test, or of a process, anew."""
    _draw.seed(f"{told} {which}")
