from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Dataset, core_filter, keep_items, keep_users
from attrformer.errors import ConfigurationError, DataError, UnknownIdError

LOG = pl.DataFrame(
    {
        "user_id": ["a", "a", "b", "b", "c", "c", "d"],
        "item_id": [1, 2, 1, 2, 2, 3, 3],
        "timestamp": [1, 2, 3, 4, 5, 6, 7],
        "rating": [1, 2, 3, 4, 5, 6, 7],
    }
)
ITEMS = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4],
        "title": ["One", "Two", "Three", "Four"],
        "brand": ["x", "y", "z", "z"],
        "price": [1.5, 2.5, 3.5, 4.5],
        "only_three": [None, None, "t", "u"],
    }
)
USERS = pl.DataFrame({"user_id": ["a", "b", "c", "d"], "gender": ["F", "M", "F", "X"]})
EDGES = pl.DataFrame(
    {
        "source_item_id": [1, 1, 3],
        "target_item_id": [2, 3, 1],
        "relation": ["bought", "bought", "viewed"],
        "weight": [1, 2, 3],
    }
)


@pytest.fixture
def shop() -> Dataset:
    return Dataset.from_frames(LOG, ITEMS, USERS, EDGES, name="shop", catalogue="all")


def test_the_core_is_found_by_repeated_removal_and_everything_is_numbered_anew(shop: Dataset) -> None:
    # d has one interaction; without d item 3 has one; without item 3 user c has one.
    core = core_filter(shop, 2)
    assert core.user_ids.to_list() == ["a", "b"]
    assert core.item_ids.to_list() == [1, 2]
    assert core.sequences.offsets.tolist() == [0, 2, 4]
    assert core.sequences.items.tolist() == [0, 1, 0, 1]
    assert core.sequences.times is not None and core.sequences.times.tolist() == [1, 2, 3, 4]
    assert core.sequences.behaviours["rating"].tolist() == [1, 2, 3, 4]
    assert core.item_titles == ("One", "Two")
    assert core.item_attributes["brand"].vocabulary == ("x", "y")
    assert core.item_attributes["brand"].codes.tolist() == [0, 1]
    assert core.item_attributes["price"].numbers.tolist() == [1.5, 2.5]
    assert "only_three" in shop.item_attributes and "only_three" not in core.item_attributes
    assert core.user_attributes["gender"].vocabulary == ("F", "M")
    assert list(core.item_relations) == ["bought"]
    edges = core.item_relations["bought"]
    assert (edges.source.tolist(), edges.target.tolist(), edges.weight.tolist()) == ([0], [1], [1.0])
    assert core.notes[-1] == (
        "shop: the 2-core filter dropped 2 of 4 users, 2 of 4 items, 3 of 7 interactions, 2 of 3 edges; "
        "the attribute only_three has no value left"
    )
    assert core.notes[:-1] == shop.notes


def test_a_core_that_is_empty_is_refused(shop: Dataset) -> None:
    with pytest.raises(DataError, match=r"^shop: nothing is left after the 3-core filter\. Filter less strictly"):
        core_filter(shop, 3)
    with pytest.raises(ConfigurationError, match="k=0"):
        core_filter(shop, 0)


def test_nothing_is_noted_where_nothing_is_dropped() -> None:
    dataset = Dataset.from_frames(LOG)
    assert core_filter(dataset, 1).notes == dataset.notes


def test_chosen_items_take_their_users_with_them(shop: Dataset) -> None:
    kept = keep_items(shop, [3, 4])
    assert kept.item_ids.to_list() == [3, 4]
    assert kept.user_ids.to_list() == ["c", "d"]
    assert kept.sequences.items.tolist() == [0, 0]
    assert kept.item_titles == ("Three", "Four")
    assert kept.item_attributes["only_three"].codes.tolist() == [0, 1]
    assert kept.item_relations == {}
    with pytest.raises(UnknownIdError, match="item '99' is not in the data"):
        keep_items(shop, [3, 99])
    with pytest.raises(DataError, match="nothing is left after the choice of items"):
        keep_items(shop, [4])


def test_chosen_users_leave_the_catalogue_alone(shop: Dataset) -> None:
    kept = keep_users(shop, pl.Series(["c"]))
    assert kept.user_ids.to_list() == ["c"]
    assert kept.item_ids == shop.item_ids
    assert kept.sequences.items.tolist() == [1, 2]
    assert kept.user_attributes["gender"].vocabulary == ("F",)
    assert list(kept.item_relations) == ["bought", "viewed"]
    with pytest.raises(UnknownIdError, match="user 'z' is not in the data"):
        keep_users(shop, ["z"])


events = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=80)


@pytest.mark.slow
@given(events, st.integers(1, 4))
def test_the_core_is_what_one_by_one_removal_leaves(events: list[tuple[int, int]], k: int) -> None:
    left = list(events)
    while True:
        users, items = Counter(user for user, _ in left), Counter(item for _, item in left)
        smaller = [(user, item) for user, item in left if users[user] >= k and items[item] >= k]
        if len(smaller) == len(left):
            break
        left = smaller
    dataset = Dataset.from_frames(pl.DataFrame(events, schema=["user_id", "item_id"], orient="row"))
    if not left:
        with pytest.raises(DataError):
            core_filter(dataset, k)
        return
    core = core_filter(dataset, k)
    rows = core.user_ids.decode(core.sequences.row_of_position()).to_list()
    found = list(zip(rows, core.item_ids.decode(core.sequences.items).to_list(), strict=True))
    assert found == sorted(left, key=lambda event: event[0])
    assert core.sequences.lengths.min() >= k and np.bincount(core.sequences.items).min() >= k
