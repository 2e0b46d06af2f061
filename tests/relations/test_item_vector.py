from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import NONE, dataset, relations_of, sequences, shop
from tests.support.vector_shop import vector_attribute, with_vectors

from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError
from attrformer.relations.base import NewItems
from attrformer.relations.explaining import Question
from attrformer.relations.item_vector import VectorRelation
from attrformer.relations.relation_set import RelationSet

NAN = float("nan")
# Around the mean (0, 0): east, about east, north, west, and one without a vector.
COMPASS = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.8, -1.6], [NAN, NAN]], np.float32)


def relation_of(vectors: Any, **options: Any) -> VectorRelation:
    vectors = np.asarray(vectors, np.float32)
    data = with_vectors(dataset(sequences([[0, 1]]), len(vectors)), vectors)
    found = relations_of(data, NONE, item_attributes=None, **options)["item_picture"]
    assert isinstance(found, VectorRelation)
    return found


def grown(relation: VectorRelation, vectors: Any) -> VectorRelation:
    known, count = len(relation.vectors), len(vectors)
    ids = [IdMap.from_list([f"{name}{n}" for n in range(size)]) for name, size in (("i", known), ("new", count))]
    return relation.with_items(NewItems(*ids, {"picture": vector_attribute(np.asarray(vectors, np.float32))}))


def plain(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine around the mean direction where it is above 0, none of an item with itself."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    directions = vectors / lengths
    centred = directions - np.nanmean(directions, axis=0)
    unit = np.nan_to_num(centred / np.linalg.norm(centred, axis=1, keepdims=True))
    cosine = np.maximum(unit @ unit.T, 0.0)
    np.fill_diagonal(cosine, 0.0)
    return cosine


def test_rows_are_the_cosines_around_the_mean() -> None:
    relation = relation_of(COMPASS)
    found = np.stack([relation.row(item) for item in range(5)])
    np.testing.assert_allclose(found, plain(COMPASS), atol=1e-6)
    assert found[0, 1] > 0.5 and found[0, 3] == 0
    assert not found[4].any() and not found[:, 4].any() and not found.diagonal().any()


@given(st.integers(2, 20), st.integers(1, 5), st.integers(0, 50))
def test_large_catalogues_keep_the_nearest(items: int, k: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(items, 5)).astype(np.float32)
    whole, kept = relation_of(vectors), relation_of(vectors, dense_items=0, top_k=k)
    assert whole.neighbours is None and kept.neighbours is not None
    for item in range(items):
        row = whole.row(item)
        largest = np.sort(row)[::-1][min(k, items) - 1]
        np.testing.assert_array_equal(kept.row(item), np.where(row >= largest, row, 0.0))


@pytest.mark.parametrize("vectors", [np.ones((4, 3)), np.full((4, 3), NAN), np.zeros((4, 0))])
def test_what_tells_no_items_apart_is_no_relation(vectors: NDArray[np.float64]) -> None:
    data = with_vectors(dataset(sequences([[0, 1]]), 4), vectors.astype(np.float32))
    assert not len(relations_of(data, NONE, item_attributes=None))


def test_the_options_choose_columns_and_width() -> None:
    data = with_vectors(shop(), np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32))
    assert "item_picture" in relations_of(data) and "item_brand" in relations_of(data)
    assert "item_picture" not in relations_of(data, item_attributes=("brand",))
    only = relations_of(data, item_attributes=("picture",), vector_dimensions=5)
    assert "item_brand" not in only and only["item_picture"].vectors.shape == (30, 5)  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="no_such"):
        relations_of(data, item_attributes=("no_such",))


def test_new_items_relate_both_ways_and_change_nothing_else() -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    for options in ({}, {"dense_items": 0, "top_k": 3}):
        before = relation_of(vectors, **options)
        after = grown(before, [vectors[5], [NAN] * 4, -vectors[5]])
        for item in range(12):
            np.testing.assert_allclose(after.row(item)[:12], before.row(item), atol=1e-6)
        near = after.row(12)
        assert near[5] == pytest.approx(1.0, abs=1e-5) and after.row(5)[12] == pytest.approx(1.0, abs=1e-5)
        assert not after.row(13).any() and near[14] == 0
        after.check(15, 0)


@pytest.mark.parametrize("options", [{}, {"dense_items": 0, "top_k": 3}, {"vector_dimensions": 2}])
def test_a_relation_that_was_stored_says_the_same(options: dict[str, Any]) -> None:
    relation = relation_of(np.random.default_rng(0).normal(size=(12, 4)), **options)
    arrays, described = relation.to_arrays()
    again = VectorRelation.from_arrays("item_picture", arrays, json.loads(json.dumps(described)))
    again.check(12, 0)
    new = np.random.default_rng(1).normal(size=(3, 4))
    for first, second in ((relation, again), (grown(relation, new), grown(again, new))):
        for item in range(len(first.vectors)):
            np.testing.assert_array_equal(first.row(item), second.row(item))
    assert again.parameter_axes({}) == relation.parameter_axes({})


KEPT = relation_of(np.random.default_rng(0).normal(size=(6, 4)), dense_items=0, top_k=2)
assert KEPT.neighbours is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"vectors": KEPT.vectors[:5]},
        {"vectors": KEPT.vectors[:, :3]},
        {"vectors": KEPT.vectors * np.float32(NAN)},
        {"vectors": KEPT.vectors * np.float32(9)},
        {"vectors": KEPT.vectors.astype(np.int64)},
        {"neighbours": KEPT.neighbours[:5]},
        {"neighbours": KEPT.neighbours + 9},
        {"neighbours": KEPT.neighbours - 7},
        {"neighbours": np.ones((6, 2), np.int32)},
        {"neighbours": KEPT.neighbours.astype(np.float32)},
        {"reach": np.zeros(5, np.float32)},
        {"reach": np.full(6, NAN, np.float32)},
        {"reach": np.full(6, -1, np.float32)},
        {"top_k": -1},
        {"top_k": "many"},
        {"encoder": replace(KEPT.encoder, mean=np.zeros(3, np.float32))},  # type: ignore[type-var]
    ],
)
def test_arrays_that_no_relation_has_are_refused(wrong: dict[str, Any]) -> None:
    KEPT.check(6, 0)
    with pytest.raises(ValueError, match="picture"):
        replace(KEPT, **wrong).check(6, 0)


def test_nothing_else_of_the_set_is_asked_to_know_the_kind() -> None:
    data = with_vectors(shop(), np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32))
    relations: RelationSet = relations_of(data)
    assert list(relations.item_columns) == ["brand", "tags", "price", "picture"]
    assert relations["item_picture"].source == "picture" and relations["item_picture"].relates_items
    assert relations.for_inference()["item_picture"] is relations["item_picture"]


def test_reasons_name_the_item_that_it_looks_like() -> None:
    relation = relation_of(COMPASS)
    codes = np.array([2, 0])
    question = Question(
        codes,
        codes,
        codes,
        {},
        np.ones(2, np.float32),
        lambda item: f"T{item}",
        lambda: None,
        None,  # type: ignore[arg-type, return-value]
    )
    found = relation.attributions(question)
    assert [(one.history, one.reason) for one in found] == [(2, "Looks like “T2”"), (0, "Looks like “T0”")]
