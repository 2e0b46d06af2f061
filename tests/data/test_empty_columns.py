"""A column without a value is read as any declared kind, whatever type its library gives to nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.attributes import AttributeKind
from attrformer.data.tables import open_table

NOTHING = {
    "pandas, numbers": pd.DataFrame({"a": [float("nan"), float("nan")]}),
    "pandas, times": pd.DataFrame({"a": [pd.NaT, pd.NaT]}),
    "pandas, objects": pd.DataFrame({"a": [None, None]}),
    "polars, no type": pl.DataFrame({"a": [None, None]}),
    "polars, whole numbers": pl.DataFrame({"a": [None, None]}, schema={"a": pl.Int64}),
}


KINDS = [kind for kind in AttributeKind if kind not in (AttributeKind.NUMERIC, AttributeKind.TIME)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frame", NOTHING.values(), ids=NOTHING)
def test_nothing_is_missing_as_any_kind(frame: Any, kind: AttributeKind) -> None:
    read = attribute_from_column(open_table(frame, "items", {}), "a", kind, np.array([0, 1], np.int32), 2)
    assert read.kind is kind
    assert not read.known.any()
