from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.builders import categorical, multi, numeric

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.item_attribute import item_attribute_relation

NAN = float("nan")


def values_of(attribute: Attribute, encoder: AttributeEncoder, labels: tuple[str, ...]) -> list[list[str]]:
    owner, codes = encoder.codes(attribute, labels)
    return [[labels[code] for code in codes[owner == row]] for row in range(len(attribute))]


def test_texts_are_known_by_their_label() -> None:
    encoder, same = AttributeEncoder.of(multi("tags", [["a", "b"], ["c"]]), 4)
    assert same.vocabulary == ("a", "b", "c")
    kept = encoder.keeping(np.array([0, 2]))
    later = multi("tags", [["c", "z"], [], ["b"], ["a", "c"]])
    assert kept.exact(("a", "c")) == ("a", "c")
    assert values_of(later, kept, ("a", "c")) == [["c"], [], [], ["a", "c"]]


def test_a_table_without_any_value_says_nothing() -> None:
    encoder, _ = AttributeEncoder.of(categorical("brand", ["x", "x"]), 4)
    assert values_of(categorical("brand", [None, None]), encoder, ("x",)) == [[], []]


@pytest.mark.slow
@given(st.lists(st.floats(-1e9, 2e9) | st.just(NAN), min_size=2, max_size=30), st.integers(2, 8))
def test_numbers_that_were_there_in_training_get_the_bucket_they_had(numbers: list[float], buckets: int) -> None:
    attribute = numeric("price", numbers)
    encoder, cut = AttributeEncoder.of(attribute, buckets)
    owner, codes = encoder.codes(attribute, cut.vocabulary)
    np.testing.assert_array_equal(codes, cut.codes)
    np.testing.assert_array_equal(owner, np.flatnonzero(~np.isnan(numbers)))


def test_buckets_that_are_no_relation_are_left_out() -> None:
    # Four buckets: one item below 2, one below 3, one below 4 and two from there on, which alone is shared.
    relation = item_attribute_relation(numeric("year", [1, 2, 3, 4, 4]), buckets=4, max_values=10)
    assert relation is not None and relation.encoder is not None
    assert (relation.encoder.kind, len(relation.labels)) == (AttributeKind.NUMERIC, 1)
    owner, codes = relation.encoder.codes(numeric("year", [0, 9, NAN, 4]), relation.labels)
    assert (owner.tolist(), codes.tolist()) == ([1, 3], [0, 0])


def test_times_closer_than_a_label_can_say() -> None:
    start = 1_400_000_000.0
    seconds = [start + 50 * step for step in range(5) for _ in range(2)]
    attribute = Attribute(
        "when", AttributeKind.TIME, np.zeros(11, np.int64), np.empty(0, np.int32), (), np.array(seconds)
    )
    relation = item_attribute_relation(attribute, buckets=5, max_values=10)
    assert relation is not None and relation.encoder is not None
    assert len(set(relation.labels)) < len(relation.labels)
    later = Attribute(
        "when", AttributeKind.TIME, np.zeros(3, np.int64), np.empty(0, np.int32), (), np.array([start, start + 50, NAN])
    )
    owner, codes = relation.encoder.codes(later, relation.labels)
    assert owner.tolist() == [0, 1]
    assert codes.tolist() == [int(relation.codes[0, 0]), int(relation.codes[2, 0])]
    assert codes[0] != codes[1]
    assert len(set(relation.encoder.exact(relation.labels))) == len(relation.labels) == 5


@pytest.mark.parametrize("kind", list(AttributeKind))
def test_the_kind_is_kept(kind: AttributeKind) -> None:
    numbers = np.array([1.0, 2.0]) if kind in (AttributeKind.NUMERIC, AttributeKind.TIME) else np.empty(0)
    offsets = np.zeros(3, dtype=np.int64)
    assert AttributeEncoder.of(Attribute("x", kind, offsets, np.empty(0, np.int32), (), numbers), 2)[0].kind is kind


@pytest.mark.parametrize("separator", ["", ", ", " ", "|"])
def test_the_separator_of_training_goes_with_the_reading(separator: str) -> None:
    attribute = replace(multi("tags", [["a", "b"], ["c"]]), separator=separator)
    encoder, _ = AttributeEncoder.of(attribute, 4)
    again = AttributeEncoder.from_described(encoder.described, encoder.edges, encoder.buckets)
    assert (again.kind, again.separator) == (AttributeKind.MULTI, separator)
