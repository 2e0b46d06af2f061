from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import NONE, dataset, relations_of, sequences
from tests.relations.plain_text import text_attribute
from tests.relations.test_location import LONDON, MISSING, PARIS, SYDNEY, VERSAILLES, places

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.errors import DataError
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.clusters import Clusters
from attrformer.relations.user_attribute import UserAttributeRelation

TASTES = [[1, 0.1, 0], [2, 0, 0.1], [0, 1, 0], [0, 3, 0.1], [0.1, 1, 0], [math.nan] * 3, [0, 0, 0]]
BIOS = ("I like jazz", "jazz and more jazz", "old vinyl jazz", "football", "football fan", "", "nothing else")


def vectors(rows: Any, name: str = "taste_vector") -> Attribute:
    values = np.array(rows, dtype=np.float32)
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    return Attribute(name, AttributeKind.VECTOR, offsets, np.empty(0, np.int32), (), np.empty(0), vectors=values)


def many(seed: int, count: int, groups: int) -> NDArray[np.float64]:
    """Points around some corners of a cube."""
    random = np.random.default_rng(seed)
    return np.eye(6)[random.integers(groups, size=count)] + random.normal(size=(count, 6)) * 0.05


def test_the_largest_group_comes_first() -> None:
    clusters = Clusters.fit(vectors(TASTES), 2)
    assert clusters.groups(vectors(TASTES)).tolist() == [1, 1, 0, 0, 0, -1, -1]
    assert clusters.labels(AttributeKind.VECTOR) == ("group 1", "group 2")
    np.testing.assert_allclose(np.linalg.norm(clusters.centres, axis=1), 1, atol=0.01)


def test_later_values_take_the_nearest_group() -> None:
    clusters = Clusters.fit(vectors(TASTES), 2)
    later = vectors([[5, 1, 1], [0.2, 0.3, 0], [math.nan] * 3, [math.inf, 0, 0]])
    assert clusters.groups(later).tolist() == [1, 0, -1, -1]
    with pytest.raises(DataError, match="2 numbers, those of training had 3"):
        clusters.groups(vectors([[1.0, 2.0]]))


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(0, 50), st.integers(1, 40), st.integers(1, 6), st.integers(1, 8))
def test_centres_are_means_and_nearest(seed: int, count: int, groups: int, most: int) -> None:
    values = many(seed, count, groups)
    attribute = vectors(values)
    clusters = Clusters.fit(attribute, most)
    found = clusters.groups(attribute)
    assert 1 <= len(clusters) <= min(most, count)
    sizes = np.bincount(found, minlength=len(clusters))
    assert (np.diff(sizes) <= 0).all() and sizes.min() >= 1
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    for group in range(len(clusters)):
        np.testing.assert_allclose(clusters.centres[group], unit[found == group].mean(0), atol=1e-4)
    far = np.linalg.norm(unit[:, None] - clusters.centres[None], axis=2)
    np.testing.assert_allclose(far[np.arange(count), found], far.min(1), atol=1e-4)
    assert Clusters.fit(attribute, most).centres.tobytes() == clusters.centres.tobytes()


def test_planted_groups_are_found() -> None:
    values = many(0, 200, 5)
    found = Clusters.fit(vectors(values), 5).groups(vectors(values))
    planted = values.argmax(1)
    assert all(len(set(found[planted == group].tolist())) == 1 for group in range(5)) and len(set(found.tolist())) == 5


def test_texts_are_grouped_and_named_by_their_words() -> None:
    attribute = text_attribute(*BIOS, name="bio")
    clusters = Clusters.fit(attribute, 2)
    groups = clusters.groups(attribute)
    assert groups.tolist() == [0, 0, 0, 1, 1, -1, -1]
    assert clusters.labels(AttributeKind.TEXT) == ("group 1 (jazz)", "group 2 (football)")
    assert clusters.groups(text_attribute("JAZZ!", "who knows")).tolist() == [0, -1]


def test_places_are_grouped_over_the_date_line() -> None:
    attribute = places((0.0, 179.0), (1.0, -179.0), PARIS, LONDON, VERSAILLES, MISSING)
    clusters = Clusters.fit(attribute, 2)
    assert clusters.groups(attribute).tolist() == [1, 1, 0, 0, 0, -1]
    assert clusters.labels(AttributeKind.LOCATION) == ("near 49.7° N, 1.5° E", "near 0.5° N, 180.0° E")
    assert clusters.groups(places(SYDNEY, (51.0, 0.0))).tolist() == [1, 0]


@pytest.mark.parametrize("attribute", [vectors(np.full((2, 3), np.nan)), text_attribute("", "a"), places(MISSING)])
def test_without_a_value_there_is_no_group(attribute: Attribute) -> None:
    clusters = Clusters.fit(attribute, 4)
    assert len(clusters) == 0 and set(clusters.groups(attribute).tolist()) == {-1}
    data = dataset(sequences([[0, 1]] * len(attribute)), 3, user_attributes={"x": attribute})
    assert not relations_of(data, NONE, user_attributes=None)


@pytest.mark.parametrize("attribute", [vectors(TASTES), text_attribute(*BIOS), places(PARIS, SYDNEY, LONDON, MISSING)])
def test_saved_and_read_again(attribute: Attribute) -> None:
    data = dataset(sequences([[0, 1]] * len(attribute)), 3, user_attributes={"x": attribute})
    relation = relations_of(data, NONE, user_attributes=None, buckets=2)["user_x"]
    assert isinstance(relation, UserAttributeRelation)
    relation = relation.for_inference()
    arrays, described = relation.to_arrays()
    again = UserAttributeRelation.from_arrays(relation.name, arrays, described)
    again.check(3, len(attribute))
    assert again.encoder is not None and relation.encoder is not None
    rows, codes = again.encoder.codes(attribute, again.labels[:-1])
    found = np.full(len(attribute), len(relation.labels) - 1)
    found[rows] = codes
    assert found.tolist() == relation.codes.tolist()
    assert again.exact_labels == relation.exact_labels and len(set(relation.exact_labels)) == 2
    assert again.encoder.clusters is not None and relation.encoder.clusters is not None
    assert again.encoder.clusters.centres.tobytes() == relation.encoder.clusters.centres.tobytes()


def test_labels_of_two_models_are_the_same_only_for_the_same_groups() -> None:
    first, second = (AttributeEncoder.of(vectors(many(seed, 30, 3)), 3) for seed in (0, 1))
    assert first[1].vocabulary == second[1].vocabulary == ("group 1", "group 2", "group 3")
    assert not set(first[0].exact(first[1].vocabulary)) & set(second[0].exact(second[1].vocabulary))


@pytest.mark.parametrize(
    "centres", [np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.full((2, 3), np.nan), np.zeros((2, 3), int)]
)
def test_hostile_centres_are_refused(centres: NDArray[Any]) -> None:
    with pytest.raises(ValueError):
        Clusters(centres).check("home", AttributeKind.LOCATION)


def test_hostile_readings_are_refused() -> None:
    encoder, _ = AttributeEncoder.of(vectors(TASTES), 2)
    encoder.check("taste_vector")
    for kind, buckets, clusters in (
        (AttributeKind.VECTOR, np.array([0, 2]), encoder.clusters),
        (AttributeKind.VECTOR, np.array([0]), None),
        (AttributeKind.NUMERIC, np.array([0]), encoder.clusters),
    ):
        with pytest.raises(ValueError):
            AttributeEncoder(kind, np.empty(0), buckets, clusters=clusters).check("taste_vector")
