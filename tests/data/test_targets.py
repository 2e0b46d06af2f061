"""What targets say of themselves: whether they repeat an item, and which is the last of its user."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets, leave_one_out, time_split


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 4), max_size=5), st.integers(0, 4)), max_size=8))
@settings(max_examples=100, deadline=None)
def test_repeats_and_last_targets_are_those_of_a_plain_count(rows):
    users, contexts, items = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    targets = Targets(
        users=np.array(users, dtype=np.int64),
        contexts=Sequences(
            np.cumsum([0, *map(len, contexts)]), np.array([item for one in contexts for item in one], dtype=np.int32)
        ),
        items=np.array(items, dtype=np.int32),
    )
    assert targets.repeats.tolist() == [item in context for _, context, item in rows]
    latest = {user: max((len(contexts[row]), row) for row, own in enumerate(users) if own == user) for user in users}
    assert targets.last.tolist() == [(len(contexts[row]), row) == latest[user] for row, user in enumerate(users)]


def test_a_time_split_has_one_last_target_for_each_user():
    rows = [(user, item, 100 * item + user) for user in range(6) for item in range(user % 2, 10)]
    dataset = Dataset.from_frames(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))
    test = time_split(dataset, validation_from=500, test_from=700).test
    assert len(test) == 18 and test.last.sum() == 6
    assert dataset.item_ids.decode(test.items[test.last].astype(np.int64)).to_list() == [9] * 6
    assert leave_one_out(dataset).test.last.all()
