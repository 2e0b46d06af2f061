"""Prepared interactions as they are opened: whole, of the version of the library, read with the options asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.check import check_path
from attrformer.data.prepare_tables import prepare_tables
from attrformer.data.prepared.names import MANIFEST, PREPARED
from attrformer.errors import DataError
from attrformer.io import with_checksum

LOG = pl.DataFrame({"who": [1, 1, 2, 2], "item_id": [1, 2, 1, 2], "stars": [1, 2, 3, 4], "timestamp": [1, 2, 3, 4]})


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    LOG.write_csv(folder / "interactions.csv")
    (folder / "dataset.json").write_text(json.dumps({"name": "Log", "notes": ["of 2020"]}))
    prepare_tables(folder, tmp_path / "out", columns={"user_id": "who"}, kinds={"stars": "categorical"})
    return tmp_path / "out"


def test_the_folder_keeps_how_it_was_read(prepared: Path) -> None:
    dataset = Dataset.load(prepared)
    assert dataset.name == "Log" and dataset.notes[0] == "of 2020"
    assert dataset.sequences.meaning.values == {"stars": ("1", "2", "3", "4")}
    again = Dataset.load(prepared, columns={"user_id": "who"}, kinds={"interactions.stars": "categorical"})
    assert again.notes == dataset.notes


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"duplicates": "drop"}, "duplicates=None"),
        ({"kinds": {"stars": "numeric"}}, "kinds={'stars': 'categorical'}"),
        ({"catalogue": "all"}, "catalogue='interacted'"),
        ({"columns": {"user_id": "user"}}, "columns={'user_id': 'who'}, and {'user_id': 'user'} is asked for"),
    ],
)
def test_other_options_are_refused(options: dict[str, object], named: str, prepared: Path) -> None:
    with pytest.raises(DataError) as raised:
        Dataset.load(prepared, **options)  # type: ignore[arg-type]
    assert f"prepared with {named}" in str(raised.value) and "Prepare the tables again" in str(raised.value)


def test_a_table_of_interactions_beside_prepared_ones_is_read_with_a_note(prepared: Path) -> None:
    LOG.rename({"who": "user_id"}).head(2).write_csv(prepared / "interactions.csv")
    (prepared / "dataset.json").unlink()
    dataset = Dataset.load(prepared)
    assert dataset.user_count == 1
    assert f"interactions.csv: this file is read, {PREPARED} beside it is not" in dataset.notes


def test_what_is_damaged_is_refused(prepared: Path) -> None:
    place = prepared / PREPARED
    items = (place / "items.npy").read_bytes()
    for left in (items[:-4], items[:50], b""):
        (place / "items.npy").write_bytes(left)
        with pytest.raises(DataError, match="it cannot be read"):
            Dataset.load(prepared)
    np.save(place / "items.npy", np.zeros(4, np.int16))
    with pytest.raises(DataError, match=r"items.npy has 136 bytes, and 144 were written"):
        Dataset.load(prepared)
    (place / "items.npy").write_bytes(items)
    manifest = (place / MANIFEST).read_text()
    (place / MANIFEST).write_text(manifest.replace('"timed": true', '"timed": false'))
    with pytest.raises(DataError, match="was changed or cut off"):
        Dataset.load(prepared)
    (place / MANIFEST).write_text(manifest)
    assert Dataset.load(prepared).user_count == 2


def test_an_altered_or_longer_array_is_noticed(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = prepared / PREPARED / "items.npy"
    items = file.read_bytes()
    file.write_bytes(items[:-1] + bytes([items[-1] ^ 1]))
    with pytest.raises(DataError, match=r"items.npy is not what was written.*Prepare the tables again"):
        Dataset.load(prepared)
    # Of large files the sizes alone are compared when they are opened, and the checksums by a check.
    monkeypatch.setattr("attrformer.data.prepared.folder._CHEAP", 0)
    assert Dataset.load(prepared).user_count == 2
    found = check_path(prepared).find("unreadable")
    assert found is not None and "items.npy is not what was written" in found.title
    file.write_bytes(items + b"\0")
    with pytest.raises(DataError, match=f"items.npy has {len(items) + 1} bytes, and {len(items)} were written"):
        Dataset.load(prepared)
    file.write_bytes(items)
    assert check_path(prepared).find("unreadable") is None


def test_folders_of_earlier_releases_have_no_checksums_and_are_read(prepared: Path) -> None:
    file = prepared / PREPARED / MANIFEST
    manifest = json.loads(file.read_text())
    del manifest["files"]
    file.write_text(json.dumps(with_checksum(manifest)))
    assert Dataset.load(prepared).user_count == 2
    np.save(file.with_name("items.npy"), np.zeros(3, np.int32))
    with pytest.raises(DataError, match="another type or length"):
        Dataset.load(prepared)


def test_saved_again_it_is_a_folder_of_plain_tables(prepared: Path, tmp_path: Path) -> None:
    dataset = Dataset.load(prepared)
    dataset.save(tmp_path / "saved")
    saved = Dataset.load(tmp_path / "saved")
    assert np.array_equal(saved.sequences.items, dataset.sequences.items) and saved.user_ids == dataset.user_ids
