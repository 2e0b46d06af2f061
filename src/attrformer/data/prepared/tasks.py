"""The steps of a preparation as tasks: each reads files, makes one, and may run anywhere and again.

A task is a function of a `Work` and the number of a part or range. It leaves a file that is there already as it is, and
writes what is not there under another name first. So an interrupted preparation goes on where it stopped, and tasks of
one step may run in any order, in several processes or on several machines that share the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attribute_kinds import TextSigns
from attrformer.data.id_map import IdMap
from attrformer.data.interactions import TimeSpan
from attrformer.data.prepared.coding import STARTS, Arrays, code_part, read_array, read_arrays, write_arrays
from attrformer.data.prepared.columns import ColumnPart
from attrformer.data.prepared.names import ITEMS, REPEATED, USERS
from attrformer.data.prepared.ordering import order_range
from attrformer.data.prepared.plan import Plan
from attrformer.data.prepared.reading import Glance, Numbering, Reading, glance_at
from attrformer.data.prepared.survey import Survey, survey_part
from attrformer.data.text_columns import Shapes, TextProfile
from attrformer.io import json_text, read_json, unfinished_name

COUNT: Final = "rows"
"""Column of the files of ids: in how many rows an id stands."""


@dataclass(frozen=True, slots=True)
class Work:
    """A preparation.

    Args:
        folder: where its files are.
        reading: how parts are read.
        firsts: the number of the first row of each part; empty where that is not known yet.
        again: whether parts are read for the second time, since the first part did not tell how.
        plan: what the surveys decided; known once all parts were surveyed.
    """

    folder: Path
    reading: Reading
    firsts: tuple[int, ...] = ()
    again: bool = False
    plan: Plan | None = None

    def file(self, step: str, number: int, ending: str) -> Path:
        """Where a task's file is."""
        return self.folder / f"{step}{'-again' if self.again else ''}-{number:05d}.{ending}"

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
    """Reads a part and keeps its rows in few bytes, and what of it decides about the whole."""
    file = work.file("survey", number, "json")
    if file.exists():
        return
    first = work.firsts[number] if work.firsts else 0
    survey, kept = survey_part(work.reading, work.reading.source.parts[number], first)
    write_whole(work.file("rows", number, "arrow"), lambda path: kept.write_ipc(path, compression="uncompressed"))
    _write_json(file, {**asdict(replace(survey, glance=Glance())), "glance": _plain_glance(survey.glance)})


def code_task(work: Work, number: int) -> None:
    """Gives the rows of a part the codes of the whole, by ranges of users; what was kept of the part is removed."""
    file, kept = work.file("coded", number, "safetensors"), work.file("rows", number, "arrow")
    if not file.exists() and work.plan is not None:
        try:
            rows = pl.read_ipc(kept)
        except FileNotFoundError:
            if file.exists():
                # What was left of a lost task has ended meanwhile.
                return
            raise
        users, items = (_ids(file, _stamp(file)) for file in (work.ids(USERS), work.ids(ITEMS)))
        arrays = code_part(work.plan, users, items, read_survey(work, number), rows)
        write_whole(file, lambda path: write_arrays(path, arrays))
    kept.unlink(missing_ok=True)


def order_task(work: Work, number: int) -> None:
    """Brings the interactions of a range of users into order."""
    file = work.file("ordered", number, "safetensors")
    if file.exists() or work.plan is None:
        return
    pieces = []
    for part in range(len(work.reading.source.parts)):
        coded = work.file("coded", part, "safetensors")
        start, stop = _starts(coded, _stamp(coded))[number : number + 2]
        pieces.append(read_arrays(coded, start, stop))
    arrays = order_range(work.plan, number, pieces)
    write_whole(file, lambda path: write_arrays(path, arrays))


def read_glance(work: Work, number: int) -> Glance:
    """What `glance_task` found."""
    return _glance(read_json(work.file("glance", number, "json")))


def _glance(found: dict[str, Any]) -> Glance:
    texts = {name: _profile(**profile) for name, profile in found["texts"].items()}
    numbering = {name: Numbering(**each) for name, each in found["numbering"].items()}
    return Glance(found["rows"], texts, numbering, tuple(found["numbers"]))


def read_survey(work: Work, number: int) -> Survey:
    """What `survey_task` found."""
    found = read_json(work.file("survey", number, "json"))
    times, columns = found["times"], found["columns"]
    return Survey(
        found["rows"],
        tuple(found["names"]),
        tuple(found["notes"]),
        (found["whole"][0], found["whole"][1]),
        None if times is None else TimeSpan(*times),
        {name: _column(**column) for name, column in columns.items()},
        _glance(found["glance"]),
    )


def read_ordered(work: Work, number: int) -> Arrays:
    """What `order_task` made."""
    return read_arrays(work.file("ordered", number, "safetensors"))


def read_repeated(work: Work, number: int) -> NDArray[np.int64]:
    """What `order_task` counted of rows that stand there twice."""
    return read_array(work.file("ordered", number, "safetensors"), REPEATED)


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
def _starts(file: Path, stamp: tuple[int, int, int]) -> list[int]:
    found: list[int] = read_array(file, STARTS).tolist()
    return found


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
