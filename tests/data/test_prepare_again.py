"""A preparation that is repeated, interrupted, or written where something lies already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.data.small_log import ITEMS, LOG, assert_same, files_of, written

from attrformer.data import Dataset
from attrformer.data.prepare_tables import prepare_tables
from attrformer.data.prepared import tasks, writing
from attrformer.data.prepared.names import MANIFEST, PREPARED
from attrformer.errors import BusyError, DataError
from attrformer.locks import locked_place


@pytest.mark.parametrize("at", [0, 3, 8, 13, 15])
def test_an_interrupted_preparation_goes_on(at: int, tmp_path: Path) -> None:
    ran: list[tuple[str, int]] = []

    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            if len(ran) == at:
                raise KeyboardInterrupt
            ran.append((step, number))
            task(number)

    folder = written(LOG, tmp_path / "log", "csv" if at < 8 else "folder", ITEMS)
    prepare_tables(folder, tmp_path / "whole", part_rows=1)
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=1, run=broken)
    assert not (tmp_path / "out").exists() and (tmp_path / ".out.preparing").is_dir()
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / ".out.preparing").iterdir()}
    kept = [name for name in before if name.startswith(("glance", "survey", "coded"))]
    assert len(kept) >= min(at, 1)
    assert prepare_tables(folder, tmp_path / "out", part_rows=1).fresh
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_what_is_left_of_another_table_is_not_used(tmp_path: Path) -> None:
    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            task(number)
        if step == "coded":
            raise KeyboardInterrupt

    folder = written(LOG, tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=2, run=broken)
    LOG[:5].write_csv(folder / "interactions.csv")
    prepare_tables(folder, tmp_path / "out", part_rows=2)
    assert_same(Dataset.load(folder, name="log"), Dataset.load(tmp_path / "out", name="log"))


def test_ranges_of_another_size_are_not_used(tmp_path: Path) -> None:
    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        if step == "sorted":
            raise KeyboardInterrupt
        for number in range(count):
            task(number)

    # Its files are parts of the same rows whatever the size of a part, and users come in other ranges.
    folder = written(LOG, tmp_path / "log", "folder")
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=3, run=broken)
    prepare_tables(folder, tmp_path / "out", part_rows=100)
    assert_same(Dataset.load(folder, name="log"), Dataset.load(tmp_path / "out", name="log"))


def test_a_folder_that_holds_the_same_is_left_alone(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log", items=ITEMS)
    prepare_tables(folder, tmp_path / "out")
    before = (tmp_path / "out" / PREPARED / MANIFEST).stat().st_mtime_ns
    assert not prepare_tables(folder, tmp_path / "out").fresh
    assert (tmp_path / "out" / PREPARED / MANIFEST).stat().st_mtime_ns == before
    with pytest.raises(DataError, match="already holds a dataset"):
        prepare_tables(folder, tmp_path / "out", duplicates="drop")
    assert prepare_tables(folder, tmp_path / "out", duplicates="drop", overwrite=True).interactions == 6


def test_another_description_is_no_longer_the_same(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log")
    prepare_tables(folder, tmp_path / "out")
    (folder / "dataset.json").write_text('{"name": "Shop", "notes": ["of 2020"]}')
    assert prepare_tables(folder, tmp_path / "out", overwrite=True).fresh
    assert not prepare_tables(folder, tmp_path / "out").fresh
    assert Dataset.load(tmp_path / "out").name == "Shop"
    (folder / "dataset.json").write_text('{"name": "Shop", "notes": ["of 2021"]}')
    with pytest.raises(DataError, match="already holds a dataset"):
        prepare_tables(folder, tmp_path / "out")


def test_other_files_and_other_writers_are_left_alone(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log")
    prepare_tables(folder, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(notes.txt\)"):
        prepare_tables(folder, tmp_path / "out", duplicates="drop", overwrite=True)
    with locked_place(tmp_path / "busy"), pytest.raises(BusyError):
        _in_thread(lambda: prepare_tables(folder, tmp_path / "busy"))


def test_the_tables_are_not_replaced_by_what_is_made_of_them(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log")
    for out in (folder, tmp_path / "log" / ".." / "log"):
        with pytest.raises(DataError, match="the output would take the place of the tables"):
            prepare_tables(folder, out, overwrite=True)
    assert [file.name for file in folder.iterdir()] == ["interactions.csv"]


def _in_thread(call: Callable[[], object]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def test_tables_that_change_meanwhile_are_refused(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log")

    def meanwhile(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            task(number)
        if step == "sorted":
            LOG[:3].write_csv(folder / "interactions.csv")

    with pytest.raises(DataError, match="changed while they were read"):
        prepare_tables(folder, tmp_path / "out", run=meanwhile)
    assert prepare_tables(folder, tmp_path / "out").interactions == 3


def test_a_task_that_ends_elsewhere_meanwhile_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(LOG, tmp_path / "log")
    prepare_tables(folder, tmp_path / "whole", part_rows=2)

    def twice(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            with monkeypatch.context() as patch:

                def read(file: Path, number: int = number) -> pl.DataFrame:
                    patch.undo()
                    if step == "coded":
                        task(number)
                    return pl.read_ipc(file)

                patch.setattr(tasks.pl, "read_ipc", read)
                task(number)

    prepare_tables(folder, tmp_path / "out", part_rows=2, run=twice)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_an_interrupt_while_the_result_is_moved_loses_nothing(tmp_path: Path) -> None:
    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            task(number)
        if step == "sorted":
            raise KeyboardInterrupt

    folder = written(LOG, tmp_path / "log", items=ITEMS)
    prepare_tables(folder, tmp_path / "whole", part_rows=2)
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=2, run=broken)
    # It went to a folder that an interrupt removes.
    (tmp_path / ".out.preparing" / "items.npy").unlink()
    prepare_tables(folder, tmp_path / "out", part_rows=2)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_arrays_made_anew_are_written_anew_whatever_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(step: str, task: Callable[[int], None], count: int) -> None:
        for number in range(count):
            task(number)
        if step == "sorted":
            raise KeyboardInterrupt

    def stopped(old: Path, new: Path) -> None:
        replace(old, new)
        if new.name == "items.npy":
            raise KeyboardInterrupt

    replace = writing.os.replace
    folder = written(LOG.select("user_id", "item_id"), tmp_path / "log")
    prepare_tables(folder, tmp_path / "whole", part_rows=2)
    with pytest.raises(KeyboardInterrupt):
        prepare_tables(folder, tmp_path / "out", part_rows=2, run=broken)
    (tmp_path / ".out.preparing" / "items.npy").unlink()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(writing.os, "replace", stopped)
        prepare_tables(folder, tmp_path / "out", part_rows=2)
    prepare_tables(folder, tmp_path / "out", part_rows=2)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_table_of_others_meanwhile_is_refused(tmp_path: Path) -> None:
    folder = written(LOG, tmp_path / "log", "folder")

    def meanwhile(step: str, task: Callable[[int], None], count: int) -> None:
        if step == "coded":
            new = LOG.with_columns(user_id=pl.lit("nobody"))
            for number, file in enumerate(sorted((folder / "interactions").iterdir())):
                new[3 * number : 3 * number + 3].write_parquet(file)
        for number in range(count):
            task(number)

    with pytest.raises(DataError, match="changed while they were read"):
        prepare_tables(folder, tmp_path / "out", run=meanwhile)
