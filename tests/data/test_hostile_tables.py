"""Whatever a table holds, it becomes a dataset that can be checked, or is refused by an error that says why."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.hostile import ENDINGS, KINDS, LOGS, changes_table, options, table, write

from attrformer.data import Dataset
from attrformer.data.check import CheckReport, check_path
from attrformer.errors import AttrFormerError

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("ATTRFORMER_EXAMPLES", "60"))


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
