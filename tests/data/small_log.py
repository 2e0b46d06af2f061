"""A small log of interactions in every form of file, and what two datasets or folders have in common."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from attrformer.data import Dataset

LOG = pl.DataFrame(
    {
        "user_id": ["b", "a", "b", "c", "a", "b", "b"],
        "item_id": ["x", "y", "x", "z", "x", "x", "y"],
        "event": ["view", "buy", "view", None, "view", "view", "NA"],
        "price": [1.5, 2.0, 1.5, None, 3.0, 2.5, 1.0],
        "timestamp": [30, 20, 30, 5, 10, 30, 20],
    }
)
ITEMS = pl.DataFrame({"item_id": ["x", "y", "w"], "brand": ["A", "B", "A"]})

Write = Callable[[pl.DataFrame, Path], object]


def in_folder(frame: pl.DataFrame, folder: Path) -> None:
    (folder / "interactions").mkdir()
    for start in range(0, max(len(frame), 1), 3):
        frame[start : start + 3].write_parquet(folder / "interactions" / f"part-{start:05d}.parquet")


def packed(frame: pl.DataFrame, folder: Path) -> None:
    (folder / "interactions.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))


def in_text_folder(frame: pl.DataFrame, folder: Path) -> None:
    (folder / "interactions").mkdir()
    for start in range(0, max(len(frame), 1), 3):
        frame[start : start + 3].write_csv(folder / "interactions" / f"part-{start:05d}.csv")


FORMS: dict[str, Write] = {
    "parquet": lambda frame, folder: frame.write_parquet(folder / "interactions.parquet"),
    "csv": lambda frame, folder: frame.write_csv(folder / "interactions.csv"),
    "tsv": lambda frame, folder: frame.write_csv(folder / "interactions.tsv", separator="\t", quote_style="always"),
    "arrow": lambda frame, folder: frame.write_ipc(folder / "interactions.arrow"),
    "folder": in_folder,
    "packed": packed,
    "text folder": in_text_folder,
    "semicolons": lambda frame, folder: frame.write_csv(folder / "interactions.csv", separator=";", include_bom=True),
}


def written(frame: pl.DataFrame, folder: Path, form: str = "csv", items: pl.DataFrame | None = None) -> Path:
    folder.mkdir()
    FORMS[form](frame, folder)
    if items is not None:
        items.write_csv(folder / "items.csv")
    return folder


def assert_same(one: Dataset, two: Dataset) -> None:
    assert one.user_ids == two.user_ids and one.item_ids == two.item_ids
    first, second = one.sequences.to_arrays(), two.sequences.to_arrays()
    assert list(first) == list(second)
    for name, values in first.items():
        assert values.dtype == second[name].dtype, name
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    assert one.sequences.meaning == two.sequences.meaning
    assert one.notes == two.notes
    assert list(one.item_attributes) == list(two.item_attributes) and one.item_titles == two.item_titles


def files_of(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
