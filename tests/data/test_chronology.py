"""Interactions in order, as a stable sort by user and time gives it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data.chronology import by_small_numbers, stable_order


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(-5, 5)), max_size=40), st.booleans())
def test_the_order_is_that_of_a_stable_sort(rows: list[tuple[int, int]], timed: bool) -> None:
    users = np.array([user for user, _ in rows], dtype=np.int32)
    times = np.array([time for _, time in rows], dtype=np.int64)
    plain = sorted(range(len(rows)), key=lambda place: (rows[place][0], rows[place][1] if timed else 0))
    assert stable_order(users, times if timed else None).tolist() == plain
    for kind in (np.float64, np.uint8, np.uint32):
        # Numbers without a sign may be large, and are not wrapped around.
        far = 2**32 - 11 if kind is np.uint32 else 5
        assert stable_order(users, (times + far).astype(kind) if timed else None).tolist() == plain
    assert stable_order(users.astype(np.uint32), times if timed else None).tolist() == plain


@pytest.mark.parametrize("largest", [0, 2**16 - 1, 2**16, 2**31 - 1])
def test_numbers_of_every_size_are_sorted(largest: int) -> None:
    numbers = np.array([largest, 0, largest, largest // 2, 0], dtype=np.int32)
    assert by_small_numbers(numbers, largest).tolist() == np.argsort(numbers, kind="stable").tolist()
