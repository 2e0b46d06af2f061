"""What is made of arrays in files: equal to what is made in memory, and in files where it is large."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data import Sequences, mapped, sequences
from attrformer.data.mapped import room_like
from attrformer.errors import WriteError


def in_file(values: np.ndarray, file: Path) -> np.ndarray:
    np.save(file, values)
    return np.load(file, mmap_mode="r")


def test_large_arrays_made_of_mapped_ones_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = in_file(np.arange(5), tmp_path / "values.npy")
    assert type(room_like(values, 100)) is np.ndarray
    monkeypatch.setattr(mapped, "_LARGE", 80)
    room = room_like(values, 10)
    room[:] = values[np.arange(10) % 5]
    assert isinstance(room, np.memmap) and room.tolist() == [0, 1, 2, 3, 4] * 2
    assert type(room_like(values, 9)) is np.ndarray and type(room_like(np.arange(5), 100)) is np.ndarray


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room is not taken at once here")
def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    values = in_file(np.arange(5), tmp_path / "values.npy")
    with pytest.raises(WriteError, match=r"no room for them .*TMPDIR"):
        room_like(values, 1 << 55)


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    cut=st.integers(0, 7),
    block=st.integers(1, 9),
)
def test_rows_are_cut_alike_in_blocks_of_any_size(lengths: list[int], cut: int, block: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    count = int(offsets[-1])
    whole = Sequences(
        offsets, np.arange(count, dtype=np.int32), np.arange(count) * 2, {"items": np.arange(count, dtype=np.float32)}
    )
    starts, stops = offsets[:-1], np.maximum(offsets[1:] - cut, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "BLOCK", block)
        made = whole.slices(starts, stops)
        counted = whole.popularity(count)
    expected = [list(range(start, stop)) for start, stop in zip(starts, stops, strict=True)]
    assert [made.row(row).tolist() for row in range(len(made))] == expected
    assert made.times is not None and made.times.tolist() == [2 * item for item in made.items.tolist()]
    assert made.behaviours["items"].tolist() == made.items.tolist()
    assert counted.tolist() == [1.0] * count
