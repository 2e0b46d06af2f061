from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data.sequences import Sequences
from attrformer.recommender import occurrences
from attrformer.recommender.occurrences import Occurrences


def sequences(rows: list[list[int]]) -> Sequences:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Sequences(offsets, np.array([item for row in rows for item in row], dtype=np.int32))


def codes(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


HISTORIES = [[0, 1, 2], [1, 0, 1], [0, 3, 3, 1], [], [2, 2]]


def test_holders_are_counted_once_and_without_the_user() -> None:
    found = Occurrences(sequences(HISTORIES), 5).holders(codes(0, 1, 2, 3, 4, 2), codes(-1, 0, -1, -1, -1, 4))
    assert found.tolist() == [3, 2, 2, 1, 0, 1]


def test_holders_with_a_value() -> None:
    values = codes(7, 8, 7, 7, 8)
    found = Occurrences(sequences(HISTORIES), 5).holders(codes(0, 0, 2), codes(-1, 0, -1), (values, codes(7, 7, 8)))
    assert found.tolist() == [2, 1, 1]


def test_pairs_have_a_direction_and_a_window() -> None:
    counted = Occurrences(sequences(HISTORIES), 5)
    after, before = counted.pairs(codes(0, 1, 0, 2), codes(1, 0, 1, 2), codes(-1, -1, 1, -1), 2)
    # User 1 has 1, 0, 1, which is both; user 2 has 0 three steps before 1, which is too far.
    assert after.tolist() == [2, 1, 1, 1]
    assert before.tolist() == [1, 2, 0, 1]
    after, _ = counted.pairs(codes(0), codes(1), codes(-1), 3)
    assert after.tolist() == [3]


def plain(rows: list[list[int]], first: int, second: int, own: int, window: int) -> tuple[int, int]:
    after = before = 0
    for user, row in enumerate(rows):
        steps = {b - a for a, x in enumerate(row) for b, y in enumerate(row) if (x, y) == (first, second)}
        after += user != own and any(0 < step <= window for step in steps)
        before += user != own and any(-window <= step < 0 for step in steps)
    return after, before


@pytest.mark.slow
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=7),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-1, 6)), min_size=1, max_size=8),
    st.integers(1, 5),
)
def test_pairs_against_a_plain_count(rows: list[list[int]], asked: list[tuple[int, int, int]], window: int) -> None:
    first, second, users = (codes(*column) for column in zip(*asked, strict=True))
    after, before = Occurrences(sequences(rows), 6).pairs(first, second, users, window)
    assert list(zip(after, before, strict=True)) == [plain(rows, *question, window) for question in asked]


def test_counting_in_blocks_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    rows = [generator.integers(0, 20, generator.integers(0, 15)).tolist() for _ in range(40)]
    counted = Occurrences(sequences(rows), 20)
    first, second, users = (generator.integers(0, 20, 60) for _ in range(3))
    whole = counted.pairs(first, second, users, 4), counted.holders(first, users)
    monkeypatch.setattr(occurrences, "_ENTRIES", 3)
    for one, other in zip(
        (*whole[0], whole[1]), (*counted.pairs(first, second, users, 4), counted.holders(first, users)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
