"""Rows by the value of the earlier interaction, and what counts against an item, against counts by loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.relations.builders import SMALL, dataset, relations_of, sequences, shop, with_events

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.meaning import Condition, Meaning
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations.base import Update
from attrformer.relations.behaviour_rows import MOST_VALUES, BehaviourRowsRelation
from attrformer.relations.build import build_relations
from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.negative import NegativeRelation, levels_of
from attrformer.relations.positions import BehaviourRelation, CategoryRelation, level
from attrformer.relations.relation_set import RelationSet

BUY, RETURN, VIEW = 0, 1, 2


def counts_by_loops(
    train: Sequences, users: NDArray[np.int64], items: int, earlier: NDArray[np.float32], later: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Pairs within the window of `SMALL.cooccurrence_near`, forward only, of the given users."""
    found = np.zeros((items, items))
    for user in users:
        start, stop = train.offsets[user], train.offsets[user + 1]
        for here in range(start, stop):
            for there in range(here + 1, min(here + SMALL.cooccurrence_near.window, stop - 1) + 1):
                weight = SMALL.cooccurrence_near.decay ** (there - here - 1)
                found[train.items[here], train.items[there]] += weight * earlier[here] * later[there]
    return found


def normalised(counts: NDArray[np.float64], popularity: NDArray[np.float64]) -> NDArray[np.float64]:
    alpha, degree = SMALL.cooccurrence_near.alpha, counts.sum(1, keepdims=True)
    left = np.where(degree > 0, degree, 1.0) ** -(1 - alpha)
    return counts * left * np.maximum(popularity, 1.0) ** -alpha


@pytest.fixture(scope="module")
def data() -> Dataset:
    return with_events(shop())


@pytest.fixture(scope="module")
def relations(data: Dataset) -> RelationSet:
    return relations_of(data)


def whole(relation: BehaviourRowsRelation | NegativeRelation, fold: int | None) -> NDArray[np.float32]:
    return np.stack([relation.row(item, fold) for item in range(relation.keys)])


@pytest.mark.parametrize("value", ["view", "buy"])
def test_rows_count_what_follows_an_interaction_of_one_value(data: Dataset, relations: RelationSet, value: str) -> None:
    relation, train = relations[f"after_event={value}"], data.sequences
    assert isinstance(relation, BehaviourRowsRelation) and relation.source == "event"
    events = train.behaviours["event"]
    earlier = (events == {"view": VIEW, "buy": BUY}[value]).astype(np.float32)
    later = (events == BUY).astype(np.float32)
    owner = train.row_of_position()
    for fold in (0, 1, 2, None):
        users = np.flatnonzero(relations.fold_of_user != (-1 if fold is None else fold))
        used = np.isin(owner, users)
        popularity = np.bincount(train.items[used], later[used], minlength=data.item_count)
        expected = normalised(counts_by_loops(train, users, data.item_count, earlier, later), popularity)
        np.testing.assert_allclose(whole(relation, fold), expected, rtol=1e-5)


def test_what_counts_against_is_no_earlier_interaction(relations: RelationSet) -> None:
    assert "after_event=return" not in relations


def test_without_targets_anything_may_follow(data: Dataset) -> None:
    plain = replace(data.sequences, meaning=replace(data.sequences.meaning, targets=None))
    relation = relations_of(replace(data, sequences=plain))["after_event=view"]
    assert isinstance(relation, BehaviourRowsRelation) and relation.predicted is None
    events, train = plain.behaviours["event"], plain
    later = (events != RETURN).astype(np.float32)
    everyone = np.arange(len(train))
    counts = counts_by_loops(train, everyone, data.item_count, (events == VIEW).astype(np.float32), later)
    popularity = np.bincount(train.items, later, minlength=data.item_count)
    np.testing.assert_allclose(whole(relation, None), normalised(counts, popularity), rtol=1e-5)


def test_negative_pairs_count_in_both_directions_and_with_themselves(data: Dataset, relations: RelationSet) -> None:
    relation, train = relations["negative"], data.sequences
    assert isinstance(relation, NegativeRelation)
    against = (train.behaviours["event"] == RETURN).astype(np.float32)
    for fold in (1, None):
        users = np.flatnonzero(relations.fold_of_user != (-1 if fold is None else fold))
        used = np.isin(train.row_of_position(), users)
        forward = counts_by_loops(train, users, data.item_count, against, against)
        popularity = np.bincount(train.items[used], against[used], minlength=data.item_count)
        expected = normalised(forward + SMALL.cooccurrence_near.backward * forward.T, popularity) + np.eye(
            data.item_count
        )
        np.testing.assert_allclose(whole(relation, fold), expected, rtol=1e-5)


def test_positive_relations_do_not_count_what_counts_against(data: Dataset, relations: RelationSet) -> None:
    train = data.sequences
    counting = (train.behaviours["event"] != RETURN).astype(np.float32)
    everyone = np.arange(len(train))
    forward = counts_by_loops(train, everyone, data.item_count, counting, counting)
    popularity = np.bincount(train.items, counting, minlength=data.item_count)
    expected = normalised(forward + SMALL.cooccurrence_near.backward * forward.T, popularity)
    near = relations.rows["cooccurrence_near"]
    np.testing.assert_allclose(np.stack([near.row(item) for item in range(data.item_count)]), expected, rtol=1e-5)


def test_weights_count_like_repetitions_of_each_of_a_pair() -> None:
    histories = sequences([[0, 1], [0, 2]], behaviours={"quantity": np.float32([2, 3, 1, 1])})
    weighted = dataset(replace(histories, meaning=Meaning({}, "quantity")), 3)
    near = relations_of(weighted, cooccurrence_near=CooccurrenceConfig(alpha=0.0)).rows["cooccurrence_near"]
    # Item 1 has 2 x 3 and item 2 has 1 x 1 of all that follows item 0.
    np.testing.assert_allclose(near.row(0), np.float32([0, 6 / 7, 1 / 7]), rtol=1e-6)
    assert relations_of(weighted).popularity.tolist() == [3, 3, 1]


def test_cut_rows_hold_what_counts_only(data: Dataset) -> None:
    dense, cut = relations_of(data), relations_of(data, dense_items=0, top_k=30)
    for name in ("after_event=view", "negative", "cooccurrence_near"):
        for item in range(data.item_count):
            np.testing.assert_allclose(dense.rows[name].row(item), cut.rows[name].row(item), rtol=1e-5, atol=1e-7)


def test_tables_of_all_values_are_cut_where_they_are_large_together(data: Dataset) -> None:
    relations = relations_of(data, dense_items=3 * data.item_count - 1, top_k=5)
    assert relations.rows["cooccurrence_near"].dense is not None and relations.rows["negative"].dense is not None
    cut = relations.rows["after_event=view"]
    assert cut.dense is None and cut.values is not None and cut.values.shape[1] == 5
    assert relations_of(data, dense_items=3 * data.item_count).rows["after_event=view"].dense is not None


def test_an_update_counts_again(data: Dataset, relations: RelationSet) -> None:
    half = relations_of(replace(data, sequences=data.sequences.rows(np.arange(20))))
    half = half.having(lambda relation: relation.source == "event")
    now = half.for_inference().updated(Update(data.sequences, data.item_count, SMALL, {}, {}))
    for name in ("after_event=view", "after_event=buy", "negative"):
        again, all_of_them = now.rows[name], relations.rows[name]
        for item in range(data.item_count):
            np.testing.assert_allclose(again.row(item), all_of_them.row(item), rtol=1e-6)


def test_which_columns_get_rows(data: Dataset) -> None:
    def names(given: Dataset, *options: str) -> list[str]:
        built = build_relations(given, given.sequences, override(SMALL, options), 0)
        return [name for name in built if name.startswith("after_")]

    assert names(data) == ["after_event=buy", "after_event=view"]
    assert names(data, "behaviour_rows=[]") == [] == names(data, "behaviours=false")
    values = {"a=b": ("c", "d"), "a": ("b=c",)}
    behaviours = {name: data.sequences.behaviours["event"] * 0 for name in values}
    other = replace(data, sequences=replace(data.sequences, behaviours=behaviours, meaning=Meaning(values)))
    assert names(other) == []
    assert names(other, 'behaviour_rows=["a=b", "a"]') == ["after_a%3Db=c", "after_a=b=c"]
    with pytest.raises(ConfigurationError, match=r"relations\.behaviour_rows names 'rating'"):
        names(data, "behaviour_rows=[rating]")
    many = Meaning({"event": tuple(f"e{n:02}" for n in range(MOST_VALUES + 1))})
    wide = replace(data, sequences=replace(data.sequences, meaning=many))
    with pytest.raises(ConfigurationError, match="which has 17 values"):
        names(wide, "behaviour_rows=[event]")


def test_levels_that_count_against() -> None:
    category = CategoryRelation.of("event", ("buy", "return", "skip"))
    assert level(np.float32([np.nan, 0, 1, 2]), category.edges).tolist() == [0, 1, 2, 3]
    assert levels_of(category, Condition.parse("event=skip,return", "")) == (2, 3)
    assert level(np.float32([np.nan, 0]), CategoryRelation.of("event", ("buy",)).edges).tolist() == [0, 1]


@pytest.mark.parametrize("text", ["rating<=2", "rating<3", "rating=1,3", "rating>4", "rating>=2"])
def test_levels_of_a_number_are_cut_where_it_begins_to_count_against(text: str) -> None:
    data = shop()
    condition = Condition.parse(text, "")
    told = replace(data, sequences=replace(data.sequences, meaning=Meaning({}, None, condition)))
    relations = relations_of(told)
    rating, negative = relations["behaviour_rating"], relations["negative"]
    assert isinstance(rating, BehaviourRelation) and isinstance(negative, NegativeRelation)
    values = told.sequences.behaviours["rating"]
    np.testing.assert_array_equal(np.isin(level(values, rating.edges), negative.levels), told.sequences.negative)
