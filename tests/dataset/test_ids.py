from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.dataset import ids as module
from attrformer.dataset.ids import Ids

names = st.one_of(st.lists(st.text("abß0", max_size=3), unique=True), st.lists(st.integers(-5, 20), unique=True))
asked = st.lists(st.one_of(st.none(), st.text("abß0", max_size=3), st.integers(-5, 20)), max_size=8)


@given(names, asked)
def test_each_way_of_looking_up_gives_the_code(known: list[Any], wanted: list[Any]) -> None:
    kind = pl.Int64 if known and isinstance(known[0], int) else pl.String
    ids = Ids(pl.Series("id", known, dtype=kind))
    series = pl.Series("wanted", [None if value is None else str(value) for value in wanted], dtype=pl.String)
    text = [None if value is None else str(value) for value in known]
    expected = [text.index(value) if value is not None and value in text else -1 for value in series.to_list()]
    very_few = ids.encode(series)
    limits = module.VERY_FEW, module.FEW
    try:
        module.VERY_FEW = 0
        few = ids.encode(series)
        module.FEW = 0
        many = ids.encode(series)
    finally:
        module.VERY_FEW, module.FEW = limits
    assert very_few.tolist() == few.tolist() == many.tolist() == expected
    assert very_few.dtype == few.dtype == many.dtype == np.int32


@pytest.mark.parametrize("values", [["x", "a", "m"], [30, 10, 20]])
def test_codes_and_ids_are_inverse(values: list[Any]) -> None:
    ids = Ids.from_list(values)
    assert ids.decode(ids.encode(values)).to_list() == values
    assert ids.decode(np.array([2, 0, 2])).to_list() == [values[2], values[0], values[2]]
    assert ids.decode(np.empty(0, dtype=np.int64)).to_list() == []
    assert ids.encode([]).tolist() == []
