"""The same tables give the same dataset, in whatever frame library or file they come."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.data import Attribute, Dataset

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("ATTRFORMER_EXAMPLES", "25"))

Frames = dict[str, pl.DataFrame]

# None of them is a number in the one way to write it, whatever it looks like.
HOSTILE_IDS = [
    "12E3",
    "7E2",
    "007",
    "0x1F",
    "1_000",
    "+5",
    " 12",
    "1.0",
    "NaN",
    "inf",
    "NA",
    "null",
    "true",
    "-0",
    "A,b",
    'q"u',
    "é",
    "x\ny",
    "None",
    "\\N",
    "2020-01-01",
    "['a']",
    "a",
    "A",
    "A ",
]
WORDS = ["red", "dark red", "blue", " blue", "a,b", 'say "x"', "x|y", "", "1st", "ünder", "x;y", "no"]
NAMES = [
    "colour",
    "a.b",
    "a_b",
    "ein Name",
    "Größe",
    "x",
    "index",
    "level",
    "index2",
    "n",
    "Unnamed: 3",
    "average_rating",
]


def column(count: int) -> st.SearchStrategy[pl.Series]:
    """A column of one of the types that all formats can hold, with gaps."""
    kinds: list[tuple[st.SearchStrategy[Any], Any]] = [
        (st.sampled_from(WORDS), pl.String),
        (st.booleans(), pl.Boolean),
        (st.integers(-(2**40), 2**40), pl.Int64),
        (st.integers(0, 3), pl.Int64),
        (st.floats(-(2.0**99), 2.0**99, allow_nan=False, width=32), pl.Float64),
        (st.sampled_from([0.5, 1.0, 2.0]), pl.Float64),
        (st.sampled_from([1.0, 2.0]), pl.Float64),
        (st.dates(date(1902, 1, 1), date(2200, 1, 1)), pl.Date),
        (st.datetimes(datetime(1902, 1, 1), datetime(2200, 1, 1)), pl.Datetime("us")),
        (
            st.lists(st.one_of(st.none(), st.sampled_from(["a", "b c", "it's", 'x"y', "a,b"])), max_size=3),
            pl.List(pl.String),
        ),
        (st.lists(st.sampled_from([0.5, -1.25, 3.0]), min_size=2, max_size=2), pl.List(pl.Float64)),
        (st.lists(st.sampled_from([0.5, 2.5]), max_size=3), pl.List(pl.Float64)),
    ]
    return st.sampled_from(kinds).flatmap(
        lambda kind: st.lists(st.one_of(st.none(), kind[0]), min_size=count, max_size=count).map(
            lambda values: pl.Series(values, dtype=kind[1])
        )
    )


LEVELS = ["Beauty", "Hair", "a,b", "it's", "x|y", "12", " Skin ", "", "Face > Eyes", ">", "é"]
TAGS = ["calm", "a:b", "x|y", "it's", " loud", "", "7"]
NUMBERS = st.floats(-1000, 1000, width=32)

# By declared kind, columns of it in several forms.
DECLARED: dict[str, list[tuple[st.SearchStrategy[Any], Any]]] = {
    "vector": [
        (st.lists(NUMBERS, min_size=3, max_size=3), pl.Array(pl.Float32, 3)),
        (st.lists(NUMBERS, min_size=3, max_size=3), pl.List(pl.Float64)),
        (st.lists(st.integers(-9, 9), min_size=2, max_size=2), pl.List(pl.Int64)),
    ],
    "text": [
        (st.sampled_from([*WORDS, "two  words", "[REC]", "12"]), pl.String),
        (st.lists(st.sampled_from(["a b", "it's", "x,y"]), max_size=3), pl.List(pl.String)),
    ],
    "hierarchy": [
        (st.lists(st.sampled_from(LEVELS), max_size=4), pl.List(pl.String)),
        (st.lists(st.lists(st.sampled_from(LEVELS), max_size=3), max_size=3), pl.List(pl.List(pl.String))),
        (st.lists(st.sampled_from(LEVELS), max_size=4).map(" > ".join), pl.String),
    ],
    "weighted": [
        (
            st.lists(st.builds(dict, tag=st.sampled_from(TAGS), score=st.floats(0, 9, width=32)), max_size=3),
            pl.List(pl.Struct({"tag": pl.String, "score": pl.Float64})),
        ),
        (
            st.fixed_dictionaries({"calm": st.none() | st.integers(0, 9), "a b": st.none() | st.floats(0, 9)}),
            pl.Struct({"calm": pl.Int64, "a b": pl.Float64}),
        ),
    ],
    "location": [
        (st.tuples(st.floats(-90, 90), st.floats(-180, 180)).map(list), pl.List(pl.Float64)),
        (st.tuples(st.floats(-90, 90), st.floats(-180, 180)).map(lambda pair: f"{pair[0]}, {pair[1]}"), pl.String),
        (
            st.builds(dict, lat=st.floats(-90, 90), lon=st.integers(-180, 180)),
            pl.Struct({"lat": pl.Float64, "lon": pl.Int64}),
        ),
    ],
}


@st.composite
def declared(draw: st.DrawFn) -> tuple[Frames, dict[str, str]]:
    """Interactions, and items with a column of each kind that is declared, with gaps."""
    ids = list(range(draw(st.integers(2, 8))))
    log = pl.DataFrame({"user_id": ids, "item_id": ids})
    about, kinds = pl.DataFrame({"item_id": ids}), {}
    for kind, forms in DECLARED.items():
        values, dtype = draw(st.sampled_from(forms))
        drawn = draw(st.lists(st.one_of(st.none(), values), min_size=len(ids), max_size=len(ids)))
        about = about.with_columns(pl.Series(f"its {kind}", drawn, dtype=dtype))
        kinds[f"items.its {kind}"] = kind
    return {"interactions": log, "items": about}, kinds


@st.composite
def tables(draw: st.DrawFn) -> Frames:
    """Interactions, and items with attributes of any kind."""
    whole = draw(st.booleans())
    ids = [5, 12, -3, 0, 700] if whole else draw(st.lists(st.sampled_from(HOSTILE_IDS), min_size=2, unique=True))
    count = draw(st.integers(1, 12))
    users = draw(st.lists(st.sampled_from(ids), min_size=count, max_size=count))
    items = draw(st.lists(st.sampled_from(ids), min_size=count, max_size=count))
    log: dict[str, Any] = {"user_id": users, "item_id": items}
    moments = {
        "seconds": st.integers(0, 4 * 10**9),
        "dates": st.dates(date(1990, 1, 1), date(2030, 1, 1)),
        "none": None,
    }
    times = moments[draw(st.sampled_from(sorted(moments)))]
    if times is not None:
        log["timestamp"] = draw(st.lists(times, min_size=count, max_size=count))
    frame = pl.DataFrame(log)
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)):
        frame = frame.with_columns(draw(column(count)).alias(name))
    about = pl.DataFrame({"item_id": list(dict.fromkeys([*items, *ids]))})
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
        about = about.with_columns(draw(column(len(about))).alias(name))
    return {"interactions": frame, "items": about}


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(frame.to_dict(as_series=False))


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as pandas writes them, since polars writes none into a csv file."""
    lists = [name for name, kind in frame.schema.items() if kind.is_nested()]
    texts = [[None if row is None else str(row) for row in frame[name].to_list()] for name in lists]
    return frame.with_columns(pl.Series(name, text, dtype=pl.String) for name, text in zip(lists, texts, strict=True))


def packed(write: Callable[[pl.DataFrame], str]) -> Callable[[pl.DataFrame, Path], object]:
    return lambda frame, path: path.write_bytes(gzip.compress(write(frame).encode()))


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".feather": lambda frame, path: frame.write_ipc(path),
    ".csv": lambda frame, path: flat(frame).write_csv(path),
    ".tsv": lambda frame, path: flat(frame).write_csv(path, separator="\t"),
    ".csv.gz": packed(lambda frame: as_pandas(frame).to_csv()),
    ".tsv.gz": packed(lambda frame: as_pandas(frame).to_csv(sep="\t", index=False)),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".ndjson.gz": packed(lambda frame: frame.write_ndjson()),
    ".json": lambda frame, path: frame.write_json(path),
}


def assert_same(left: Dataset, right: Dataset, what: str) -> None:
    assert left.user_ids == right.user_ids and left.item_ids == right.item_ids, what
    for name in ("offsets", "items", "times"):
        np.testing.assert_array_equal(getattr(left.sequences, name), getattr(right.sequences, name), what)
    assert list(left.sequences.behaviours) == list(right.sequences.behaviours), what
    for name, values in left.sequences.behaviours.items():
        np.testing.assert_array_equal(values, right.sequences.behaviours[name], what)
    assert {name: described(attribute) for name, attribute in left.item_attributes.items()} == {
        name: described(attribute) for name, attribute in right.item_attributes.items()
    }, what
    assert left.item_titles == right.item_titles, what


def described(attribute: Attribute) -> tuple[Any, ...]:
    numbers = [None if np.isnan(number) else number for number in attribute.numbers]
    weights, vectors = attribute.weights.tolist(), [str(row) for row in attribute.vectors.tolist()]
    codes = attribute.offsets.tolist(), attribute.codes.tolist()
    return attribute.kind, attribute.vocabulary, *codes, numbers, weights, vectors, attribute.texts


@settings(max_examples=EXAMPLES)
@given(tables())
def test_the_same_tables_give_the_same_dataset_from_every_library_and_format(frames: Frames) -> None:
    expected = Dataset.from_frames(**frames)
    assert_same(expected, Dataset.from_frames(**{name: as_pandas(frame) for name, frame in frames.items()}), "pandas")
    assert_same(expected, Dataset.from_frames(**{name: frame.to_arrow() for name, frame in frames.items()}), "pyarrow")
    with tempfile.TemporaryDirectory() as root:
        for number, (ending, write) in enumerate(WRITERS.items()):
            folder = Path(root, str(number))
            folder.mkdir()
            for name, frame in frames.items():
                write(frame, folder / f"{name}{ending}")
            assert_same(expected, Dataset.load(folder), ending)


@settings(max_examples=EXAMPLES)
@given(tables())
def test_what_is_saved_comes_back_the_same(frames: Frames) -> None:
    expected = Dataset.from_frames(**frames, catalogue="all")
    with tempfile.TemporaryDirectory() as root:
        found = Dataset.load(expected.save(Path(root)))
        assert_same(expected, found, "saved")
        assert found.notes == expected.notes


@settings(max_examples=EXAMPLES)
@given(declared())
def test_declared_kinds_give_the_same_dataset_from_every_library_and_format(
    given_tables: tuple[Frames, dict[str, str]],
) -> None:
    frames, kinds = given_tables
    expected = Dataset.from_frames(**frames, kinds=kinds)
    assert [attribute.kind.value for attribute in expected.item_attributes.values()] == list(DECLARED)
    for library, convert in (("pandas", as_pandas), ("pyarrow", pl.DataFrame.to_arrow)):
        converted = {name: convert(frame) for name, frame in frames.items()}
        assert_same(expected, Dataset.from_frames(**converted, kinds=kinds), library)
    with tempfile.TemporaryDirectory() as root:
        for number, (ending, write) in enumerate(WRITERS.items()):
            folder = Path(root, str(number))
            folder.mkdir()
            for name, frame in frames.items():
                write(frame, folder / f"{name}{ending}")
            assert_same(expected, Dataset.load(folder, kinds=kinds), ending)
        saved = expected.save(Path(root, "saved"))
        found = Dataset.load(saved)
        assert_same(expected, found, "saved")
        assert found.notes == expected.notes
        again = found.save(Path(root, "again"))
        assert (saved / "items.parquet").read_bytes() == (again / "items.parquet").read_bytes()
