from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.numbered import numbered
from tests.relations.builders import NOTHING, categorical, dataset, relations_of, sequences, walks

from attrformer.data.dataset import Dataset
from attrformer.data.id_map import IdMap, order_of
from attrformer.data.sample import sample_dataset
from attrformer.errors import ConfigurationError
from attrformer.relations import id_order
from attrformer.relations.config import RelationsConfig
from attrformer.relations.id_order import follows_order, id_order_attribute, items_before
from attrformer.relations.relation_set import RelationSet


@pytest.mark.parametrize(
    ("ids", "order"),
    [
        ([30, 4, 100], [1, 0, 2]),
        (["30", "4", "100"], [1, 0, 2]),
        (["i30", "i4", "i100"], [1, 0, 2]),
        (["i30", "j4", "i100"], [1, 2, 0]),
        (["B00A", "B005", "A"], [2, 1, 0]),
        (["x", "7", "y9"], [1, 0, 2]),
    ],
)
def test_numbers_stand_by_size_and_texts_by_letters(ids: list[int] | list[str], order: list[int]) -> None:
    assert order_of(pl.Series(ids)).tolist() == order


@pytest.mark.slow
@given(st.lists(st.text("ab19", min_size=1, max_size=5), min_size=1, max_size=30, unique=True))
def test_every_id_has_a_place_of_its_own(ids: list[str]) -> None:
    assert sorted(order_of(pl.Series(ids)).tolist()) == list(range(len(ids)))


@pytest.mark.slow
@given(st.integers(2, 400), st.integers(20, 60), st.integers(0, 3))
def test_items_share_the_runs_that_hold_both(items: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"n{number}" for number in rng.permutation(items)]
    attribute = id_order_attribute(IdMap.from_list(names), most)
    shortest = max(8, -(-int(items * 1.24) // most))
    for item, name in enumerate(names):
        place = int(name[1:])
        lengths = [shortest, 5 * shortest, 25 * shortest]
        expected = [f"{length} from n{place // length * length}" for length in lengths]
        own = attribute.codes[attribute.offsets[item] : attribute.offsets[item + 1]]
        assert [attribute.vocabulary[code] for code in own] == expected
    # The last runs may be begun alone, so that it is about as many as allowed.
    assert len(attribute.vocabulary) <= most + 3 or shortest == 8


def test_runs_of_known_items_stay_when_items_are_listed_later() -> None:
    before = id_order_attribute(IdMap.from_list([f"{n}" for n in range(100)]), 4096)
    after = id_order_attribute(IdMap.from_list([f"{n}" for n in range(150)]), 4096)
    for item, level in itertools.product(range(100), range(3)):
        old, new = (a.vocabulary[a.codes[3 * item + level]] for a in (before, after))
        assert old == new


def shop(items: int, step: int, seed: int = 0) -> Dataset:
    """Users who go to a neighbouring item most of the time; neighbours have ids `step` apart."""
    names = [f"i{number * step % items:04}" for number in range(items)]
    data = dataset(sequences(walks(80, items, seed)), items)
    return Dataset("shop", data.user_ids, IdMap.from_list(names), data.sequences)


def left_open(data: Dataset) -> RelationSet:
    """Its relations where the options say nothing of the order of ids."""
    return relations_of(data, id_order=None)


def test_the_order_is_used_where_users_follow_it() -> None:
    along, across = shop(101, 1), shop(101, 37)
    assert follows_order(along.item_ids, along.sequences)
    assert not follows_order(across.item_ids, across.sequences)
    assert list(left_open(along).features) == ["id_order"]
    assert not left_open(across).features
    assert list(relations_of(across, id_order=True).features) == ["id_order"]
    assert not relations_of(along, id_order=False).features
    # Each item has its runs, and relates to those who share one; nobody shares a run with the last item alone.
    row = left_open(along).features["id_order"].row(0)
    assert row[:8].min() > row[8:40].max() >= row[8:40].min() > 0 == row[40:].max()


def test_no_order_is_found_in_few_items_or_in_ids_given_out_at_random() -> None:
    few = shop(79, 1)
    assert not follows_order(few.item_ids, few.sequences)
    sample = sample_dataset()
    assert not follows_order(sample.item_ids, sample.sequences)
    rng = np.random.default_rng(0)
    for _ in range(20):
        names = IdMap.from_list([f"i{number}" for number in rng.permutation(101)])
        assert not follows_order(names, shop(101, 1).sequences)
    assert not follows_order(IdMap.from_list([f"i{n}" for n in range(100)]), sequences([[]]))


def test_a_log_that_lists_what_has_one_time_by_id_says_nothing() -> None:
    rng = np.random.default_rng(0)
    # Two days of sixty among two hundred items each, the items of a day in order of id.
    days = [[int(item) for _ in range(2) for item in sorted(rng.permutation(200)[:60])] for _ in range(40)]
    log = sequences(days)
    ids = IdMap.from_list([f"i{number:03}" for number in range(200)])
    assert follows_order(ids, log)
    times = np.tile(np.repeat([100, 200], 60), 40)
    assert not follows_order(ids, replace(log, times=times))
    one_day = replace(log, times=np.zeros(len(log.items), dtype=np.int64))
    assert not follows_order(ids, one_day)
    along = shop(101, 1)
    moments = np.arange(len(along.sequences.items))
    assert follows_order(along.item_ids, replace(along.sequences, times=moments))


def test_an_attribute_of_the_same_name_is_never_replaced() -> None:
    along = shop(101, 1)
    own = {id_order.NAME: categorical(id_order.NAME, [f"v{n % 3}" for n in range(101)])}
    named = Dataset("shop", along.user_ids, along.item_ids, along.sequences, item_attributes=own)
    assert left_open(named).features[id_order.NAME].labels == ("v0", "v1", "v2")
    with pytest.raises(ConfigurationError, match=r"attribute 'id_order' of their own. Set relations.id_order=false"):
        relations_of(named, id_order=True)
    chosen = relations_of(named, id_order=True, item_attributes=NOTHING)
    assert chosen.features[id_order.NAME].labels[0] == "8 from i0000"
    assert not chosen.item_columns and not left_open(along).item_columns


@pytest.mark.slow
def test_numbers_that_say_whose_an_item_is_are_refused() -> None:
    data = Dataset.from_frames(numbered("first appearance"))
    for asked in (True, None):
        with pytest.raises(
            ConfigurationError, match=r"number of a test item says whose it is.*relations.id_order=false"
        ):
            relations_of(data, id_order=asked)
    assert not relations_of(data, id_order=False).features
    assert not relations_of(data, RelationsConfig()).features
    listed = Dataset.from_frames(numbered("listing"))
    assert list(relations_of(listed, id_order=True).features) == ["id_order"]
    assert not relations_of(listed, RelationsConfig()).features


def test_later_items_stand_behind_the_known_item_before_them() -> None:
    known = IdMap.from_list(["i30", "i4", "i100"])
    assert items_before(known, IdMap.from_list(["i31", "i5", "i999", "i1"])).tolist() == [0, 1, 2, 1]
    numbers = IdMap(pl.Series([30, 4, 100]))
    assert items_before(numbers, IdMap(pl.Series([99, 4000]))).tolist() == [0, 2]
