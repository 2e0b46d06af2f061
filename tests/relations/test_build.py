from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from tests.relations.builders import (
    NONE,
    SMALL,
    categorical,
    dataset,
    multi,
    relations_of,
    sequences,
    shop,
    walks,
)

from attrformer.data.dataset import Dataset
from attrformer.data.splits import leave_one_out
from attrformer.errors import ConfigurationError
from attrformer.relations.build import build_relations
from attrformer.relations.config import LONG_HISTORIES, RelationsConfig
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.user_index import latest_anchors


def arrays(value: Any, path: str = "") -> dict[str, Any]:
    """Every array and plain value inside a set of relations, by path."""
    if is_dataclass(value):
        parts = {entry.name: getattr(value, entry.name) for entry in fields(value)}
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        parts = {part.name: part for part in value}
    else:
        return {path: value}
    return {key: leaf for name, part in parts.items() for key, leaf in arrays(part, f"{path}.{name}").items()}


def assert_same(first: RelationSet, second: RelationSet) -> None:
    left, right = arrays(first), arrays(second)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def with_other_ends(data: Dataset) -> Dataset:
    """The same dataset with other validation and test interactions: the last two of each user."""
    items = data.sequences.items.copy()
    for end in (data.sequences.offsets[1:] - 1, data.sequences.offsets[1:] - 2):
        items[end] = (items[end] + 11) % data.item_count
    return replace(data, sequences=replace(data.sequences, items=items))


def test_relations_see_training_interactions_only() -> None:
    data = shop()
    other = with_other_ends(data)
    first = build_relations(data, leave_one_out(data).train, SMALL, seed=0)
    second = build_relations(other, leave_one_out(other).train, SMALL, seed=0)
    assert_same(first, second)
    # The change was large enough to be seen, had anything looked.
    looked = build_relations(other, other.sequences, SMALL, seed=0)
    assert (looked.rows["cooccurrence_near"].row(0) != first.rows["cooccurrence_near"].row(0)).any()


def test_relations_are_the_same_for_the_same_seed() -> None:
    assert_same(relations_of(shop(), seed=3), relations_of(shop(), seed=3))
    assert (relations_of(shop(), seed=3).fold_of_user != relations_of(shop(), seed=4).fold_of_user).any()


def test_every_kind_of_relation_is_there() -> None:
    relations = relations_of(shop())
    assert list(relations.rows) == [
        "cooccurrence_near",
        "cooccurrence_wide",
        "cooccurrence_next",
        "indirect",
        "edge_also",
    ]
    assert set(relations.features) == {"brand", "tags", "price"}
    assert list(relations.users) == ["region"]
    assert relations.repeat and relations.time_gaps and relations.similar_users is not None
    assert list(relations.levels) == ["rating"]
    np.testing.assert_array_equal(relations.popularity, np.bincount(shop().sequences.items, minlength=30))


def test_everything_can_be_switched_off() -> None:
    relations = relations_of(shop(), NONE)
    assert not relations.rows and not relations.features and not relations.users and not relations.levels
    assert not relations.repeat and not relations.time_gaps and relations.similar_users is None


def test_a_dataset_without_attributes_and_times_has_its_behaviour_relations() -> None:
    relations = relations_of(dataset(sequences(walks(10, 8, 0)), 8))
    assert list(relations.rows) == ["cooccurrence_near", "cooccurrence_wide", "cooccurrence_next", "indirect"]
    assert not relations.features and not relations.users and not relations.levels and not relations.time_gaps


@pytest.mark.parametrize(
    ("length", "names"),
    [(LONG_HISTORIES - 1, ["cooccurrence_near"]), (LONG_HISTORIES, ["cooccurrence_near", "cooccurrence_wide"])],
)
def test_what_helps_long_histories_alone_is_left_out_of_short_ones_unless_asked_for(
    length: int, names: list[str]
) -> None:
    train = sequences([[place % 8 for place in range(length)]] * 4)
    built = build_relations(dataset(train, 8), train, RelationsConfig(), seed=0)
    assert list(built.rows) == names
    assert (built.similar_users is not None) is ("cooccurrence_wide" in names)
    assert (
        build_relations(dataset(train, 8), train, RelationsConfig(similar_users=True), seed=0).similar_users is not None
    )
    assert build_relations(dataset(train, 8), train, RelationsConfig(similar_users=False), seed=0).similar_users is None


@pytest.mark.parametrize(
    ("option", "where"),
    [
        ("item_attributes", "relations.item_attributes"),
        ("user_attributes", "relations.user_attributes"),
        ("edges", "relations.edges"),
    ],
)
def test_an_unknown_name_is_refused_by_name(option: str, where: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{where}.*colour"):
        relations_of(shop(), **{option: ("colour",)})


def test_only_named_relations_are_built() -> None:
    relations = relations_of(shop(), item_attributes=("price",), edges=())
    assert list(relations.features) == ["price"] and list(relations.rows) == [
        "cooccurrence_near",
        "cooccurrence_wide",
        "cooccurrence_next",
        "indirect",
    ]


def planted() -> Dataset:
    """User 0 alone goes from item 8 to item 9 and has the value "x"; everyone else stays among items 0 to 7."""
    rows = [[8, 9, 8, 9], *walks(20, 8, 1)]
    # Others meet 8 and 9, never as a pair.
    rows[1], rows[2] = [0, 8, 1], [2, 9, 3]
    values = ["x", *("y" if user % 2 else "z" for user in range(20))]
    return dataset(sequences(rows), 10, user_attributes={"group": categorical("group", values)})


def own_evidence(relations: RelationSet, data: Dataset, fold: int | None) -> dict[str, float]:
    """What each counted relation says about item 9 to user 0, who is at item 8."""
    index = relations.similar_users
    assert index is not None
    user = -1 if fold is None else 0
    found = index.search(latest_anchors(data.sequences, np.array([0]), np.array([1]), index.anchors), np.array([user]))
    value = relations.users["group"].codes[0]
    return {
        "cooccurrence_near": float(relations.rows["cooccurrence_near"].row(8, fold)[9]),
        "cooccurrence_wide": float(relations.rows["cooccurrence_wide"].row(8, fold)[9]),
        "cooccurrence_next": float(relations.rows["cooccurrence_next"].row(8, fold)[9]),
        "similar_users": float((found.following == 9).sum()),
        "lift": float(relations.users["group"].lift.row(value, fold)[9]) - 1.0,
    }


def test_a_transition_known_from_the_own_history_alone_is_no_evidence_in_training() -> None:
    data = planted()
    relations = relations_of(data)
    for name, evidence in own_evidence(relations, data, int(relations.fold_of_user[0])).items():
        assert evidence == pytest.approx(0.0, abs=1e-6), name
    # Other folds and inference do see it.
    other = next(fold for fold in range(relations.folds) if fold != relations.fold_of_user[0])
    for fold in (other, None):
        seen = own_evidence(relations, data, fold)
        assert seen["cooccurrence_near"] > 0.1 and seen["cooccurrence_wide"] > 0.1 and seen["lift"] > 0.5
    assert own_evidence(relations, data, None)["similar_users"] > 0


def test_without_cross_fitting_the_own_history_would_be_evidence() -> None:
    data = planted()
    relations = relations_of(data, folds=1)
    leaked = own_evidence(relations, data, int(relations.fold_of_user[0]))
    assert leaked["cooccurrence_near"] > 0.1 and leaked["cooccurrence_wide"] > 0.1 and leaked["lift"] > 0.5


def test_changing_the_own_history_changes_no_row_of_the_own_fold() -> None:
    data = planted()
    items = data.sequences.items.copy()
    items[:4] = [9, 8, 0, 0]
    changed = replace(data, sequences=replace(data.sequences, items=items))
    first, second = relations_of(data), relations_of(changed)
    fold = int(first.fold_of_user[0])
    for name in ("cooccurrence_near", "cooccurrence_wide", "cooccurrence_next", "indirect"):
        for item in range(10):
            np.testing.assert_allclose(
                first.rows[name].row(item, fold), second.rows[name].row(item, fold), rtol=1e-5, atol=1e-7
            )
    for value in range(3):
        rows = [relations.users["group"].lift.row(value, fold) for relations in (first, second)]
        np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5)


def test_more_folds_than_users_leave_each_user_out_alone() -> None:
    relations = relations_of(dataset(sequences([[0, 1], [1, 2], [2, 0]]), 3), folds=10)
    assert relations.folds == 10 or relations.folds >= 3
    for user, (first, second) in enumerate([(0, 1), (1, 2), (2, 0)]):
        own = relations.rows["cooccurrence_near"].row(first, int(relations.fold_of_user[user]))
        assert own[second] == 0
        assert own.any()


def test_multi_valued_attributes_without_shared_values_make_no_relation() -> None:
    values = [["a"], ["b"], ["c"]]
    data = dataset(sequences([[0, 1, 2]]), 3, item_attributes={"tags": multi("tags", values)})
    assert relations_of(data).features == {}
