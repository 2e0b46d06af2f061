"""Rows of parts in a file, by ranges of users, and those of one range in several files."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data.prepared.coding import STARTS, Arrays, narrow_type, open_coded, read_range, write_coded

KINDS = {"users": "u2", "items": "<i4", "order": "<i8", "same": "<u8", "price": "<f4"}


def part_of(lengths: list[int], first: int) -> Arrays:
    """A part whose rows are numbered from `first` on."""
    rows = np.arange(first, first + sum(lengths))
    return {**{name: rows.astype(kind) for name, kind in KINDS.items()}, STARTS: np.cumsum([0, *lengths])}


@settings(max_examples=40, deadline=None)
@given(
    files=st.lists(
        st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any), max_size=3), min_size=1, max_size=3
    ).filter(lambda files: np.array([part for file in files for part in file], dtype=int).any())
)
def test_a_range_holds_its_rows_of_all_parts_in_their_order(
    files: list[list[list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, wanted, first = tmp_path_factory.mktemp("coded"), [list[int]() for _ in range(3)], 0
    for number, parts in enumerate(files):
        made = []
        for lengths in parts:
            made.append(part_of(lengths, first))
            for rows, (start, stop) in zip(wanted, itertools.pairwise(made[-1][STARTS].tolist()), strict=True):
                rows.extend(range(first + start, first + stop))
            first += sum(lengths)
        write_coded(folder / f"{number}.bin", made, 3)
    coded = [open_coded(folder / f"{number}.bin") for number in range(len(files))]
    for number, rows in enumerate(wanted):
        if rows:
            found = read_range(coded, number)
            assert {name: array.dtype.str for name, array in found.items()} == {
                name: np.dtype(kind).str for name, kind in KINDS.items()
            }
            assert all(np.array_equal(array, np.array(rows).astype(array.dtype)) for array in found.values())


def test_a_file_that_is_cut_off_is_no_range(tmp_path: Path) -> None:
    file = tmp_path / "coded.bin"
    write_coded(file, [part_of([2, 1], 0)], 2)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"coded\.bin is cut off"):
        read_range([open_coded(file)], 1)


@pytest.mark.parametrize(
    ("largest", "kind"),
    [(0, "|u1"), (255, "|u1"), (256, "<u2"), (2**16, "<u4"), (2**32 - 1, "<u4"), (2**32, "<i8"), (2**70, "<i8")],
)
def test_small_numbers_take_few_bytes(largest: int, kind: str) -> None:
    assert narrow_type(largest).str == kind
