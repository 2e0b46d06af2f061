"""Generated conditions over a small table of items, and the table row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.rules.columns import numbers_attribute
from attrformer.rules.conditions import (
    COMPARISONS,
    Among,
    And,
    Column,
    Compare,
    Condition,
    Contains,
    Date,
    Missing,
    Not,
    Or,
)
from attrformer.rules.item_values import ItemValues

NAN = float("nan")

ROWS: tuple[dict[str, Any], ...] = (
    {"price": 9.5, "stock": 0.0, "brand": "X", "year": "1999", "tags": ["a", "b"], "since": 86_400.0},
    {"price": 50.0, "stock": 3.0, "brand": "Y", "year": "2005", "tags": ["b"], "since": 172_800.0},
    {"price": None, "stock": 1.0, "brand": None, "year": None, "tags": [], "since": None},
    {"price": -2.0, "stock": None, "brand": 'q"\\', "year": "2005", "tags": ["c", "a", "b"], "since": 86_400.0},
)
"""Four items; None and the empty list are missing."""

NUMBERS = ("price", "stock")
DAY = 86_400


def coded(name: str, kind: AttributeKind, rows: list[list[str]]) -> Attribute:
    vocabulary = sorted({value for row in rows for value in row})
    codes = [vocabulary.index(value) for row in rows for value in row]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Attribute(name, kind, offsets, np.array(codes, dtype=np.int32), tuple(vocabulary), np.empty(0))


def table(rows: tuple[dict[str, Any], ...] = ROWS) -> ItemValues:
    columns = {}
    for name, kind in (("price", "numeric"), ("stock", "numeric"), ("since", "time")):
        numbers = np.array([NAN if row[name] is None else row[name] for row in rows], dtype=np.float64)
        columns[name] = numbers_attribute(name, AttributeKind(kind), numbers)
    for name in ("brand", "year"):
        lists = [[] if row[name] is None else [row[name]] for row in rows]
        columns[name] = coded(name, AttributeKind.CATEGORICAL, lists)
    columns["tags"] = coded("tags", AttributeKind.MULTI, [row["tags"] for row in rows])
    return ItemValues(len(rows), columns)


numbers = st.sampled_from([9.5, 50.0, -2.0, 0.0, 1.0, 3.0, 1999.0, 2005.0])
texts = st.sampled_from(["X", "Y", 'q"\\', "Z", "a", "b", "c"])
dates = st.sampled_from([Date(0), Date(DAY), Date(2 * DAY), Date(2 * DAY + 3661)])


def _leaf_of(column: str) -> st.SearchStrategy[Condition]:
    values = texts if column in ("brand", "tags") else dates if column == "since" else numbers
    where = Column(column)
    lists = st.lists(values, min_size=1, max_size=3).map(tuple)
    found: list[st.SearchStrategy[Condition]] = [
        st.builds(Among, st.just(where), lists, st.booleans()),
        st.builds(Missing, st.just(where), st.booleans()),
    ]
    if column == "tags":
        found.append(st.builds(Contains, st.just(where), values, st.booleans()))
    elif column == "brand":
        found.append(st.builds(Compare, st.just(where), st.sampled_from(["==", "!="]), values))
    else:
        found.append(st.builds(Compare, st.just(where), st.sampled_from(COMPARISONS), values))
    if column in NUMBERS:
        others = st.sampled_from([Column(name) for name in (*NUMBERS, "year")])
        found.append(st.builds(Compare, st.just(where), st.sampled_from(COMPARISONS), others))
    return st.one_of(found)


leaves = st.sampled_from(["price", "stock", "brand", "year", "tags", "since"]).flatmap(_leaf_of)

conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=8,
)
