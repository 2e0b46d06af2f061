from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.builders import sequences

from attrformer.relations.user_index import RECENCY, Neighbours, UserIndex, latest_anchors

ITEMS, ANCHORS, HORIZON, COUNT = 6, 3, 2, 3
distinct = st.lists(st.integers(0, ITEMS - 1), max_size=ITEMS, unique=True)


def index_of(rows: list[list[int]], *, count: int = COUNT, candidates: int = 64) -> UserIndex:
    return UserIndex.build(sequences(rows), ITEMS, count=count, anchors=ANCHORS, horizon=HORIZON, candidates=candidates)


def search(index: UserIndex, contexts: list[list[int]], users: list[int]) -> Neighbours:
    histories = sequences(contexts)
    anchors = latest_anchors(histories, np.arange(len(contexts)), histories.lengths, ANCHORS)
    return index.search(anchors, np.array(users, dtype=np.int64))


def brute(rows: list[list[int]], context: list[int], user: int) -> dict[int, tuple[float, list[int]]]:
    """Similarity of every other user that shares an anchor, and what follows the most recent shared anchor."""
    frequency = [sum(row.count(item) for row in rows) for item in range(ITEMS)]
    anchors = context[::-1][:ANCHORS]
    found = {}
    for other, row in enumerate(rows):
        shared = [slot for slot, item in enumerate(anchors) if item in row]
        if other == user or not shared:
            continue
        weights = [math.log1p(len(rows) / frequency[anchors[slot]]) * RECENCY**slot for slot in shared]
        newest = anchors[shared[0]]
        at = len(row) - 1 - row[::-1].index(newest)
        following = (row[at + 1 : at + 1 + HORIZON] + [-1] * HORIZON)[:HORIZON]
        found[other] = (sum(weights) / math.sqrt(len(row)), following)
    return found


@given(st.lists(distinct, min_size=1, max_size=7), st.lists(st.integers(0, ITEMS - 1), max_size=6), st.integers(-1, 6))
def test_search_equals_looking_at_every_user(rows: list[list[int]], context: list[int], user: int) -> None:
    user = min(user, len(rows) - 1)
    found = search(index_of(rows), [context], [user])
    expected = brute(rows, context, user)
    there = found.users[0] >= 0
    users = found.users[0][there].tolist()
    assert len(users) == len(set(users)) == min(COUNT, len(expected))
    best = sorted((similarity for similarity, _ in expected.values()), reverse=True)[:COUNT]
    np.testing.assert_allclose(found.similarity[0][there], best, rtol=1e-5)
    for place, other in enumerate(users):
        similarity, following = expected[other]
        np.testing.assert_allclose(found.similarity[0, place], similarity, rtol=1e-5)
        assert found.following[0, place].tolist() == following
    assert not found.similarity[0][~there].any()
    assert (found.following[0][~there] == -1).all()


def test_alignment_is_at_the_most_recent_shared_anchor() -> None:
    # The other user shares 1 (older) and 2 (newest); what counts is what followed 2.
    found = search(index_of([[2, 3, 4, 1, 5], [0]]), [[1, 2]], [-1])
    assert found.users[0].tolist() == [0, -1, -1]
    assert found.following[0, 0].tolist() == [3, 4]


def test_alignment_is_at_the_latest_of_several_occurrences() -> None:
    found = search(index_of([[2, 3, 2, 5], [0]]), [[2]], [-1])
    assert found.following[0, 0].tolist() == [5, -1]


def test_an_anchor_that_a_neighbour_repeats_counts_once() -> None:
    rows = [[2, 2, 2, 3], [2, 4, 5, 0], [1]]
    found = search(index_of(rows), [[2]], [-1])
    assert found.users[0].tolist() == [0, 1, -1]
    np.testing.assert_allclose(found.similarity[0, 0], found.similarity[0, 1])


def test_the_own_user_is_left_out_and_only_the_own_user() -> None:
    rows = [[0, 1, 2], [0, 1, 2], [0, 3]]
    assert set(search(index_of(rows), [[0]], [1]).users[0].tolist()) == {0, 2, -1}
    assert set(search(index_of(rows), [[0]], [-1]).users[0].tolist()) == {0, 1, 2}


def test_answers_do_not_depend_on_the_other_contexts() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, ITEMS, rng.integers(1, 9)).tolist() for _ in range(50)]
    contexts = [rng.integers(0, ITEMS, rng.integers(0, 6)).tolist() for _ in range(2500)]
    users = rng.integers(-1, 50, 2500).tolist()
    index = index_of(rows)
    together = search(index, contexts, users)
    for k in [0, 1, 2046, 2047, 2048, 2049, 2499]:
        alone = search(index, [contexts[k]], [users[k]])
        for name in ("users", "similarity", "following"):
            np.testing.assert_array_equal(getattr(together, name)[k], getattr(alone, name)[0])


def test_a_popular_item_is_sampled_evenly_over_users() -> None:
    found = search(index_of([[0, 1] for _ in range(100)], count=50, candidates=10), [[0]], [-1])
    users = found.users[0][found.users[0] >= 0]
    assert 5 <= len(users) <= 10
    assert users.min() < 20 and users.max() >= 80


def test_latest_anchors_most_recent_first() -> None:
    histories = sequences([[4, 3, 2, 1], [5], []])
    rows = np.array([0, 0, 0, 1, 2])
    found = latest_anchors(histories, rows, np.array([4, 2, 0, 1, 0]), 3)
    np.testing.assert_array_equal(found, [[1, 2, 3], [3, 4, -1], [-1, -1, -1], [5, -1, -1], [-1, -1, -1]])
