from __future__ import annotations

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.attributes import AttributeKind
from attrformer.data.tables import Table
from attrformer.errors import DataError, UnknownIdError
from attrformer.recommender.profiles import read_profiles
from attrformer.recommender.unknown import OnUnknown
from attrformer.relations.row_table import RowRelation
from attrformer.relations.user_attribute import UserAttributeRelation, user_values

REFUSE, SKIP = OnUnknown("raise"), OnUnknown("skip")


def relation(values: list[object], kind: AttributeKind, buckets: int = 4) -> UserAttributeRelation:
    """The relation that training makes of these values of users 0, 1, ..."""
    table = Table(pl.DataFrame({"a": values}), "users")
    attribute = attribute_from_column(table, "a", kind, np.arange(len(values), dtype=np.int32), len(values))
    codes, labels, encoder = user_values(attribute, buckets)
    return UserAttributeRelation(codes, labels, RowRelation("a", len(labels), 0, 1), encoder)


def codes(known: UserAttributeRelation, values: list[object], unknown: OnUnknown = REFUSE) -> list[int]:
    mapping = {f"u{n}": {"a": value} for n, value in enumerate(values)}
    return read_profiles({"a": known}, mapping, unknown).codes["a"].tolist()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["b", "a", None, "b", "c"], AttributeKind.CATEGORICAL),
        ([3, 1, None, 3], AttributeKind.CATEGORICAL),
        ([True, False, None], AttributeKind.CATEGORICAL),
        ([["x", "y"], ["z"], [], None], AttributeKind.MULTI),
        (["x|y", "z", None], AttributeKind.MULTI),
        ([1.5, 2.5, 30.0, 4.25, None, 17.0], AttributeKind.NUMERIC),
        ([datetime(2020, 1, day) for day in range(1, 20)], AttributeKind.TIME),
    ],
)
def test_given_values_are_read_as_in_training(values: list[object], kind: AttributeKind) -> None:
    known = relation(values, kind)
    assert codes(known, values) == known.codes.tolist()
    frame = pl.DataFrame({"user_id": range(len(values)), "a": values})
    assert read_profiles({"a": known}, frame, REFUSE).codes["a"].tolist() == known.codes.tolist()


def test_numbers_fall_into_the_buckets_of_training() -> None:
    known = relation([float(n) for n in range(100)], AttributeKind.NUMERIC)
    assert known.encoder is not None
    edge = float(known.encoder.edges[0])
    assert codes(known, [-1e9, edge, np.nextafter(edge, 0), 1e9, "12", None]) == [0, 1, 0, 3, 0, 4]
    with pytest.raises(DataError, match="'old' is not a number"):
        codes(known, [1.0, "old"])


def test_dates_are_read_as_times() -> None:
    known = relation([datetime(2020, month, 1) for month in range(1, 13)], AttributeKind.TIME)
    assert codes(known, [date(2020, 1, 5), date(2020, 12, 31)]) == [0, 3]
    assert codes(known, ["2020-01-05", "2020-12-31"]) == [0, 3]


def test_unseen_values_count_as_not_known_where_they_are_skipped() -> None:
    known = relation(["a", "b"], AttributeKind.CATEGORICAL)
    assert codes(known, ["c", "b", ""], SKIP) == [2, 1, 2]
    with pytest.raises(UnknownIdError, match=r"'a': 'c' not among the values of this model \(a, b\)"):
        codes(known, ["c"])


def test_what_is_not_mentioned_is_not_given() -> None:
    known = relation(["a", "b"], AttributeKind.CATEGORICAL)
    profiles = read_profiles({"a": known}, {"x": {"a": "b"}, "y": {}, "z": {"a": None}}, REFUSE)
    assert profiles.names.to_list() == ["x", "y", "z"]
    assert profiles.given["a"].tolist() == [True, False, True]
    assert profiles.codes["a"].tolist() == [1, 2, 2]


def test_values_of_several_types_are_read_as_text() -> None:
    known = relation(["1", "x"], AttributeKind.CATEGORICAL)
    assert codes(known, [1, "x", ["x", "1"], ("x",)]) == [0, 1, 0, 1]
