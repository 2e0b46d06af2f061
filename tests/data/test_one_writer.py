"""`prepare` and `Dataset.save` into one folder: one lock, which goes with the folder when it is replaced."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.formats.tables import Tables, write_tables
from attrformer.errors import BusyError, DataError
from attrformer.folders import new_folder
from attrformer.locks import locked_folder

pytestmark = pytest.mark.slow

ROWS = pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 1, 2], "timestamp": [1, 2, 3, 4]})
TABLES = Tables(ROWS)


def dataset() -> Dataset:
    return Dataset.from_frames(ROWS)


def elsewhere(work: object) -> BaseException | None:
    """What a function raises in another thread, which holds no lock."""
    found: list[BaseException | None] = []

    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0] if found else None


@pytest.mark.parametrize("there", [False, True])
def test_preparing_and_saving_into_one_folder_exclude_each_other(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "data"
    if there:
        dataset().save(folder)
    with locked_folder(folder):
        for work in (lambda: dataset().save(folder), lambda: write_tables(TABLES, folder, overwrite=True)):
            assert isinstance(elsewhere(work), BusyError)
    assert folder.exists() == there


def test_a_folder_that_is_replaced_stays_locked_until_its_writer_ends(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    dataset().save(folder)
    with locked_folder(folder):
        with new_folder(folder) as unfinished:
            (unfinished / "new").touch()
        assert isinstance(elsewhere(lambda: dataset().save(folder)), BusyError)
        assert (folder / "new").exists()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_was_saved_meanwhile_is_not_replaced_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, saved = tmp_path / "data", []
    frames = Tables.frames

    def late(tables: Tables) -> dict[str, pl.DataFrame]:
        saved.append(elsewhere(lambda: dataset().save(folder)))
        return frames(tables)

    monkeypatch.setattr(Tables, "frames", late)
    write_tables(TABLES, folder)
    assert isinstance(saved[0], BusyError)
    dataset().save(folder)
    with pytest.raises(DataError, match="already holds a dataset"):
        write_tables(TABLES, folder)


def test_what_a_killed_writer_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (".lock", ".complete.0123abcd-999999-0123abcd.tmp"):
        (folder / name).touch()
    write_tables(TABLES, folder)
    assert [path.name for path in folder.iterdir()] == ["interactions.parquet"]
