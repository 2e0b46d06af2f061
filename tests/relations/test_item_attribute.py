from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import SMALL, categorical, dataset, multi, numeric, sequences

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.id_map import IdMap
from attrformer.relations.base import NewItems
from attrformer.relations.build import build_relations
from attrformer.relations.item_attribute import item_attribute_relation

value_sets = st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=8)


def brute(values: list[list[str]], most: int) -> NDArray[np.float64]:
    """R_a(i, j), the sum over shared values of their weights times squared inverse document frequency."""
    items = len(values)
    names = sorted({name for row in values for name in row})
    frequency = {name: sum(name in row for row in values) for name in names}
    useful = [name for name in names if 2 <= frequency[name] < items]
    kept = sorted(useful, key=lambda name: (-frequency[name], name))[:most]
    strength = {name: math.log(items / frequency[name]) ** 2 for name in kept}
    strongest = max(strength.values(), default=1.0)
    out = np.zeros((items, items))
    for i, mine in enumerate(values):
        for j, other in enumerate(values):
            norm = math.sqrt(sum(name in kept for name in mine) * sum(name in kept for name in other))
            for name in set(mine) & set(other) & set(kept):
                out[i, j] += strength[name] / strongest / norm
    return out


@given(value_sets, st.integers(1, 4))
def test_start_equals_the_sum_over_shared_values(sets: list[set[str]], most: int) -> None:
    values = [sorted(row) for row in sets]
    relation = item_attribute_relation(multi("tags", values), buckets=4, max_values=most)
    expected = brute(values, most)
    if relation is None:
        assert not expected.any()
        return
    found = np.stack([relation.row(item) for item in range(len(values))])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    phi = relation.dense()
    np.testing.assert_allclose(phi @ np.diag(relation.diagonal) @ phi.T, expected, rtol=1e-5, atol=1e-7)


def test_a_missing_value_relates_to_nothing() -> None:
    relation = item_attribute_relation(categorical("brand", ["x", None, "x", "y", "y"]), buckets=4, max_values=9)
    assert relation is not None
    assert not relation.row(1).any()
    np.testing.assert_array_equal(relation.row(0) > 0, [True, False, True, False, False])


def test_values_that_join_no_two_items_or_all_of_them_are_left_out() -> None:
    assert item_attribute_relation(categorical("brand", ["x", "y", "z"]), buckets=4, max_values=9) is None
    assert item_attribute_relation(categorical("brand", ["x", "x", "x"]), buckets=4, max_values=9) is None


def test_labels_follow_the_values_that_are_kept() -> None:
    values = [["rare"], ["b"], ["b", "a"], ["a"], ["a"]]
    relation = item_attribute_relation(multi("tags", values), buckets=4, max_values=9)
    assert relation is not None and relation.labels == ("a", "b")
    commonest = item_attribute_relation(multi("tags", values), buckets=4, max_values=1)
    assert commonest is not None and commonest.labels == ("a",)


def test_numbers_relate_within_their_quantile_bucket() -> None:
    numbers = [1.0, 2.0, 3.0, 4.0, float("nan"), 100.0, 200.0, 300.0, 400.0]
    relation = item_attribute_relation(numeric("price", numbers), buckets=2, max_values=9)
    assert relation is not None
    np.testing.assert_array_equal(relation.row(0) > 0, [True] * 4 + [False] * 5)
    np.testing.assert_array_equal(relation.row(8) > 0, [False] * 5 + [True] * 4)
    assert not relation.row(4).any()


def hierarchy(paths: list[str | None]) -> Attribute:
    """An attribute with every level of a path for each item."""
    rows = [[] if path is None else path.split(" > ") for path in paths]
    levels = [[" > ".join(names[: depth + 1]) for depth in range(len(names))] for names in rows]
    return multi("path", levels, AttributeKind.HIERARCHY)


def weighted(scores: list[dict[str, float]]) -> Attribute:
    """An attribute with tags and their scores for each item."""
    plain = multi("tags", [sorted(row) for row in scores], AttributeKind.WEIGHTED)
    values = [row[tag] for row in scores for tag in sorted(row)]
    return replace(plain, weights=np.array(values, dtype=np.float32))


def test_a_level_counts_twice_as_much_as_the_one_above_it() -> None:
    paths = ["A > B > C", "A > B > C", "A > B > D", "A > B > D", "E", "E", None]
    relation = item_attribute_relation(hierarchy(paths), buckets=4, max_values=9)
    assert relation is not None and relation.labels == ("A", "A > B", "A > B > C", "A > B > D", "E")
    phi = relation.dense()
    np.testing.assert_allclose(phi[0] ** 2, [1 / 7, 2 / 7, 4 / 7, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(phi[4] ** 2, [0, 0, 0, 0, 1], rtol=1e-6)
    assert not phi[6].any()
    own, same, near, far = relation.row(0)[[0, 1, 2, 4]]
    assert own == same > near > far == 0
    # Levels that more items have are worth less on top of that.
    idf = np.log(7 / np.array([4, 4, 2])) ** 2 / math.log(7 / 2) ** 2
    np.testing.assert_allclose([same, near], [idf @ [1, 2, 4] / 7, idf[:2] @ [1, 2] / 7], rtol=1e-5)


def test_what_no_other_item_has_leaves_the_levels_above_it() -> None:
    relation = item_attribute_relation(hierarchy(["A > B > C", "A > B", "D > E", "D"]), buckets=4, max_values=9)
    assert relation is not None and relation.labels == ("A", "A > B", "D")
    np.testing.assert_allclose(relation.dense() ** 2, [[1 / 3, 2 / 3, 0]] * 2 + [[0, 0, 1]] * 2, rtol=1e-6)


def test_the_deepest_level_in_common_is_the_one_that_is_named() -> None:
    paths = ["A > B > C", "A > B > C", "A > B > D", "A > B > D", "A > E", "A > E", "F", "F"]
    relation = item_attribute_relation(hierarchy(paths), buckets=4, max_values=9)
    assert relation is not None
    code = {label: place for place, label in enumerate(relation.labels)}
    assert relation.deepest_shared(0, 1, code["A"]) == code["A > B > C"]
    assert relation.deepest_shared(0, 2, code["A"]) == code["A > B"]
    assert relation.deepest_shared(0, 4, code["A"]) == code["A"]
    assert relation.deepest_shared(6, 7, code["F"]) == code["F"]
    several = item_attribute_relation(multi("tags", [["a", "a > b"]] * 2 + [["c"]]), buckets=4, max_values=9)
    assert several is not None and several.deepest_shared(0, 1, 0) == 0


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(0.125, 100, width=32)), min_size=2, max_size=7))
def test_tags_count_in_proportion_to_their_scores(scores: list[dict[str, float]]) -> None:
    relation = item_attribute_relation(weighted(scores), buckets=4, max_values=9)
    if relation is None:
        return
    norms = [math.sqrt(sum(score**2 for score in row.values())) for row in scores]
    shares = {tag: sum((row[tag] / norm) ** 2 for row, norm in zip(scores, norms, strict=True) if tag in row)
              for tag in relation.labels}  # fmt: skip
    strength = np.array([math.log(len(scores) / shares[tag]) ** 2 for tag in relation.labels])
    np.testing.assert_allclose(relation.diagonal, strength / strength.max(), rtol=1e-4, atol=1e-6)
    for row, phi in zip(scores, relation.dense(), strict=True):
        kept = np.array([row.get(tag, 0.0) for tag in relation.labels])
        norm = np.linalg.norm(kept)
        np.testing.assert_allclose(phi, kept / norm if norm else kept, rtol=1e-5, atol=1e-7)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(0.125, 100, width=32)), min_size=3, max_size=7))
def test_new_items_are_read_as_those_of_training(scores: list[dict[str, float]]) -> None:
    attribute = weighted(scores)
    relation = item_attribute_relation(attribute, buckets=4, max_values=9)
    if relation is None:
        return
    known = IdMap(pl.Series(range(len(scores))))
    new = IdMap(pl.Series(range(len(scores), 2 * len(scores))))
    grown = relation.with_items(NewItems(known, new, {"tags": attribute}))
    np.testing.assert_array_equal(grown.dense()[len(scores) :], relation.dense())


def test_vectors_texts_and_places_have_no_values_to_share() -> None:
    bare = Attribute("v", AttributeKind.VECTOR, np.zeros(3, np.int64), np.empty(0, np.int32), (), np.empty(0))
    held = {
        "v": replace(bare, vectors=np.ones((2, 3), np.float32)),
        "t": replace(bare, name="t", kind=AttributeKind.TEXT, texts=("a", "a")),
        "p": replace(bare, name="p", kind=AttributeKind.LOCATION, vectors=np.ones((2, 2), np.float32)),
    }
    data = dataset(sequences([[0, 1], [1, 0], [0, 1]]), 2, item_attributes=held)
    assert not build_relations(data, data.sequences, SMALL, 0).features
