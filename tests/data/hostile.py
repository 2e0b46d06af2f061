"""Tables with anything in them, as strategies of hypothesis, and files that hold them."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
from hypothesis import strategies as st

from attrformer.data import AttributeKind

ROLES = ["user_id", "item_id", "timestamp", "title", "rating", "weight", "rank", "relation", "source_item_id"]
NAMES = [
    "",
    " ",
    "X",
    "index",
    "Unnamed: 0",
    "__index_level_0__",
    "...1",
    "a.b",
    "a",
    "A",
    "items.a",
    "count",
    "é",
    "x" * 300,
    "average_rating",
    "row number_",
    "owner",
    "value",
    "code",
    "plain",
    "id",
    "\n",
    "'",
    '"',
    ",",
]
TEXTS = [
    "",
    " ",
    "NA",
    "null",
    "\\N",
    "1",
    "1.5",
    "1e5",
    "007",
    "-0",
    "+5",
    " 12",
    "true",
    "2020-01-01",
    "2020-13-45",
    "2020-01-01T00:00:00Z",
    "20200101",
    "['a', 'b']",
    "['a' 'b']",
    '["a"]',
    "[",
    "[]",
    "[1, 2]",
    "[[1]]",
    "{'a': 1}",
    "a|b",
    "a, b",
    "inf",
    "\x00",
    "\ud7ff",
    "é",
    "x\ny",
    '"',
    "'",
    "9" * 25,
    "None",
    "(no genres listed)",
    "[0.5, 1e400]",
    "[0.5, null]",
    "a > b > ",
    " > ",
    "[['a', 'b'], 'c']",
    "a:0.5|b",
    "a:-1|b:inf",
    ":",
    '{"a": 0.5, "b": "x"}',
    "{'lat': 1, 'lon': 500}",
    "48.1,11.5",
    "48.1, north",
    "\u2028",
]
NUMBERS = [
    0,
    1,
    -1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    10**12,
    20220408,
    20221399,
    1_600_000_000,
    9_999_999_999_999,
]
FLOATS = [0.0, -0.0, 0.5, 1.0, 1e300, -1e300, 1e39, float("nan"), float("inf"), 44659.5, 1.6e9, 5e-324, 2.0**60]

VALUES: dict[str, tuple[list[Any], Any]] = {
    "text": (TEXTS, pl.String),
    "whole": (NUMBERS, pl.Int64),
    "large": ([0, 1, 2**64 - 1], pl.UInt64),
    "float": (FLOATS, pl.Float64),
    "short": ([0.0, 1.5, float("nan")], pl.Float32),
    "flag": ([True, False], pl.Boolean),
    "day": ([date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)], pl.Date),
    "moment": ([datetime(1700, 1, 1), datetime(2020, 1, 1, 12)], pl.Datetime("ns")),
    "zoned": ([datetime(2020, 1, 1), datetime(1960, 1, 1)], pl.Datetime("us", "UTC")),
    "length": ([timedelta(1), timedelta(0)], pl.Duration),
    "exact": ([Decimal("1.50"), Decimal("2")], pl.Decimal(10, 2)),
    "word": (["a", "b"], pl.Categorical),
    "texts": ([[], ["a"], ["a", None, ""]], pl.List(pl.String)),
    "wholes": ([[], [1], [1, None]], pl.List(pl.Int64)),
    "nested": ([[["a"]], []], pl.List(pl.List(pl.String))),
    "mapping": ([{"a": 1}, {"a": None}], pl.Struct({"a": pl.Int64})),
    "vectors": ([[0.5, 1.0], [1.0, float("nan")], [float("nan")] * 2, [float("inf"), 1.0]], pl.Array(pl.Float32, 2)),
    "numbers": ([[], [0.5], [0.5, 1e300], [None, 1.0], [float("nan")]], pl.List(pl.Float64)),
    "cubes": ([[[0.5, 1.0]], [[2.0, 3.0]]], pl.Array(pl.Float64, (1, 2))),
    "paths": ([[], [[]], [["a", "b"], ["a", None]], [["a > b", ">"], ["", " "]]], pl.List(pl.List(pl.String))),
    "tags": (
        [[], [{"tag": "a", "score": 0.5}], [{"tag": "a", "score": -1.0}, None], [{"tag": None, "score": float("inf")}]],
        pl.List(pl.Struct({"tag": pl.String, "score": pl.Float64})),
    ),
    "place": (
        [{"lat": 48.1, "lon": 11.5}, {"lat": 91.0, "lon": 0.0}, {"lat": None, "lon": 1.0}],
        pl.Struct({"lat": pl.Float64, "lon": pl.Float64}),
    ),
    "bytes": ([b"", b"\xff"], pl.Binary),
    "nothing": ([None], pl.Null),
}
IDS = ["1", "12", "007", " 12", "NA", "é", "1e5", "A", "a", "null"]
SECONDS = [1_600_000_000, 1_600_000_001, 1_500_000_000, 0]
KINDS = [*(kind.value for kind in AttributeKind), "ignore"]


@st.composite
def column(draw: st.DrawFn, name: str, rows: int) -> pl.Series:
    """A column of any type, with gaps."""
    known, kind = VALUES[draw(st.sampled_from(sorted(VALUES)))]
    return pl.Series(name, draw(st.lists(st.sampled_from([*known, None]), min_size=rows, max_size=rows)), dtype=kind)


@st.composite
def table(draw: st.DrawFn, roles: list[str]) -> pl.DataFrame:
    """A table whose columns of ids and times can be read nearly always, and whose others hold anything."""
    single = len(roles) == 1
    rows = draw(st.integers(6, 10) if single else st.integers(0 if draw(st.integers(0, 20)) == 7 else 1, 8))
    columns = {}
    for name in roles:
        good = SECONDS if name == "timestamp" else IDS
        values = draw(st.permutations(IDS) if single else st.lists(st.sampled_from(good), min_size=rows, max_size=rows))
        columns[name] = pl.Series(name, values[:rows])
    for name in draw(st.lists(st.sampled_from(NAMES + ROLES), max_size=4, unique=True)):
        if name not in columns or draw(st.integers(0, 9)) == 7:
            columns[name] = draw(column(name, rows))
    return pl.DataFrame(columns)


@st.composite
def options(draw: st.DrawFn, *frames: pl.DataFrame) -> dict[str, Any]:
    """Options of `Dataset.from_frames`, mostly about columns that are there."""
    names = sorted({name for frame in frames for name in frame.columns} - {"user_id", "item_id"}) or ["a"]
    found: dict[str, Any] = {
        "catalogue": draw(st.sampled_from(["interacted", "all"])),
        "unknown": draw(st.sampled_from(["drop", "drop", "error"])),
        "duplicates": draw(st.sampled_from([None, "keep", "drop", "count"])),
    }
    if draw(st.booleans()):
        found["kinds"] = draw(st.dictionaries(st.sampled_from(names), st.sampled_from(KINDS), max_size=2))
    if draw(st.integers(0, 3)) == 3:
        found["separators"] = {draw(st.sampled_from(names)): draw(st.sampled_from([", ", " ", "|", "a"]))}
    if draw(st.integers(0, 9)) == 7:
        found["columns"] = {draw(st.sampled_from(["user_id", "timestamp", "title"])): draw(st.sampled_from(names))}
    return found


LOGS = table(["user_id", "item_id", "timestamp"])


@st.composite
def changes_table(draw: st.DrawFn) -> pl.DataFrame:
    """A table of changes, mostly in its form, with values and often other columns of any type."""
    frame = draw(table(["item_id", "timestamp", "column"]))
    return frame if "value" in frame.columns else frame.with_columns(draw(column("value", len(frame))))


ENDINGS = st.sampled_from([".csv", ".tsv", ".csv.gz", ".jsonl", ".parquet", ".feather"])


def write(frame: pl.DataFrame, path: Path) -> None:
    """Writes a table as the ending of the path says."""
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".feather":
        frame.write_ipc(path)
    elif path.suffix == ".jsonl":
        lines = (json.dumps(row, default=repr) + "\n" for row in frame.to_dicts())
        path.write_text("".join(lines), encoding="utf-8")
    else:
        pd.DataFrame(frame.to_dict(as_series=False)).to_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
