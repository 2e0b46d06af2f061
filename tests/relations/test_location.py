from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import NONE, dataset, relations_of, sequences

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError
from attrformer.relations.base import NewItems
from attrformer.relations.config import RelationsConfig
from attrformer.relations.location import LEAST_SCALE, LocationRelation, location_relation, typical_distance
from attrformer.relations.sphere import EARTH_RADIUS, degrees, unit_vectors

MISSING = (math.nan, math.nan)
PARIS, LONDON, VERSAILLES, SYDNEY = (48.8566, 2.3522), (51.5074, -0.1278), (48.8049, 2.1204), (-33.8688, 151.2093)
CITIES = (PARIS, LONDON, MISSING, VERSAILLES, SYDNEY)
PLACES = st.lists(
    st.tuples(st.floats(-90, 90, width=32), st.floats(-180, 180, width=32)) | st.just(MISSING) | st.just(PARIS),
    min_size=1,
    max_size=12,
)


def places(*coordinates: tuple[float, float]) -> Attribute:
    offsets = np.zeros(len(coordinates) + 1, dtype=np.int64)
    vectors = np.array(coordinates, dtype=np.float32).reshape(-1, 2)
    return Attribute("place", AttributeKind.LOCATION, offsets, np.empty(0, np.int32), (), np.empty(0), vectors=vectors)


def related(
    *coordinates: tuple[float, float], scale: float | None = 100.0, top_k: int | None = None
) -> LocationRelation:
    relation = location_relation(places(*coordinates), scale, top_k)
    assert relation is not None
    return relation


def haversine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Kilometres, as textbooks write it."""
    (north, east), (north2, east2) = np.radians(one.astype(float)), np.radians(other.astype(float))
    a = math.sin((north2 - north) / 2) ** 2
    a += math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(a, 1.0)))


def plain_rows(relation: LocationRelation) -> NDArray[np.float64]:
    points = relation.coordinates
    rows = np.zeros((len(points), len(points)))
    for one, other in np.ndindex(rows.shape):
        if one != other and not np.isnan(points[[one, other]]).any():
            rows[one, other] = math.exp(-haversine(points[one], points[other]) / relation.scale)
    return rows


def rows_of(relation: LocationRelation) -> NDArray[np.float32]:
    return np.array([relation.row(item) for item in range(relation.keys)])


def with_more(relation: LocationRelation, *coordinates: tuple[float, float]) -> LocationRelation:
    known, new = (
        IdMap.from_list([f"{kind}{n}" for n in range(count)])
        for kind, count in (("i", relation.keys), ("n", len(coordinates)))
    )
    return relation.with_items(NewItems(known, new, {"place": places(*coordinates)}))


def test_known_distances() -> None:
    relation = related(*CITIES)
    far = relation.distances(np.array([0, 0, 0, 0, 2]), np.array([1, 3, 4, 0, 0]))
    np.testing.assert_allclose(far[:4], [343.6, 17.9, 16_960, 0], rtol=0.01, atol=1e-6)
    assert math.isnan(far[4])


@pytest.mark.parametrize(
    ("one", "other", "kilometres"),
    [
        ((0.0, 179.5), (0.0, -179.5), 111.195),
        ((0.0, 180.0), (0.0, -180.0), 0.0),
        ((89.9, 0.0), (89.9, 180.0), 22.239),
        ((90.0, 12.0), (90.0, -100.0), 0.0),
        ((-90.0, 0.0), (90.0, 0.0), math.pi * EARTH_RADIUS),
        ((0.0, 0.0), (0.0, 180.0), math.pi * EARTH_RADIUS),
    ],
)
def test_poles_and_the_date_line(one: tuple[float, float], other: tuple[float, float], kilometres: float) -> None:
    relation = related(one, other, PARIS)
    assert relation.distances(np.array([0]), np.array([1]))[0] == pytest.approx(kilometres, rel=1e-4, abs=1e-3)
    assert relation.row(0)[1] == pytest.approx(math.exp(-kilometres / 100), rel=1e-4)


def test_rows_by_hand() -> None:
    rows = rows_of(related(*CITIES))
    assert rows[0, 3] == pytest.approx(math.exp(-0.179), rel=0.01)
    assert rows[0, 1] == pytest.approx(math.exp(-3.436), rel=0.01)
    assert not rows[2].any() and not rows[:, 2].any() and not rows.diagonal().any()


@pytest.mark.slow
@settings(deadline=None)
@given(PLACES, st.floats(0.1, 10_000))
def test_whole_rows_are_the_haversine_kernel(coordinates: list[tuple[float, float]], scale: float) -> None:
    relation = location_relation(places(*coordinates), scale, None)
    if relation is None:
        assert len({tuple(np.float32(each)) for each in coordinates if not math.isnan(each[0])}) < 2
        return
    relation.check(len(coordinates), 0)
    # Near the antipodes both formulas lose digits.
    np.testing.assert_allclose(rows_of(relation), plain_rows(relation), rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@settings(deadline=None)
@given(PLACES, st.integers(1, 6))
def test_short_rows_keep_the_nearest(coordinates: list[tuple[float, float]], top_k: int) -> None:
    relation = location_relation(places(*coordinates), 5000.0, top_k)
    if relation is None:
        return
    relation.check(len(coordinates), 0)
    found, whole = rows_of(relation), rows_of(related(*coordinates, scale=5000.0))
    kept = min(top_k, len(coordinates))
    for mine, all_of in zip(found, whole, strict=True):
        wanted = np.sort(all_of)[::-1][:kept]
        np.testing.assert_allclose(np.sort(mine)[::-1][:kept], wanted, rtol=1e-5)
        there = mine > 0
        np.testing.assert_allclose(mine[there], all_of[there], rtol=1e-5)
    assert relation.indices is not None and (np.diff(relation.indices, axis=1) >= 0).all()


def test_more_items_in_one_place_than_are_kept() -> None:
    rows = rows_of(related(*[PARIS] * 8, LONDON, top_k=3))
    assert (rows > 0).sum(1).tolist() == [3] * 9 and not rows.diagonal().any()
    assert (rows[:8].sum(1) == 3).all()


@pytest.mark.parametrize("coordinates", [(), (MISSING, MISSING), (PARIS, PARIS), (PARIS, MISSING)])
def test_without_two_places_there_is_no_relation(coordinates: tuple[tuple[float, float], ...]) -> None:
    assert location_relation(places(*coordinates), None, None) is None


def test_the_scale_is_the_distance_to_the_tenth_neighbour() -> None:
    # Twelve places on the equator, a degree apart: the tenth neighbours are 5 to 11 degrees away.
    line = np.array([(0.0, float(degree)) for degree in range(12)], dtype=np.float32)
    tenth = [sorted(abs(one - other) for other in range(12))[10] for one in range(12)]
    degree = math.pi / 180 * EARTH_RADIUS
    assert typical_distance(line) == pytest.approx(float(np.median(tenth)) * degree, rel=1e-6)
    assert typical_distance(line[:3]) == pytest.approx(2 * degree, rel=1e-6)
    close = np.array([(0.0, 0.0), (0.0, 1e-9)], dtype=np.float32)
    assert typical_distance(close) == LEAST_SCALE


@pytest.mark.parametrize("top_k", [None, 4])
def test_new_items_are_related_both_ways(top_k: int | None) -> None:
    before = related(*CITIES, top_k=top_k)
    after = with_more(before, (48.86, 2.36), MISSING)
    after.check(7, 0)
    rows = rows_of(after)
    np.testing.assert_allclose(rows, plain_rows(after), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(rows[:5, :5], rows_of(before))
    assert rows[5, 0] == rows[0, 5] > 0.98 and not rows[6].any()
    assert after.scale == before.scale


@pytest.mark.parametrize("top_k", [None, 2])
def test_saved_and_read_again(top_k: int | None) -> None:
    relation = related(*CITIES, top_k=top_k)
    arrays, described = relation.to_arrays()
    again = LocationRelation.from_arrays(relation.name, arrays, described)
    again.check(5, 0)
    assert rows_of(again).tobytes() == rows_of(relation).tobytes()
    assert rows_of(with_more(again, PARIS)).tobytes() == rows_of(with_more(relation, PARIS)).tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"coordinates": np.zeros((4, 2), np.float32)},
        {"coordinates": np.zeros((5, 3), np.float32)},
        {"coordinates": np.full((5, 2), np.inf, np.float32)},
        {"coordinates": np.zeros((5, 2), np.int64)},
        {"scale": 0.0},
        {"scale": math.nan},
        {"scale": "far"},
        {"dense": np.zeros((5, 4), np.float32)},
    ],
)
def test_hostile_arrays_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(related(*CITIES), **changes).check(5, 0)


def test_built_where_options_ask_for_it() -> None:
    data = dataset(sequences([[0, 1, 3]]), 5, item_attributes={"place": places(*CITIES)})
    relations = relations_of(data, NONE, item_attributes=None, location_scale_km=50.0)
    assert list(relations) == ["item_place"]
    relation = relations["item_place"]
    assert isinstance(relation, LocationRelation)
    assert (relation.scale, relation.source, list(relation.item_columns)) == (50.0, "place", ["place"])
    assert "item_place" not in relations_of(data, NONE)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_no_distance_is_refused(scale: float) -> None:
    with pytest.raises(ConfigurationError, match="location_scale_km"):
        RelationsConfig(location_scale_km=scale)


@given(st.floats(-89.9, 89.9), st.floats(-179.9, 179.9))
def test_degrees_there_and_back(latitude: float, longitude: float) -> None:
    place = np.array([[latitude, longitude]])
    np.testing.assert_allclose(degrees(unit_vectors(place) * 3), place, atol=1e-6)
