from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Dataset, Sequences, Targets, leave_one_out, time_split
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame(
    {
        "user_id": ["a", "a", "a", "a", "b", "b", "c", "c", "c", "d"],
        "item_id": [10, 20, 30, 40, 10, 30, 20, 20, 10, 50],
        "timestamp": [1, 2, 5, 8, 3, 6, 4, 7, 9, 5],
        "rating": [1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
    }
)


def rows(dataset: Dataset, sequences: Sequences) -> list[list[int]]:
    return [dataset.item_ids.decode(sequences.row(index)).to_list() for index in range(len(sequences))]


def examples(dataset: Dataset, targets: Targets) -> list[tuple[str, list[int], int]]:
    users, items = dataset.user_ids.decode(targets.users), dataset.item_ids.decode(targets.items)
    return list(zip(users, rows(dataset, targets.contexts), items, strict=True))


def test_leave_one_out_on_a_table_small_enough_to_read() -> None:
    dataset = Dataset.from_frames(LOG)
    split = leave_one_out(dataset)
    assert split.name == "leave-one-out"
    assert rows(dataset, split.train) == [[10, 20], [10, 30], [20], [50]]
    assert examples(dataset, split.validation) == [("a", [10, 20], 30), ("c", [20], 20)]
    assert examples(dataset, split.test) == [("a", [10, 20, 30], 40), ("c", [20, 20], 10)]
    assert split.test.contexts.behaviours["rating"].tolist() == [1, 2, 3, 7, 8]
    assert split.dropped == ("2 of 4 users have fewer than 3 interactions and are only trained on: 'b', 'd'",)


def test_targets_know_whether_they_have_the_time_of_what_came_before() -> None:
    log = LOG.with_columns(timestamp=pl.Series([1, 2, 8, 8, 3, 6, 4, 4, 9, 5]))
    split = leave_one_out(Dataset.from_frames(log))
    assert split.validation.times is not None and split.validation.times.tolist() == [8, 4]
    assert split.validation.same_time is not None and split.validation.same_time.tolist() == [False, True]
    assert split.test.times is not None and split.test.times.tolist() == [8, 9]
    assert split.test.same_time is not None and split.test.same_time.tolist() == [True, False]
    windows = time_split(Dataset.from_frames(log), validation_from=5, test_from=7).test
    assert windows.times is not None and windows.times.tolist() == [8, 8, 9]
    assert windows.same_time is not None and windows.same_time.tolist() == [False, True, False]
    later = windows.rows(np.array([2, 1]))
    assert later.times is not None and later.times.tolist() == [9, 8]
    assert later.items.tolist() == windows.items[[2, 1]].tolist()
    assert later.users.tolist() == windows.users[[2, 1]].tolist()
    untimed = leave_one_out(Dataset.from_frames(LOG.drop("timestamp"))).test
    assert untimed.times is None and untimed.same_time is None and untimed.rows(np.array([0])).times is None


def test_leave_one_out_needs_a_user_who_did_enough() -> None:
    dataset = Dataset.from_frames(LOG.filter(pl.col("user_id").is_in(["b", "d"])), name="tiny")
    with pytest.raises(DataError, match=r"^tiny: no user has 3 interactions, the most is 2\. Give longer"):
        leave_one_out(dataset)
    with pytest.raises(ConfigurationError, match="minimum=2"):
        leave_one_out(dataset, minimum=2)


def test_time_split_at_given_moments() -> None:
    dataset = Dataset.from_frames(LOG)
    split = time_split(dataset, validation_from=5, test_from=7)
    assert split.name == "time"
    assert rows(dataset, split.train) == [[10, 20], [10], [20], []]
    assert examples(dataset, split.validation) == [("a", [10, 20], 30), ("b", [10], 30)]
    assert examples(dataset, split.test) == [("a", [10, 20, 30], 40), ("c", [20], 20), ("c", [20, 20], 10)]
    assert split.dropped == (
        "1 of 4 users have no target in either window: 'd'",
        "1 first interactions of users lie in a window and have no context to predict from",
        "2 of 2 validation targets are items without a training interaction; they are kept",
        "1 of 3 test targets are items without a training interaction; they are kept",
    )


def test_time_split_can_take_each_users_first_target_only() -> None:
    dataset = Dataset.from_frames(LOG)
    test = time_split(dataset, validation_from=5, test_from=7, per_user="first").test
    assert examples(dataset, test) == [("a", [10, 20, 30], 40), ("c", [20], 20)]


@pytest.mark.parametrize("zone", [None, timezone.utc])
def test_moments_as_datetimes_and_shares_mean_the_same(zone: timezone | None) -> None:
    dataset = Dataset.from_frames(LOG)
    by_seconds = time_split(dataset, validation_from=5, test_from=7)
    begin, middle = datetime(1970, 1, 1, 0, 0, 5, tzinfo=zone), datetime(1970, 1, 1, 0, 0, 7, tzinfo=zone)
    by_moment = time_split(dataset, validation_from=begin, test_from=middle)
    # Sorted times are 1 2 3 4 5 5 6 7 8 9.
    by_share = time_split(dataset, validation_from=0.4, test_from=0.75)
    for other in (by_moment, by_share):
        assert rows(dataset, other.train) == rows(dataset, by_seconds.train)
        assert examples(dataset, other.test) == examples(dataset, by_seconds.test)


def test_time_split_refuses_what_it_cannot_do() -> None:
    dataset = Dataset.from_frames(LOG, name="tiny")
    with pytest.raises(DataError, match=r"^tiny, column 'timestamp': a time split needs times"):
        time_split(Dataset.from_frames(LOG.drop("timestamp"), name="tiny"), validation_from=0.5, test_from=0.8)
    with pytest.raises(DataError, match="no interaction is left for training"):
        time_split(dataset, validation_from=1, test_from=5)
    with pytest.raises(DataError, match="no interaction is left for test"):
        time_split(dataset, validation_from=5, test_from=10)
    with pytest.raises(DataError, match="nobody with an interaction in the validation window did anything before"):
        time_split(
            Dataset.from_frames(LOG.filter(~((pl.col("timestamp") == 5) & (pl.col("user_id") == "a")))),
            validation=5,
            test=6,
        )
    with pytest.raises(ConfigurationError, match="Let validation start before test"):
        time_split(dataset, validation_from=7, test_from=5)
    with pytest.raises(ConfigurationError, match=r"1\.5 is no share"):
        time_split(dataset, validation_from=0.5, test_from=1.5)
    with pytest.raises(ConfigurationError, match="per_user='last'"):
        time_split(dataset, validation_from=5, test_from=7, per_user="last")  # type: ignore[arg-type]


events = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.integers(0, 20)), min_size=1, max_size=60)


def log_of(events: list[tuple[int, int, int]]) -> Dataset:
    return Dataset.from_frames(pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row"))


@pytest.mark.slow
@given(events)
def test_leave_one_out_puts_every_interaction_exactly_once(events: list[tuple[int, int, int]]) -> None:
    dataset = log_of(events)
    if dataset.sequences.lengths.max() < 3:
        return
    split = leave_one_out(dataset)
    test = dict(zip(split.test.users.tolist(), range(len(split.test)), strict=True))
    for user in range(dataset.user_count):
        whole = dataset.sequences.row(user).tolist()
        if user not in test:
            assert split.train.row(user).tolist() == whole and len(whole) < 3
            continue
        index = test[user]
        assert [*split.train.row(user), split.validation.items[index], split.test.items[index]] == whole
        assert split.validation.contexts.row(index).tolist() == whole[:-2]
        assert split.test.contexts.row(index).tolist() == whole[:-1]


@pytest.mark.slow
@given(events, st.integers(1, 10), st.integers(1, 10))
def test_time_split_never_shows_what_comes_later(events: list[tuple[int, int, int]], begin: int, length: int) -> None:
    dataset = log_of(events)
    try:
        split = time_split(dataset, validation_from=begin, test_from=begin + length)
    except DataError:
        return
    assert (split.train.times < begin).all()
    for targets, low, high in ((split.validation, begin, begin + length), (split.test, begin + length, 99)):
        expected = []
        for user in range(dataset.user_count):
            start, stop = dataset.sequences.offsets[user : user + 2]
            for position in range(start + 1, stop):
                if low <= dataset.sequences.times[position] < high:
                    expected.append(
                        (user, dataset.sequences.items[start:position].tolist(), dataset.sequences.items[position])
                    )
        found = [targets.contexts.row(index).tolist() for index in range(len(targets))]
        assert list(zip(targets.users, found, targets.items, strict=True)) == expected
    assert split.train.lengths.sum() == np.sum(dataset.sequences.times < begin)
