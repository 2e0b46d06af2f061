"""Whatever a table holds, it becomes a dataset that can be checked, or is refused by an error that says why."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data import Dataset
from attrformer.data.check import CheckReport, check_path
from attrformer.errors import AttrFormerError

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("ATTRFORMER_EXAMPLES", "60"))

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
    "bytes": ([b"", b"\xff"], pl.Binary),
    "nothing": ([None], pl.Null),
}
IDS = ["1", "12", "007", " 12", "NA", "é", "1e5", "A", "a", "null"]
SECONDS = [1_600_000_000, 1_600_000_001, 1_500_000_000, 0]
KINDS = ["categorical", "multi", "numeric", "time", "ignore"]


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


def try_to_read(*arguments: Any, **given: Any) -> None:
    """Reads tables; everything but the errors of the library is a failure."""
    try:
        dataset = Dataset.from_frames(*arguments, **given)
    except AttrFormerError as error:
        assert str(error)
        return
    assert len(dataset.sequences.items) == dataset.sequences.offsets[-1]
    assert all(len(attribute) == dataset.item_count for attribute in dataset.item_attributes.values())
    assert all(": " in note or note.startswith(("user ids", "item ids")) for note in dataset.notes)
    try_to_check(dataset)
    try_to_check(dataset, *arguments)


def try_to_check(dataset: Dataset, *arguments: Any) -> None:
    """Checks a dataset and the tables that it was made of."""
    try:
        report = dataset.check(*arguments)
    except AttrFormerError as error:
        assert str(error) and arguments
        return
    try_to_show(report)


def try_to_show(report: CheckReport) -> None:
    """Shows a report in every form that it has."""
    assert str(report)
    assert report.short()
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["dataset"] == report.dataset


LOGS = table(["user_id", "item_id", "timestamp"])


@settings(max_examples=EXAMPLES)
@given(LOGS, table(["item_id"]), table(["user_id"]), st.data())
def test_any_frames_become_a_dataset_or_are_refused(
    interactions: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame, data: st.DataObject
) -> None:
    frames = (interactions, items, users)
    given = data.draw(options(*frames))
    try_to_read(*frames, **given)
    try_to_read(*frames)
    try_to_read(*(pd.DataFrame(frame.to_dict(as_series=False)) for frame in frames), **given)


@settings(max_examples=EXAMPLES)
@given(LOGS, table(["item_id"]), st.data())
def test_any_text_files_become_a_dataset_or_are_refused(
    interactions: pl.DataFrame, items: pl.DataFrame, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as root:
        paths = [Path(root, "interactions.csv"), Path(root, "items.tsv")]
        for path, frame in zip(paths, (interactions, items), strict=True):
            pd.DataFrame(frame.to_dict(as_series=False)).to_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
        try_to_read(*paths, **data.draw(options(interactions, items)))
        try_to_read(*map(str, paths))


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


@settings(max_examples=EXAMPLES)
@given(LOGS, table(["item_id"]), table(["user_id"]), st.tuples(ENDINGS, ENDINGS, ENDINGS), st.data())
def test_any_folder_is_checked_and_becomes_a_dataset_or_is_refused(
    interactions: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame, endings: tuple[str, ...], data: st.DataObject
) -> None:
    given = data.draw(options(interactions, items, users))
    with tempfile.TemporaryDirectory() as root:
        named = zip(("interactions", "items", "users"), (interactions, items, users), endings, strict=True)
        for name, frame, ending in named:
            write(frame, Path(root, f"{name}{ending}"))
        read = {key: given[key] for key in ("columns", "kinds", "separators", "duplicates") if key in given}
        for options_given in (read, {}):
            unreadable = False
            try:
                dataset = Dataset.load(root, **options_given)
            except AttrFormerError as error:
                assert str(error)
                unreadable = True
            try:
                report = check_path(root, **options_given)
            except AttrFormerError as error:
                assert str(error) and unreadable
                continue
            try_to_show(report)
            assert (report.find("unreadable") is not None) == unreadable
            if not unreadable:
                assert dataset.notes == report.notes


@settings(max_examples=EXAMPLES)
@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)),
    st.sampled_from([".csv", ".jsonl", ".csv.gz"]),
)
def test_any_bytes_become_a_dataset_or_are_refused(content: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, f"interactions{ending}")
        for data in (content, b"user_id,item_id\n" + content):
            path.write_bytes(data)
            try_to_read(path)


@st.composite
def changes_table(draw: st.DrawFn) -> pl.DataFrame:
    """A table of changes, mostly in its form, with values and often other columns of any type."""
    frame = draw(table(["item_id", "timestamp", "column"]))
    return frame if "value" in frame.columns else frame.with_columns(draw(column("value", len(frame))))


@settings(max_examples=EXAMPLES // 3)
@given(LOGS, changes_table(), ENDINGS, st.data())
def test_any_changes_are_read_and_come_back_or_are_refused(
    interactions: pl.DataFrame, changes: pl.DataFrame, ending: str, data: st.DataObject
) -> None:
    names = st.sampled_from(["a", *changes["column"].drop_nulls().cast(pl.String).unique().sort()])
    kinds = data.draw(st.dictionaries(names.map("item_changes.{}".format), st.sampled_from(KINDS), max_size=1))
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, f"item_changes{ending}")
        write(changes, path)
        for given_changes, given_kinds in ((changes, kinds), (changes, {}), (path, {})):
            try:
                dataset = Dataset.from_frames(interactions, item_changes=given_changes, kinds=given_kinds)
            except AttrFormerError as error:
                assert str(error)
                continue
            try_to_show(dataset.check(interactions, item_changes=given_changes))
            dataset.save(Path(root, "saved"))
            again = Dataset.load(Path(root, "saved"))
            assert again.notes == dataset.notes and again.item_changes.keys() == dataset.item_changes.keys()
            for name, one in dataset.item_changes.items():
                other = again.item_changes[name]
                assert (one.kind, one.vocabulary) == (other.kind, other.vocabulary)
                for part in ("offsets", "times", "codes", "numbers"):
                    np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
