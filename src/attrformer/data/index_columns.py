"""Columns that a frame library wrote beside the data: the index of pandas, the row names of R."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import polars as pl

# No person gives a column such a name.
INDEX_BY_NAME: Final = re.compile(
    r"^(__index_level_\d+__|__null_dask_index__|Unnamed: \d+(_level_\d+)?|\.\.\.\d+|\s*)$"
)
"""Names that frame libraries give to an index."""

# A person might, so the values have to be row numbers as well.
_BY_CONTENT: Final = frozenset(
    {"x", "x1", "index", "level_0", "rownames", "row.names", "row_names", "rowname", "row name", "rowid", "row_id",
     "row", "rownum", "row_num", "row_nr", "row_number", "rn", "#", "_c0", "column1"}
)  # fmt: skip


def without_index(frame: pl.DataFrame, kept: Collection[str] = ()) -> tuple[pl.DataFrame, list[str]]:
    """A table without the columns that number its rows, and a sentence about each.

    Args:
        frame: the table.
        kept: columns that are wanted whatever they hold.
    """
    found = [name for name in frame.columns if name not in kept and _is_index(frame[name])]
    return frame.drop(found), [index_note(name) for name in found]


def _is_index(values: pl.Series) -> bool:
    if INDEX_BY_NAME.match(values.name):
        return True
    return may_number_rows(values.name) and _numbers_rows(values)


def may_number_rows(name: str) -> bool:
    """Whether a column of this name is an index if its values number the rows."""
    return name.strip().lower() in _BY_CONTENT


def index_note(name: str) -> str:
    """What is said of an index."""
    return f"column '{name}' is not used, it is the index that a frame library wrote"


def _numbers_rows(values: pl.Series) -> bool:
    """Whether whole numbers count rows: all of 0 to n-1 or 1 to n in any order, or ascending where rows are missing."""
    if values.dtype == pl.String:
        values = values.cast(pl.Int64, strict=False)
    if values.is_empty() or values.null_count() or not values.dtype.is_integer():
        return False
    first, last = int(values.min()), int(values.max())  # type: ignore[arg-type]
    if first < 0 or values.n_unique() < len(values):
        return False
    return (first in (0, 1) and last == first + len(values) - 1) or bool(values.is_sorted())
