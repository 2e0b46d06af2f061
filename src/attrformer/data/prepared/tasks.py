"""The steps of a preparation as tasks: each reads files, makes one, and may run anywhere and again.

A task is a function of a `Work` and the number of a group of parts, or of a range. It leaves a file that is there
already as it is, and writes what is not there under another name first. So an interrupted preparation goes on where it
stopped, and tasks of one step may run in any order, in several processes or on several machines that share the folder.
Ranges are written straight to their place in the arrays of the result, where every repetition writes the same bytes; a
file says that one is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attribute_kinds import TextSigns
from attrformer.data.date_order import DateForms
from attrformer.data.id_map import IdMap
from attrformer.data.interactions import TimeSpan
from attrformer.data.prepared.coding import (
    Arrays,
    Coded,
    code_part,
    open_coded,
    read_range,
    write_coded,
)
from attrformer.data.prepared.columns import ColumnPart
from attrformer.data.prepared.counting import COUNT, IdCounts
from attrformer.data.prepared.names import ITEMS, LENGTHS, REPEATED, SAME, USERS
from attrformer.data.prepared.ordering import order_range
from attrformer.data.prepared.plan import Plan
from attrformer.data.prepared.reading import Glance, Numbering, Reading, glance_at
from attrformer.data.prepared.survey import Survey, survey_part
from attrformer.data.prepared.writing import Ordered, put_range
from attrformer.data.text_columns import Shapes, TextProfile
from attrformer.errors import DataError
from attrformer.io import json_text, read_json, unfinished_name


@dataclass(frozen=True, slots=True)
class Work:
    """A preparation.

    Args:
        folder: where its files are.
        reading: how parts are read.
        firsts: the number of the first row of each part; empty where that is not known yet.
        again: whether parts are read for the second time, since the first part did not tell how.
        together: how many parts are read, or coded, by one task.
        plan: what the surveys decided; known once ids were counted.
    """

    folder: Path
    reading: Reading
    firsts: tuple[int, ...] = ()
    again: bool = False
    together: int = 1
    plan: Plan | None = None

    def file(self, step: str, number: int, ending: str) -> Path:
        """Where a task's file is."""
        return self.folder / f"{step}{'-again' if self.again else ''}-{number:05d}.{ending}"

    @property
    def keeps_rows(self) -> bool:
        """Whether rows of parts are kept in few bytes; to read them again from a parquet file takes less."""
        return self.reading.source.text or self.reading.source.whole

    @property
    def groups(self) -> list[range]:
        """The parts of each task that reads or codes: the more, the longer what lies together of a range of users."""
        parts = len(self.reading.source.parts)
        return [range(start, min(start + self.together, parts)) for start in range(0, parts, self.together)]

    def ids(self, name: str) -> Path:
        """Where the ids of users, or of items, are."""
        return self.folder / f"{name}-ids.arrow"


def glance_task(work: Work, number: int) -> None:
    """Looks at a part before parts can be read."""
    file = work.file("glance", number, "json")
    if not file.exists():
        glance = glance_at(work.reading, work.reading.source.parts[number])
        _write_json(file, _plain_glance(glance))


def survey_task(work: Work, number: int) -> None:
    """Reads parts, keeps what of them decides about the whole and, of text files, their rows, and counts their ids."""
    files = [work.file(f"counted-{name}", number, "arrow") for name in (USERS, ITEMS)]
    if all(file.exists() for file in files):
        return
    counts = IdCounts(), IdCounts()
    for part in work.groups[number]:
        survey, kept = _read(work, part)
        for count, name in zip(counts, (USERS, ITEMS), strict=True):
            count.add(kept[name])
        if work.keeps_rows:
            _write_table(work.file("rows", part, "arrow"), kept)
        plain = {**asdict(replace(survey, glance=Glance())), "glance": _plain_glance(survey.glance)}
        _write_json(work.file("survey", part, "json"), plain)
    for file, count in zip(files, counts, strict=True):
        _write_table(file, count.table())


def _write_table(file: Path, table: pl.DataFrame) -> None:
    short = table.with_columns(_short(values) for values in table)
    write_whole(file, lambda path: short.write_ipc(path, compression="uncompressed"))


def _short(values: pl.Series) -> pl.Series:
    """Whole numbers in 32 bits, if they fit."""
    if values.dtype != pl.Int64 or values.is_empty():
        return values
    low, high = int(values.min()), int(values.max())  # type: ignore[arg-type]
    return values.cast(pl.UInt32) if low >= 0 and high < 1 << 32 else values


def code_task(work: Work, number: int) -> None:
    """Gives the rows of some parts the codes of the whole, by ranges of users; what was kept of them is removed."""
    file = work.file("coded", number, "bin")
    if not file.exists() and work.plan is not None:
        try:
            ranges = len(work.plan.starts) - 1
            found = [each for part in work.groups[number] for each in _coded(work, work.plan, part)]
        except FileNotFoundError:
            if file.exists():
                # What was left of a lost task has ended meanwhile.
                return
            raise
        write_whole(file, lambda path: write_coded(path, found, ranges))
    for part in work.groups[number]:
        work.file("rows", part, "arrow").unlink(missing_ok=True)


def _coded(work: Work, plan: Plan, part: int) -> Iterator[Arrays]:
    survey = read_survey(work, part)
    if not survey.rows:
        return
    rows = pl.read_ipc(work.file("rows", part, "arrow")) if work.keeps_rows else None
    if rows is None or (plan.same and SAME not in rows.columns):
        survey, rows = _read(work, part, plan.same)
    users, items = (_ids(file, _stamp(file)) for file in (work.ids(USERS), work.ids(ITEMS)))
    found = code_part(plan, users, items, survey, rows)
    if found is None:
        raise changed_tables(work.reading.source.path)
    yield found


def changed_tables(source: str) -> DataError:
    """The error for tables that are not what they were when the preparation began.

    Args:
        source: the tables.
    """
    return DataError("its tables changed while they were read", fix="Run this again", source=source)


def order_task(work: Work, number: int) -> None:
    """Brings the interactions of a range of users into order, and writes them to their place among all others."""
    file = work.file("ordered", number, "npy")
    if file.exists() or work.plan is None:
        return
    paths = [work.file("coded", group, "bin") for group in range(len(work.groups))]
    coded = [_opened(path, _stamp(path)) for path in paths]
    first = sum(each.starts[number] for each in coded)
    arrays = order_range(work.plan, number, read_range(coded, number))
    put_range(work.folder, work.plan, first, arrays)
    told = np.concatenate([[first], arrays[REPEATED], arrays[LENGTHS]])
    write_whole(file, lambda path: _save(path, told))


def _save(path: Path, values: NDArray[np.int64]) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def _read(work: Work, number: int, same: bool = False) -> tuple[Survey, pl.DataFrame]:
    first = work.firsts[number] if work.firsts else 0
    return survey_part(work.reading, work.reading.source.parts[number], first, same)


def read_glance(work: Work, number: int) -> Glance:
    """What `glance_task` found."""
    return _glance(read_json(work.file("glance", number, "json")))


def _glance(found: dict[str, Any]) -> Glance:
    texts = {name: _profile(**profile) for name, profile in found["texts"].items()}
    numbering = {name: Numbering(**each) for name, each in found["numbering"].items()}
    dates = dict(found["dates"])
    allowed = None if dates["allowed"] is None else tuple(dates.pop("allowed"))
    return Glance(found["rows"], texts, numbering, tuple(found["numbers"]), DateForms(**{**dates, "allowed": allowed}))


def read_survey(work: Work, number: int) -> Survey:
    """What `survey_task` found."""
    found = read_json(work.file("survey", number, "json"))
    times, columns = found["times"], found["columns"]
    return Survey(
        found["rows"],
        tuple(found["names"]),
        tuple(found["notes"]),
        None if times is None else TimeSpan(*times),
        {name: _column(**column) for name, column in columns.items()},
        _glance(found["glance"]),
        found["exact"],
    )


def read_counted(work: Work, name: str) -> pl.DataFrame:
    """What `survey_task` counted in all parts.

    Args:
        work: the preparation.
        name: `USERS` or `ITEMS`.
    """
    counts = IdCounts()
    for group in range(len(work.groups)):
        counted = pl.read_ipc(work.file(f"counted-{name}", group, "arrow"))
        counts.add(counted["id"], counted[COUNT])
    return counts.table()


def read_ordered(work: Work, number: int) -> tuple[Ordered, NDArray[np.int64]]:
    """Where `order_task` has written a range, and what it counted of rows that stand there twice."""
    told: NDArray[np.int64] = np.load(work.file("ordered", number, "npy"), allow_pickle=False)
    return Ordered(int(told[0]), told[3:]), told[1:3]


def _profile(given: dict[str, Any], bare: dict[str, Any], codes: list[str] | None, **others: Any) -> TextProfile:
    return TextProfile(Shapes(**given), Shapes(**bare), codes=None if codes is None else frozenset(codes), **others)


def _plain_glance(glance: Glance) -> dict[str, Any]:
    plain = asdict(replace(glance, texts={}))
    plain["texts"] = {
        name: {**asdict(profile), "codes": None if profile.codes is None else sorted(profile.codes)}
        for name, profile in glance.texts.items()
    }
    return plain


def _column(kind: str, empty: bool, values: list[Any] | None, signs: dict[str, Any] | None) -> ColumnPart:
    return ColumnPart(
        kind, empty, None if values is None else tuple(values), None if signs is None else TextSigns(**signs)
    )


def _stamp(file: Path) -> tuple[int, int, int]:
    """What tells a file from an earlier one of its name, so that neither is taken for the other in memory."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=2)
def _ids(file: Path, stamp: tuple[int, int, int]) -> IdMap:
    return IdMap(pl.read_ipc(file)["id"])


@lru_cache(maxsize=4096)
def _opened(file: Path, stamp: tuple[int, int, int]) -> Coded:
    return open_coded(file)


def _write_json(file: Path, value: Any) -> None:
    write_whole(file, lambda path: path.write_text(json_text(value), encoding="utf-8"))


def write_whole(file: Path, write: Callable[[Path], object]) -> None:
    """Writes a file that is whole once it has its name.

    Args:
        file: to be written.
        write: writes the content to the path that it is given.
    """
    unfinished = file.with_name(unfinished_name(file.name))
    try:
        write(unfinished)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
