"""Ids that are counted part by part, beside a plain count."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data.prepared.counting import COUNT, IdCounts

CLOSE = st.integers(-5, 5)
FAR = st.sampled_from([0, 1, 2**62, -(2**62), 10**9])
PARTS = st.lists(st.lists(CLOSE | FAR, max_size=8), max_size=6)


def counted(parts: list[pl.Series]) -> IdCounts:
    counts = IdCounts()
    for part in parts:
        counts.add(part)
    return counts


@settings(max_examples=100, deadline=None)
@given(parts=PARTS | st.lists(st.lists(CLOSE, max_size=8), max_size=6), cut=st.integers(0, 6))
def test_whole_numbers_are_counted(parts: list[list[int]], cut: int) -> None:
    series = [pl.Series(part, dtype=pl.Int64) for part in parts]
    plain = Counter(number for part in parts for number in part)
    table = counted(series).table()
    assert table.schema == {"id": pl.Int64, COUNT: pl.Int64}
    assert dict(table.iter_rows()) == plain and len(table) == len(plain)
    together = IdCounts()
    for some in (series[:cut], series[cut:]):
        sums = counted(some).table()
        together.add(sums["id"], sums[COUNT].cast(pl.UInt32))
    assert dict(together.table().iter_rows()) == plain


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8), min_size=1, max_size=6))
def test_texts_stand_in_the_order_in_which_they_come(parts: list[list[str]]) -> None:
    texts = [text for part in parts for text in part]
    table = counted([pl.Series(part, dtype=pl.String) for part in parts]).table()
    assert table["id"].to_list() == list(dict.fromkeys(texts))
    assert dict(table.iter_rows()) == Counter(texts)


@pytest.mark.parametrize("texts_first", [True, False])
def test_numbers_become_texts_where_others_are(texts_first: bool) -> None:
    parts = [pl.Series(["x9", "1"]), pl.Series([1, 2]), pl.Series([10**12, 1]), pl.Series(["b", "x9"])]
    table = counted(parts if texts_first else parts[::-1]).table()
    assert dict(table.iter_rows()) == {"1": 3, "2": 1, str(10**12): 1, "x9": 2, "b": 1}
    odd = [text for text in table["id"] if not text.isdigit()]
    assert odd == (["x9", "b"] if texts_first else ["b", "x9"])


def test_far_numbers_take_no_room_however_often_they_are_repeated() -> None:
    counts, far = IdCounts(), pl.Series([0, 10**8])
    tracemalloc.start()
    for _ in range(100):
        counts.add(far.sample(10**5, with_replacement=True, seed=0), None)
        counts.add(far, pl.Series([10**7, 10**7]))
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()
    assert counts.table()[COUNT].sum() == 100 * (10**5 + 2 * 10**7)
