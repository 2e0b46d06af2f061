"""One writer at a time, and none that is dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from attrformer.errors import BusyError, WriteError
from attrformer.locks import locked_folder, locked_place

pytestmark = pytest.mark.slow

HOLDER = """
import sys
from pathlib import Path
from attrformer import locks
with getattr(locks, sys.argv[1])(Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
Lock = Callable[[Path], AbstractContextManager[None]]
BOTH = pytest.mark.parametrize("lock", [locked_folder, locked_place])


def in_a_thread(lock: Lock, path: Path) -> Exception | None:
    """What a second writer gets."""
    caught: list[Exception | None] = [None]

    def write() -> None:
        try:
            with lock(path):
                pass
        except Exception as error:
            caught[0] = error

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    return caught[0]


@BOTH
def test_the_holder_may_take_it_again_and_nobody_else(lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "new" / "place"
    with lock(path):
        with lock(path.parent / "." / "place"):
            assert isinstance(in_a_thread(lock, path), BusyError)
        found = in_a_thread(lock, path)
        assert isinstance(found, BusyError) and f"process {os.getpid()}" in str(found)
    assert in_a_thread(lock, path) is None
    assert not path.exists() and list(path.parent.iterdir()) == []


@BOTH
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_dead_process_holds_nothing(lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "place"
    words = [sys.executable, "-c", HOLDER, lock.__name__, str(path)]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with (
            pytest.raises(BusyError, match=rf"place is being written by process {holder.pid} .*Wait until"),
            lock(path),
        ):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with lock(path):
        pass


def test_a_link_to_a_place_is_that_place(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with locked_folder(tmp_path / "run"):
        assert isinstance(in_a_thread(locked_folder, tmp_path / "link"), BusyError)
    (tmp_path / "run" / "mine").write_text("mine")
    with locked_folder(tmp_path / "link"):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine"]


@BOTH
def test_places_without_room_for_a_lock_are_one_typed_error(lock: Lock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / "below" / "more", Path("/proc/nowhere/place")):
        with pytest.raises(WriteError, match=r"^\S+ cannot be (written|locked)"), lock(place):
            pass
