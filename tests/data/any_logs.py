"""Logs of interactions of every form that a user might bring, for property tests."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import strategies as st

HOSTILE_IDS = ["7", "07", "a", "A", " a", "1.0", "NA", "é", 'q"u', "x,y", "line\nbreak", "-3", "0"]
TEXTS = [
    "red",
    " red",
    "NA",
    "DE",
    "FR",
    "1",
    "2.5",
    "",
    "true",
    "a|b",
    "2020-01-01",
    "['a']",
    "nan",
    "unknown",
    "x\ny",
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log with repeated rows, gaps and columns of several types, and a table of its items."""
    rows = draw(st.integers(1, 25))

    def drawn(values: st.SearchStrategy[Any], kind: Any) -> pl.Series:
        return pl.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=kind)

    def gaps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.none() | values

    numbers = draw(st.booleans())
    texts = st.sampled_from(draw(st.lists(st.sampled_from(HOSTILE_IDS), min_size=1, max_size=5)))
    ids = st.integers(0, 5)
    columns = {
        "user_id": drawn(ids, pl.Int64) if numbers else drawn(texts, pl.String),
        "item_id": drawn(texts, pl.String) if draw(st.booleans()) else drawn(ids, pl.Int32),
    }
    times = {
        "seconds": (st.integers(1_500_000_000, 1_500_000_009), pl.Int64),
        "milliseconds": (st.integers(1_500_000_000_000, 1_500_000_002_000), pl.Int64),
        "fractions": (st.sampled_from([1.5e9, 1.5e9 + 0.25, 1.5e9 + 1]), pl.Float64),
        "counters": (st.integers(0, 5), pl.Int64),
        "text": (st.sampled_from(["2020-01-01", "2020-01-01T00:00:00", "2020-01-02 10:00"]), pl.String),
        "digits": (st.sampled_from([20200101, 20200102, 20210101]), pl.Int64),
    }
    chosen = draw(st.sampled_from([None, *times]))
    if chosen is not None:
        columns["timestamp"] = drawn(*times[chosen])
    some = st.sampled_from(draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4)))
    others = {
        "word": (gaps(some), pl.String),
        "rating": (gaps(st.sampled_from([0.5, 1.0, 4.0])), pl.Float32),
        "count of views": (st.integers(0, 3), pl.Int64),
        "flag": (gaps(st.booleans()), pl.Boolean),
        "row": (st.integers(0, 3), pl.Int64),
        "empty": (st.none(), pl.String),
        "rank": (gaps(st.sampled_from([1.0, -1.0])), pl.Float64),
        "Unnamed: 0": (st.integers(0, 9), pl.Int64),
    }
    for name in draw(st.lists(st.sampled_from(list(others)), unique=True, max_size=4)):
        columns[name] = drawn(*others[name])
    frame = pl.DataFrame(columns)
    frame = pl.concat([frame, frame[: draw(st.integers(0, rows))]])
    items = frame.select(pl.col("item_id").unique().sort()).with_columns(brand=pl.lit("b"))
    return frame, items
