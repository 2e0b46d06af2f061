from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data import id_map as module
from attrformer.data.id_map import IdMap

names = st.one_of(st.lists(st.text("abß0", max_size=3), unique=True), st.lists(st.integers(-5, 20), unique=True))
asked = st.lists(st.one_of(st.none(), st.text("abß0", max_size=3), st.integers(-5, 20)), max_size=8)


@given(names, asked)
def test_each_way_of_looking_up_gives_the_code(known: list[Any], wanted: list[Any]) -> None:
    kind = pl.Int64 if known and isinstance(known[0], int) else pl.String
    ids = IdMap(pl.Series("id", known, dtype=kind))
    series = pl.Series("wanted", [None if value is None else str(value) for value in wanted], dtype=pl.String)
    text = [None if value is None else str(value) for value in known]
    expected = [text.index(value) if value is not None and value in text else -1 for value in series.to_list()]
    named = ids.encode(series)
    limits = module.SMALL, module.VERY_FEW, module.FEW, module._SPREAD
    try:
        module.SMALL = -1
        very_few = ids.encode(series)
        module.VERY_FEW = 0
        few = ids.encode(series)
        module.FEW = 0
        many = ids.encode(series)
        module._SPREAD = 0
        joined = IdMap(pl.Series("id", known, dtype=kind)).encode(series)
    finally:
        module.SMALL, module.VERY_FEW, module.FEW, module._SPREAD = limits
    assert named.tolist() == very_few.tolist() == few.tolist() == many.tolist() == joined.tolist() == expected
    assert named.dtype == very_few.dtype == few.dtype == many.dtype == joined.dtype == np.int32


@pytest.mark.parametrize("low", [-(2**63), -3, 0, 2**63 - 3000])
def test_numbers_near_the_ends_of_their_range_are_found(low: int) -> None:
    known = [low + 2 * step for step in range(1200)]
    wanted = [None, -(2**63), 2**63 - 1, 0, low + 1, *known]
    expected = [-1, 0 if low == -(2**63) else -1, -1, known.index(0) if 0 in known else -1, -1, *range(1200)]
    assert IdMap(pl.Series(known)).encode(pl.Series(wanted, dtype=pl.Int64)).tolist() == expected


@pytest.mark.parametrize("values", [["x", "a", "m"], [30, 10, 20]])
def test_codes_and_ids_are_inverse(values: list[Any]) -> None:
    ids = IdMap.from_list(values)
    assert ids.decode(ids.encode(values)).to_list() == values
    assert ids.decode(np.array([2, 0, 2])).to_list() == [values[2], values[0], values[2]]
    assert ids.decode(np.empty(0, dtype=np.int64)).to_list() == []
    assert ids.encode([]).tolist() == []


@pytest.mark.parametrize("value", [1, 1.0, np.int8(1), np.uint64(1), np.float32(1), Decimal("1"), Decimal("1.0"), "1"])
def test_ways_of_writing_a_whole_number_are_that_id(value: Any) -> None:
    assert IdMap(pl.Series("id", [7, 1])).encode([value]).tolist() == [1]


@pytest.mark.parametrize(
    "value",
    [
        *(1.7, "01", "+1", "1 ", " 1", "1.0", "1e0", "\uff11", True, np.bool_(True), b"1", Decimal("1.7"), None),
        *(float("nan"), float("inf"), 2**63, 2**70, date(1970, 1, 2), timedelta(1), [1]),
    ],
)
def test_what_only_resembles_a_whole_number_is_unknown(value: Any) -> None:
    ids = IdMap(pl.Series("id", [0, 1, 86_400_000_000]))
    assert ids.encode([value]).tolist() == [-1]
    # The same for many at a time, which are joined.
    assert (ids.encode([value] * (module.FEW + 1)) == -1).all()


@pytest.mark.parametrize("value", [1.0, True, b"1", Decimal("1"), date(1970, 1, 1)])
def test_text_ids_are_text_or_whole_numbers(value: Any) -> None:
    ids = IdMap(pl.Series("id", ["1", "true", "1.0", "1970-01-01", "01"]))
    assert ids.encode([value]).tolist() == [-1]
    assert ids.encode([1]).tolist() == ids.encode(pl.Series(["1"], dtype=pl.Categorical)).tolist() == [0]
