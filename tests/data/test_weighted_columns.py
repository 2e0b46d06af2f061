"""Tags with scores, in whatever form they come."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import Attribute, Dataset
from attrformer.errors import DataError


def read(values: Any, separator: str = "") -> Attribute:
    """The attribute of items 0, 1, ... with these values."""
    count = len(values)
    log = pl.DataFrame({"user_id": range(count), "item_id": range(count)})
    items: Any = pl.DataFrame({"item_id": range(count)})
    if isinstance(values, pa.Array):
        items = items.to_arrow().append_column("tags", values)
    else:
        items = items.with_columns(pl.Series("tags", values))
    separators = {"tags": separator} if separator else {}
    return Dataset.from_frames(log, items, kinds={"tags": "weighted"}, separators=separators).item_attributes["tags"]


def scores_of(attribute: Attribute) -> list[dict[str, float]]:
    """The tags of each item with their scores."""
    bounds = attribute.offsets.tolist()
    return [
        {attribute.vocabulary[attribute.codes[place]]: float(attribute.weights[place]) for place in range(start, end)}
        for start, end in pairwise(bounds)
    ]


SCORES = [{"calm": 0.5, "loud": 2.0}, {"loud": 1.0}, {}]


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        ([[{"tag": "calm", "score": 0.5}, {"tag": "loud", "score": 2.0}], [{"tag": "loud", "score": 1.0}], []], ""),
        (
            [[{"score": 0.5, "name": "calm"}, {"score": 2.0, "name": "loud"}], [{"score": 1.0, "name": "loud"}], None],
            "",
        ),
        ([{"calm": 0.5, "loud": 2.0}, {"calm": None, "loud": 1.0}, None], ""),
        (['{"calm": 0.5, "loud": 2}', "{'loud': 1.0}", "{}"], ""),
        (["calm:0.5|loud:2", " loud : 1 ", ""], ""),
        (["calm:0.5; loud:2", "loud:1", None], ";"),
        (["[('calm', 0.5), ('loud', 2)]", '[["loud", 1]]', "[]"], ""),
        (['[{"tag": "calm", "score": 0.5}, {"tag": "loud", "score": 2}]', "[{'tag': 'loud', 'score': 1}]", "[]"], ""),
        (pa.array([[("calm", 0.5), ("loud", 2.0)], [("loud", 1.0)], None], pa.map_(pa.string(), pa.float32())), ""),
    ],
)
def test_all_forms_of_the_same_scores_are_read_alike(values: Any, separator: str) -> None:
    found = read(values, separator)
    assert found.vocabulary == ("calm", "loud") and found.weights.dtype == np.float32
    assert scores_of(found) == SCORES


def test_scores_of_a_tag_that_is_there_twice_are_added_up_and_zero_is_no_tag() -> None:
    found = read(["a:0.5|b:0|a:0.25", "b:1|c:0"])
    assert found.vocabulary == ("a", "b") and scores_of(found) == [{"a": 0.75}, {"b": 1.0}]


def test_numbers_are_tags_and_the_last_number_is_the_score() -> None:
    assert scores_of(read([[{"tag": 7, "score": 0.5}], [{"tag": 12, "score": 1.5}]])) == [{"7": 0.5}, {"12": 1.5}]


@pytest.mark.parametrize(
    ("values", "row", "said"),
    [
        (["a:1", "a:-0.5"], 1, "the score of 'a' is -0.5"),
        ([[{"tag": "a", "score": 1.0}], [{"tag": "b", "score": float("inf")}]], 1, "the score of 'b' is inf"),
        ([{"a": 1.0}, {"a": 1e40}], 1, r"the score of 'a' is 1e\+40"),
        (["a:1", "a"], 1, "'a' is no list of tags with scores"),
        (["a:1", "a:x"], 1, "'a:x' is no list of tags with scores"),
        (['{"a": 1}', '{"a": "x"}'], 1, "the score of 'a' is 'x', which is no number"),
        ([[1.0], [2.0]], None, r"values of type List\(Float64\) are no tags with scores"),
        ([[{"a": 1, "b": 2, "c": 3}], None], None, "its mappings hold a, b, c, not a tag and a score"),
        ([{"a": "x"}, {"a": "y"}], None, "the scores of 'a' are no numbers"),
    ],
)
def test_what_is_no_score_is_refused_with_its_row(values: Any, row: int | None, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(values)
    assert (caught.value.column, caught.value.row) == ("tags", row)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100, width=16)), max_size=5), min_size=1, max_size=6
    )
)
def test_scores_are_added_up_as_a_dictionary_does(rows: list[list[tuple[str, float]]]) -> None:
    expected: list[dict[str, float]] = []
    for pairs in rows:
        summed: dict[str, float] = {}
        for tag, score in sorted(pairs, key=lambda pair: pair[1]):
            if score:
                summed[tag] = float(np.float32(summed.get(tag, 0.0)) + np.float32(score))
        expected.append(dict(sorted(summed.items())))
    found = scores_of(read(["|".join(f"{tag}:{score}" for tag, score in pairs) for pairs in rows]))
    assert [list(row) for row in found] == [list(row) for row in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-6)
