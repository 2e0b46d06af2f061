"""Ranges of users that are written to their place in one array."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from attrformer.data.prepared import writing
from attrformer.data.prepared.names import ITEMS
from attrformer.data.prepared.plan import Plan


def test_a_range_changes_its_own_bytes_alone_and_reads_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    monkeypatch.setattr(writing, "_begin_writing", lambda file, *_: modes.append(fcntl.fcntl(file, fcntl.F_GETFL)))
    plan = Plan(5, (), None, (), ())
    writing.make_room(tmp_path, plan, [])
    for first, items in ((3, [7, 8]), (0, [5]), (1, [6])):
        writing.put_range(tmp_path, plan, first, {ITEMS: np.array(items, dtype=np.uint8)})
    np.testing.assert_array_equal(np.load(tmp_path / "items.npy"), [5, 6, 0, 7, 8])
    # A network's file system reads whole pages around what a file open for reading is to get, and writes them back.
    assert [mode & os.O_ACCMODE for mode in modes] == [os.O_WRONLY] * 3
