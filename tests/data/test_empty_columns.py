"""Columns without a value: read as any declared kind, and not read where their kind is to be found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.attributes import AttributeKind
from attrformer.data.prepare_tables import prepare_tables
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


@pytest.mark.parametrize("values", [["", None], ["", " "], ["NA", ""]])
def test_texts_without_a_value_are_no_behaviour_attribute_however_they_come(
    values: list[str | None], tmp_path: Path
) -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "colour": values})
    (tmp_path / "log").mkdir()
    log.write_csv(tmp_path / "log" / "interactions.csv")
    prepare_tables(tmp_path / "log", tmp_path / "prepared")
    for found in (Dataset.from_frames(log), Dataset.load(tmp_path / "log"), Dataset.load(tmp_path / "prepared")):
        assert not found.sequences.behaviours
        assert any("column 'colour' is not used, it is empty" in note for note in found.notes)
