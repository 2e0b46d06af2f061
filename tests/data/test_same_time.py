from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Dataset, core_filter, shuffle_same_time
from attrformer.errors import DataError


def histories(dataset: Dataset) -> dict[object, list[tuple[object, int, float]]]:
    """What each user did, in order: item, time and rating by external ids."""
    sequences = dataset.sequences
    assert sequences.times is not None
    items = dataset.item_ids.to_list()
    found: dict[object, list[tuple[object, int, float]]] = {}
    for user, item, time, rating in zip(
        sequences.row_of_position(), sequences.items, sequences.times, sequences.behaviours["rating"], strict=True
    ):
        found.setdefault(dataset.user_ids.to_list()[user], []).append((items[item], int(time), float(rating)))
    return found


def log(entries: list[tuple[int, int, int]]) -> Dataset:
    """A dataset of (user, item, time); the rating says which entry it was."""
    users, items, times = zip(*entries, strict=True)
    ratings = [float(place) for place in range(len(entries))]
    return Dataset.from_frames(
        pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times, "rating": ratings}), name="log"
    )


ENTRY = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(0, 2))
ENTRIES = st.lists(ENTRY, min_size=1, max_size=40, unique_by=lambda entry: entry[:2])


@given(ENTRIES)
def test_nothing_is_lost_and_times_still_rise(entries: list[tuple[int, int, int]]) -> None:
    before = log(entries)
    after = shuffle_same_time(before)
    for user, history in histories(after).items():
        assert sorted(history) == sorted(histories(before)[user])
        times = [time for _, time, _ in history]
        assert times == sorted(times)


@pytest.mark.slow
@given(ENTRIES, st.randoms(use_true_random=False))
def test_the_order_of_the_file_tells_nothing(entries: list[tuple[int, int, int]], random: object) -> None:
    """Codes follow first occurrence, so that the catalogue is named first, by a user of its own."""
    named = [(0, item, item) for item in range(1, 10)] + [(user, 1, -1) for user in range(1, 5)]
    other = list(entries)
    random.shuffle(other)  # type: ignore[attr-defined]

    def order(given: list[tuple[int, int, int]]) -> dict[object, list[object]]:
        return {
            user: [item for item, time, _ in history if time >= 0]
            for user, history in histories(shuffle_same_time(log(named + given))).items()
        }

    entries, other = ([entry for entry in found if entry[1] != 1] for found in (entries, other))
    assert order(entries) == order(other)


def test_it_is_the_same_however_often() -> None:
    dataset = log([(1, item, 0) for item in range(30)])
    once = shuffle_same_time(dataset)
    assert once.sequences.items.tolist() != dataset.sequences.items.tolist()
    assert once.notes[-1].startswith("log: ") and once.notes[-1].endswith("changed places with others of the same time")
    twice = shuffle_same_time(once)
    assert twice.sequences.items.tolist() == once.sequences.items.tolist()
    assert twice.notes == once.notes


def test_pairs_come_either_way_round_equally_often() -> None:
    dataset = shuffle_same_time(log([(user, item, 0) for user in range(2_000) for item in (1, 2)]))
    first = dataset.sequences.items[::2]
    assert 0.45 < float((first == first.min()).mean()) < 0.55
    items = shuffle_same_time(log([(1, item, 0) for item in range(2_000)])).sequences.items
    assert 0.45 < float((np.diff(items) > 0).mean()) < 0.55


def test_what_happened_at_other_times_stays(shop: Dataset) -> None:
    after = shuffle_same_time(shop)
    assert after.sequences.items.tolist() == shop.sequences.items.tolist()
    assert after.notes == shop.notes


@pytest.fixture
def shop() -> Dataset:
    return log([(1, 1, 3), (1, 2, 5), (2, 2, 5), (2, 1, 9)])


def test_data_without_times_are_refused() -> None:
    dataset = Dataset.from_frames(pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2]}), name="log")
    with pytest.raises(DataError, match=r"^log: same_time is shuffled, but the interactions have no times\. Give a"):
        shuffle_same_time(dataset)


def test_filters_and_shuffling_go_together() -> None:
    dataset = log([(user, item, 0) for user in range(6) for item in range(8)])
    filtered = shuffle_same_time(core_filter(dataset, 5))
    assert shuffle_same_time(core_filter(filtered, 5)).sequences.items.tolist() == filtered.sequences.items.tolist()
