"""Offsets and positions of compressed rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attrformer.csr import offsets_of, positions_in_rows


def test_offsets_and_positions_of_three_rows() -> None:
    assert offsets_of([2, 0, 3]).tolist() == [0, 2, 2, 5]
    assert positions_in_rows(np.array([2, 0, 3])).tolist() == [0, 1, 0, 1, 2]
    assert offsets_of([]).tolist() == [0] and offsets_of(np.array([True, False, True])).tolist() == [0, 1, 1, 2]
    assert positions_in_rows(np.empty(0, dtype=np.int64)).tolist() == []


@given(st.lists(st.integers(0, 5), max_size=8))
def test_they_agree_with_rows_written_out(lengths: list[int]) -> None:
    rows = [list(range(length)) for length in lengths]
    offsets = offsets_of(np.array(lengths, dtype=np.int32))
    assert offsets.dtype == np.int64 and np.diff(offsets).tolist() == lengths
    assert positions_in_rows(np.array(lengths, dtype=np.int64)).tolist() == [place for row in rows for place in row]
