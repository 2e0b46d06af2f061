"""Lists under limits, diversity, room for new items and pins, against plain references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rules.references import ranked, reference

from attrformer.rules.selection import Limit, Selection, pool_size, select

VALUES = {0: [0], 1: [0], 2: [1], 3: [1, 2], 4: [], 5: [0, 2], 6: [2], 7: [1]}
"""The values of eight items in one column."""


def limit_of(values: dict[int, list[int]], most: int, column: str = "brand") -> Limit:
    rows = [values[item] for item in sorted(values)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Limit(column, most, offsets, np.array([value for row in rows for value in row], dtype=np.int32))


def likeness(item: int, others: Any) -> Any:
    """1 for the same remainder by 3, and a little for near numbers."""
    return np.array([0.9 * (item % 3 == other % 3) + 0.1 / (1 + abs(item - other)) for other in others.tolist()])


def selected(
    scores: list[float],
    k: int,
    limits: list[tuple[dict[int, list[int]], int]],
    diversity: float,
    new: set[int],
    share: float,
    pinned: dict[int, int],
    ranked_only: int | None = None,
) -> list[int] | None:
    items, values = ranked(scores)
    kept = [place for place, item in enumerate(items.tolist()) if item not in pinned.values()]
    items, values = items[kept], values[kept]
    is_new = np.array([item in new for item in range(len(scores))]) if share else None
    how = Selection(k, tuple(limit_of(v, most) for v, most in limits), diversity, is_new, share, likeness)
    pins = sorted(pinned.items())
    if ranked_only is None or ranked_only >= len(items):
        return select(items, values, None, pins, how)
    tail = np.array([item in new for item in items[ranked_only:].tolist()], dtype=bool)
    kept = [*range(ranked_only), *(ranked_only + np.flatnonzero(tail))]
    return select(items[kept], values[kept], ranked_only, pins, how)


def test_at_most_counts_every_value() -> None:
    scores = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]
    assert selected(scores, 4, [(VALUES, 1)], 0.0, set(), 0.0, {}) == [0, 2, 4, 6]
    assert selected(scores, 8, [(VALUES, 1)], 0.0, set(), 0.0, {}) == [0, 2, 4, 6]
    assert selected(scores, 5, [(VALUES, 2)], 0.0, set(), 0.0, {}) == [0, 1, 2, 3, 4]


def test_pinned_items_keep_their_positions_and_count() -> None:
    scores = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]
    assert selected(scores, 3, [], 0.0, set(), 0.0, {2: 6}) == [0, 6, 1]
    assert selected(scores, 3, [(VALUES, 1)], 0.0, set(), 0.0, {1: 1}) == [1, 2, 4]
    assert selected(scores, 8, [(VALUES, 1)], 0.0, set(), 0.0, {8: 1}) == [2, 4, 6, 1]


def test_new_items_replace_the_last_others_the_best_first() -> None:
    scores = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]
    assert selected(scores, 4, [], 0.0, {6, 7}, 0.5, {}) == [0, 1, 6, 7]
    assert selected(scores, 4, [], 0.0, {1, 7}, 0.5, {}) == [0, 1, 2, 7]
    assert selected(scores, 4, [], 0.0, {7}, 0.5, {}) == [0, 1, 2, 7]
    assert selected(scores, 4, [], 0.0, {1, 2}, 0.25, {}) == [0, 1, 2, 3]
    assert selected(scores, 4, [], 0.0, {6}, 0.5, {1: 7}) == [7, 0, 1, 6]


def test_new_items_may_stand_behind_all_others() -> None:
    items, scores = np.arange(6), np.array([9.0, 8.0, 7.0, 6.0, 5.0, 4.0])
    new = np.array([True, False, True, False, False, True])
    # Of the first four two are new; room for three more of them is made first.
    assert select(items, scores, None, [], Selection(4, new=new, last=True)) == [1, 3, 0, 2]
    assert select(items, scores, None, [], Selection(4, new=new, share=0.75, last=True)) == [1, 0, 2, 5]
    assert select(items, scores, None, [(1, 4)], Selection(3, new=new, last=True)) == [4, 1, 0]
    assert select(items, scores, None, [], Selection(4, new=new)) == [0, 1, 2, 3]


def test_diversity_one_takes_the_least_alike_and_zero_the_best() -> None:
    scores = [9.0, 8.9, 8.8, 8.7, 0.0, 0.0]
    assert selected(scores, 3, [], 0.0, set(), 0.0, {}) == [0, 1, 2]
    assert selected(scores, 3, [], 1.0, set(), 0.0, {}) == [0, 5, 1]


scores_lists = st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, 7.0]), min_size=1, max_size=14)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data(), scores_lists, st.integers(1, 8), st.sampled_from([0.0, 0.0, 0.3, 1.0]))
def test_a_list_is_what_the_definitions_say(data: Any, scores: list[float], k: int, diversity: float) -> None:
    n = len(scores)
    column = st.fixed_dictionaries({item: st.lists(st.integers(0, 3), max_size=2, unique=True) for item in range(n)})
    limits = data.draw(st.lists(st.tuples(column, st.integers(1, 3)), max_size=2))
    new = data.draw(st.sets(st.integers(0, n - 1)))
    share = data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    count = data.draw(st.integers(0, min(k, n, 3)))
    items = data.draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count, unique=True))
    positions = data.draw(st.lists(st.integers(1, k), min_size=count, max_size=count, unique=True))
    pinned = dict(zip(positions, items, strict=True))
    right = reference(scores, k, limits, diversity, new, share, pinned, likeness)
    assert selected(scores, k, limits, diversity, new, share, pinned) == right
    # From fewer items the list is the same, or it is said that these do not do.
    if not diversity:
        few = selected(scores, k, limits, diversity, new, share, pinned, ranked_only=data.draw(st.integers(1, n)))
        assert few is None or few == right


def test_few_items_of_a_kind_are_found_far_down() -> None:
    values = {item: [0 if item < 5000 else item] for item in range(6000)}
    scores = [float(-item) for item in range(6000)]
    assert selected(scores, 4, [(values, 1)], 0.0, set(), 0.0, {}) == [0, 5000, 5001, 5002]
    assert selected(scores, 4, [(values, 1)], 0.0, set(), 0.0, {}, ranked_only=50) is None


def test_the_pool_of_diversity_grows_with_the_list() -> None:
    assert [pool_size(k) for k in (1, 20, 21, 200)] == [100, 100, 105, 1000]
    scores = [float(-item) for item in range(150)]
    found = selected(scores, 3, [], 1.0, set(), 0.0, {})
    assert found == reference(scores, 3, [], 1.0, set(), 0.0, {}, likeness) and max(found) < 100
