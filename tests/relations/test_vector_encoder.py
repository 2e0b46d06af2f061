from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from tests.relations.builders import categorical
from tests.support.vector_shop import vector_attribute

from attrformer.data.attributes import AttributeKind
from attrformer.errors import DataError
from attrformer.relations.config import RelationsConfig
from attrformer.relations.encoders import ENCODERS, encoder_for, encoder_named
from attrformer.relations.vector_encoder import PlainVectors, principal_components

NAN = float("nan")
NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32) | st.just(NAN)


def fitted(vectors: Any, dimensions: int = 64) -> tuple[PlainVectors, NDArray[np.float32]]:
    attribute = vector_attribute(np.array(vectors, dtype=np.float32))
    encoder = PlainVectors.fit(attribute, RelationsConfig(vector_dimensions=dimensions))
    return encoder, encoder.encode(attribute)


def test_vectors_lose_the_mean_direction_and_their_length() -> None:
    encoder, found = fitted([[3.0, 0.0], [0.0, 5.0]])
    np.testing.assert_allclose(encoder.mean, [0.5, 0.5])
    np.testing.assert_allclose(found, np.array([[1, -1], [-1, 1]]) / np.sqrt(2), atol=1e-6)
    assert found.dtype == np.float32 and encoder.width == 2


@pytest.mark.parametrize("missing", [[NAN, NAN], [NAN, 1.0], [np.inf, 1.0], [0.0, 0.0]])
def test_a_vector_that_is_missing_or_has_no_direction_becomes_zeros(missing: list[float]) -> None:
    encoder, found = fitted([[1.0, 0.0], missing, [0.0, 1.0]])
    assert not found[1].any()
    np.testing.assert_allclose(encoder.mean, [0.5, 0.5])


def test_numbers_near_the_limits_of_their_type_keep_their_direction() -> None:
    plain = fitted([[3.0, 4.0], [1.0, 0.0], [0.0, 1.0]])[1]
    for factor in (1e-30, 1e37):
        scaled = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 1.0]], np.float32) * np.float32(factor)
        np.testing.assert_allclose(fitted(scaled)[1], plain, atol=1e-5)


def test_no_known_vector_at_all_is_encoded_as_zeros() -> None:
    encoder, found = fitted([[NAN, NAN], [NAN, NAN]])
    assert not found.any() and found.shape == (2, 2) and encoder.width == 2
    assert fitted(np.zeros((3, 0)))[1].shape == (3, 0)


def test_wide_vectors_keep_the_components_with_the_largest_variance() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 30)) + 1e-3 * rng.normal(size=(200, 30)) + 3.0
    encoder, found = fitted(vectors, dimensions=4)
    assert encoder.components.shape == (4, 30) and found.shape == (200, 4)
    np.testing.assert_allclose(encoder.components @ encoder.components.T, np.eye(4), atol=1e-5)
    whole = fitted(vectors)[1]
    # What is left out is the noise, so that cosines stay what they were.
    np.testing.assert_allclose(found @ found.T, whole @ whole.T, atol=0.02)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    rng = np.random.default_rng(1)
    centred = rng.normal(size=(50, 8)) * np.arange(8, 0, -1)
    centred -= centred.mean(0)
    found = principal_components(centred.astype(np.float32), 3)
    right = np.linalg.svd(centred, full_matrices=False)[2][:3]
    np.testing.assert_allclose(np.abs((found * right).sum(1)), 1.0, atol=1e-5)
    assert (np.take_along_axis(found, np.abs(found).argmax(1)[:, None], 1) > 0).all()


def test_directions_without_variance_are_left_out() -> None:
    vectors = np.zeros((20, 10), np.float32)
    vectors[:, :2] = np.random.default_rng(0).normal(size=(20, 2))
    assert fitted(vectors, dimensions=5)[0].components.shape == (2, 10)


def test_equal_vectors_relate_to_nothing() -> None:
    assert not fitted(np.ones((5, 3)))[1].any()
    assert not fitted(np.ones((5, 30)), dimensions=3)[1].any()


@given(
    arrays(np.float32, (7, 5), elements=st.floats(-(2.0**99), 2.0**99, width=32) | st.just(NAN)),
    st.sampled_from([2, 64]),
)
def test_rows_have_length_one_or_zero_whatever_they_hold(vectors: NDArray[np.float32], dimensions: int) -> None:
    encoder, found = fitted(vectors, dimensions)
    length = np.linalg.norm(found, axis=1)
    assert np.isfinite(found).all() and found.shape == (7, encoder.width)
    assert ((np.abs(length - 1) < 1e-4) | (length == 0)).all()
    encoder.check("picture")


@given(st.integers(0, 99), st.sampled_from([3, 64]))
def test_an_encoder_that_was_stored_encodes_alike(seed: int, dimensions: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(12, 6)).astype(np.float32)
    encoder, found = fitted(vectors, dimensions)
    stored, described = encoder.to_arrays()
    again = encoder_named(encoder.kind).from_arrays(stored, json.loads(json.dumps(described)))
    np.testing.assert_array_equal(again.encode(vector_attribute(vectors)), found)
    assert again.axes == encoder.axes and len(encoder.axes) == encoder.width


def test_later_rows_are_encoded_as_those_of_training() -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
    encoder, found = fitted(vectors, 3)
    np.testing.assert_allclose(encoder.encode(vector_attribute(vectors[4:6])), found[4:6], atol=1e-6)


def test_vectors_of_another_length_are_refused() -> None:
    encoder = fitted(np.eye(3))[0]
    with pytest.raises(DataError, match="the vectors have 2 numbers, and those of training have 3"):
        encoder.encode(vector_attribute(np.eye(2, dtype=np.float32)))


def test_a_table_in_which_every_vector_is_missing_has_no_length_to_compare() -> None:
    encoder = fitted(np.eye(3))[0]
    nothing = replace(vector_attribute(np.zeros((2, 0), np.float32)))
    np.testing.assert_array_equal(encoder.encode(nothing), np.zeros((2, 3)))


def test_axes_of_components_are_named_after_them() -> None:
    rng = np.random.default_rng(0)
    first, second = (fitted(rng.normal(size=(12, 6)), 3)[0].axes for _ in range(2))
    assert not set(first) & set(second)
    assert fitted(np.eye(3))[0].axes == ("0 of 3", "1 of 3", "2 of 3")


def test_every_encoder_has_a_name_and_a_kind_of_its_own() -> None:
    assert len({encoder.kind for encoder in ENCODERS}) == len(ENCODERS)
    assert {encoder.reads for encoder in ENCODERS} == {AttributeKind.VECTOR, AttributeKind.TEXT}
    assert encoder_for(vector_attribute(np.eye(3))) is PlainVectors
    assert encoder_for(categorical("brand", ["a"])) is None
    with pytest.raises(KeyError, match="nonsense"):
        encoder_named("nonsense")


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": np.full(4, NAN, np.float32)},
        {"mean": np.full(4, 9.0, np.float32)},
        {"mean": np.zeros(4, np.int64)},
        {"mean": np.zeros((2, 2), np.float32)},
        {"components": np.zeros((2, 3), np.float32)},
        {"components": np.full((2, 4), np.inf, np.float32)},
    ],
)
def test_arrays_that_no_encoder_has_are_refused(wrong: dict[str, Any]) -> None:
    encoder = PlainVectors(np.zeros(4, np.float32), np.empty((0, 4), np.float32))
    encoder.check("picture")
    with pytest.raises(ValueError, match="picture"):
        replace(encoder, **wrong).check("picture")
