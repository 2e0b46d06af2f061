from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relations.builders import relations_of, sequences, shop

from attrformer.relations import time_bucket
from attrformer.relations.time_bucket import (
    SMOOTHING,
    TimeBucketRelation,
    counted_buckets,
    time_bucket_relation,
    with_later_buckets,
)

ITEMS = 4
REACH = 0.5

Row = list[tuple[int, int]]


def timed(rows: list[Row], folds: list[int], buckets: int = 3) -> TimeBucketRelation:
    times = np.array([time for row in rows for _, time in row], dtype=np.int64)
    train = sequences([[item for item, _ in row] for row in rows], times=times)
    return time_bucket_relation(train, ITEMS, np.array(folds, dtype=np.int64), buckets=buckets, reach=REACH)


def brute(rows: list[Row], edges: list[int], at: int) -> list[float]:
    """(n(m, j) + s q(j)) / ((n(m) + s) q(j)), one interaction with each item spread evenly over all buckets."""
    keys = len(edges) + 1
    found = [(item, sum(time >= edge for edge in edges)) for row in rows for item, time in row]
    everywhere = sum(REACH ** abs(at - other) for other in range(keys)) / keys
    around = [everywhere + sum(REACH ** abs(at - m) for i, m in found if i == item) for item in range(ITEMS)]
    share = [(sum(i == item for i, _ in found) + 1) / (len(found) + ITEMS) for item in range(ITEMS)]
    return [(n + SMOOTHING * q) / ((sum(around) + SMOOTHING) * q) for n, q in zip(around, share, strict=True)]


rows_of_people = st.lists(
    st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, 20)), max_size=5), min_size=2, max_size=6
).filter(lambda rows: any(rows))


@settings(max_examples=60)
@given(rows_of_people)
def test_every_fold_equals_the_formula_without_its_users(rows: list[Row]) -> None:
    folds = [user % 2 for user in range(len(rows))]
    relation = timed(rows, folds)
    edges = relation.edges.tolist()
    for fold in (0, 1, None):
        used = [row for row, own in zip(rows, folds, strict=True) if own != fold]
        for at in range(len(edges) + 1):
            np.testing.assert_allclose(relation.lift.row(at, fold), brute(used, edges, at), rtol=1e-4)


def test_buckets_hold_equally_many_interactions() -> None:
    times = [0, 1, 2, 1000, 1001, 1002, 5000, 6000, 7000]
    relation = timed([[(0, time) for time in times]], [0])
    assert relation.edges.tolist() == [1000, 5000]
    assert np.searchsorted(relation.edges, times, side="right").tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_an_item_of_one_season_is_lifted_there_and_nowhere_else() -> None:
    early, late = [(0, 1), (1, 2), (2, 3)], [(3, 101), (1, 102), (2, 103)]
    relation = timed([early, late] * 10, [0] * 20, buckets=2)
    first, second = relation.lift.row(0), relation.lift.row(1)
    assert first[0] > 1.1 and second[0] < 0.9 and first[3] < 0.9 and second[3] > 1.1
    np.testing.assert_allclose(first[1:3], 1.0, atol=0.05)


def test_an_untouched_item_is_in_season_as_much_as_ever() -> None:
    rows = [[(0, 1), (1, 2)], [(0, 3), (1, 4)]]
    relation = timed(rows, [0, 0], buckets=2)
    np.testing.assert_allclose([relation.lift.row(0)[3], relation.lift.row(1)[3]], 1.0, rtol=1e-5)


def test_one_time_for_all_is_one_bucket_or_two() -> None:
    relation = timed([[(0, 7), (1, 7)], [(2, 7)]], [0, 1], buckets=5)
    assert relation.edges.tolist() == [7]
    assert relation.lift.keys == 2


def test_large_catalogues_are_told_fewer_buckets_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_bucket, "MOST_VALUES", 12)
    rows = [[(0, time) for time in range(40)]]
    assert timed(rows, [0], buckets=8).lift.keys == 3


def test_given_edges_are_kept() -> None:
    train = sequences([[0, 1, 2]], times=np.array([1, 50, 99]))
    relation = counted_buckets(np.array([10, 60]), REACH, train, ITEMS, np.zeros(1, dtype=np.int64))
    assert relation.edges.tolist() == [10, 60] and relation.lift.keys == 3
    assert relation.lift.row(0).argmax() == 0 and relation.lift.row(2).argmax() == 2


def test_time_after_training_is_cut_into_buckets_of_the_same_size() -> None:
    edges = np.array([10, 20, 30])
    known = np.arange(30)
    assert with_later_buckets(edges, np.append(known, np.arange(30, 49)), ITEMS).tolist() == [10, 20, 30]
    later = with_later_buckets(edges, np.append(known, np.arange(30, 70)), ITEMS)
    assert later.tolist() == [10, 20, 30, 40, 50, 60]
    # An update after an update goes on where that one ended.
    assert with_later_buckets(later, np.arange(100), ITEMS).tolist() == [*later, 70, 80, 90]
    # What is one time cannot be cut, and what training could not cut stays one bucket.
    assert with_later_buckets(edges, np.append(known, np.full(100, 35)), ITEMS).tolist() == [10, 20, 30, 35]
    assert with_later_buckets(np.empty(0, dtype=np.int64), np.arange(100), ITEMS).tolist() == []


def test_later_buckets_keep_the_table_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_bucket, "MOST_VALUES", 6 * ITEMS)
    assert len(with_later_buckets(np.array([10, 20, 30]), np.arange(1000), ITEMS)) + 1 <= 6
    monkeypatch.setattr(time_bucket, "MOST_VALUES", 1)
    assert with_later_buckets(np.array([10, 20, 30]), np.arange(1000), ITEMS).tolist() == [10, 20, 30]


def test_there_is_none_without_times_or_where_it_is_off() -> None:
    data = shop()
    assert relations_of(data).time_bucket is not None
    assert relations_of(data, time_bucket=False).time_bucket is None
    untimed = replace(data, sequences=replace(data.sequences, times=None))
    assert relations_of(untimed).time_bucket is None
