"""The steps from a folder of plain tables to one whose interactions are coded and sorted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from attrformer.csr import offsets_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.construct import TABLE_NAMES, declared_columns, kept_columns, wider_catalogue, without_indices
from attrformer.data.duplicates import COUNTED, repeat_notes
from attrformer.data.folder import DESCRIPTION, find_tables, folder_tables, read_description
from attrformer.data.id_columns import spelling_notes, with_ids_of
from attrformer.data.interactions import time_notes
from attrformer.data.options import INTERACTIONS, TableOptions
from attrformer.data.prepared.folder import (
    FORMAT,
    PREPARED,
    described_columns,
    is_prepared,
    reading_options,
    write_prepared,
)
from attrformer.data.prepared.ordering import REPEATED
from attrformer.data.prepared.parts import Source, cut_table, files_of, whole_table
from attrformer.data.prepared.plan import plan_of, ranges_of
from attrformer.data.prepared.survey import (
    ITEMS,
    USERS,
    Glance,
    Reading,
    Survey,
    named_part,
    needs_glance,
)
from attrformer.data.prepared.tasks import (
    COUNT,
    Work,
    code_task,
    glance_task,
    order_task,
    read_glance,
    read_ordered,
    read_survey,
    survey_task,
)
from attrformer.data.table_files import SEPARATORS, ending_of
from attrformer.data.tables import Table
from attrformer.data.vector_tables import VECTOR_FOLDERS
from attrformer.errors import DataError
from attrformer.folders import new_folder
from attrformer.io import json_text, write_text

Task = partial[None]
"""A function of a `Work`, bound to it, that takes the number of a part or range; other processes can run it, too."""

Run = Callable[[str, Task, int], None]
"""Runs a task for every number below a count, in any order and anywhere; the text says what is done."""

KEY: Final = "key.json"
"""File that says what the files of the steps depend on."""

MEMORY: Final = 2 << 30
"""Bytes for the rows that are looked at together."""

_BYTES_OF_ROW: Final = 800
"""Memory for a row of the part that is being read."""

_LEAST_ROWS: Final = 50_000
_UNFOLDED: Final = 12
"""Memory for a byte of a file that is read as a whole."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be prepared, and how."""

    folder: Path
    options: TableOptions
    encoding: str
    memory: int
    part_rows: int | None

    @property
    def table(self) -> Path:
        """The file, or folder of files, of the interactions."""
        files, _ = find_tables(self.folder)
        if INTERACTIONS not in files and is_prepared(self.folder):
            raise DataError(
                "its interactions are prepared already",
                fix="Give the folder that it was made of, or pass this one to --data",
                source=str(self.folder),
            )
        if INTERACTIONS not in files:
            # Says what is missing.
            folder_tables(self.folder, {}, names=())
        return files[INTERACTIONS]

    @property
    def text(self) -> bool:
        """Whether the table is a text file."""
        ending = ending_of(self.table) or ""
        return ending.removesuffix(".gz") in SEPARATORS

    @property
    def rows(self) -> int:
        """Rows of a part."""
        return self.part_rows or max(_LEAST_ROWS, self.memory // _BYTES_OF_ROW)

    @property
    def needed(self) -> int:
        """About the bytes of memory that the table takes as a whole."""
        return _UNFOLDED * sum(file.stat().st_size for file in files_of(self.table))

    def cut(self) -> Source:
        """The table in parts.

        Raises:
            DataError: it can only be read as a whole, and is too large for that.
        """
        source = cut_table(self.table, self.rows, self.encoding)
        if source is not None:
            return source
        if self.needed > self.memory:
            raise DataError(
                f"such a file is read as a whole, which takes about {self.needed >> 20:,} MB of memory, and "
                f"{self.memory >> 20:,} are allowed",
                fix="Write it as parquet or csv, or allow more (--memory)",
                source=str(self.table),
            )
        return whole_table(self.table, self.encoding)

    def copied(self) -> list[Path]:
        """What else of the folder is read."""
        files, _ = find_tables(self.folder)
        others = [file for name, file in files.items() if name != INTERACTIONS]
        vectors = [self.folder / name for name in VECTOR_FOLDERS]
        return [*others, *(place for place in vectors if place.is_dir())]

    def key(self) -> dict[str, Any]:
        """What the result depends on, as plain values."""
        inside = [file for place in self.copied() for file in ([place] if place.is_file() else sorted(place.iterdir()))]
        files = [*files_of(self.table), *inside]
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        options = {key: str(value) for key, value in sorted(self.options.kinds.items())}
        return {
            "format": FORMAT,
            "files": [{"name": name, "bytes": size, "modified": time} for name, size, time in stats],
            "columns": dict(self.options.columns),
            "kinds": options,
            "separators": dict(self.options.separators),
            "catalogue": self.options.catalogue,
            "duplicates": self.options.duplicates,
            "encoding": self.encoding,
        }


def prepare_source(asked: Asked, source: Source, folder: Path, out: Path, run: Run) -> None:
    """All steps, of which those that were done before are left out.

    Args:
        asked: what is to be prepared.
        source: its table of interactions.
        folder: where files of the steps are kept until all is done.
        out: the dataset folder to write.
        run: runs the tasks of a step.

    Raises:
        WholeTableError: parts do not tell what the whole table would.
        DataError: a table cannot be used as it is.
    """
    _begin(folder, {**asked.key(), "parts": [[part.file, part.start, part.stop] for part in source.parts]})
    others = [name for name in TABLE_NAMES if name != INTERACTIONS]
    tables, _ = folder_tables(asked.folder, asked.options.columns, encoding=asked.encoding, names=others)
    first = replace(source.parts[0], stop=source.parts[0].start)
    reading = Reading(source, asked.options.columns, {}, kept_columns(()))
    every = {INTERACTIONS: named_part(reading, first), **tables}
    declared = declared_columns(every, asked.options)
    kinds, kept = declared.kinds[INTERACTIONS], kept_columns(declared.kept[INTERACTIONS])
    work = _glanced(Work(folder, replace(reading, kinds=kinds, kept=kept)), run)
    run("read", partial(survey_task, work), len(source.parts))
    surveys = [read_survey(work, number) for number in range(len(source.parts))]
    plan = plan_of(surveys, source.path, work.reading.kinds, asked.options.duplicates)
    users, items, told = _ids(asked, work, surveys, without_indices(tables, declared.kept)[0])
    plan = replace(plan, starts=ranges_of(users[COUNT].to_numpy().astype(np.int64), asked.rows))
    work = replace(work, plan=plan)
    run("coded", partial(code_task, work), len(source.parts))
    run("sorted", partial(order_task, work), len(plan.starts) - 1)
    manifest = {**_manifest(asked, work, surveys, users["id"], items), "told": told}
    _write(asked, work, out, users["id"], items, manifest)


def _begin(folder: Path, key: dict[str, Any]) -> None:
    """Keeps what an interrupt has left of the same preparation, and nothing of another."""
    file = folder / KEY
    plain = json_text(key)
    if folder.exists() and not (file.is_file() and file.read_text(encoding="utf-8") == plain):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        write_text(file, plain)


def _glanced(work: Work, run: Run) -> Work:
    """The same once it is known how texts are read, which columns number the rows, and where each part begins."""
    reading, parts = work.reading, work.reading.source.parts
    if not needs_glance(reading):
        return replace(work, firsts=_firsts([part.stop - part.start for part in parts]))
    run("looked at", partial(glance_task, work), len(parts))
    glances = [read_glance(work, number) for number in range(len(parts))]
    whole = Glance()
    for glance in glances:
        whole = whole.then(glance)
    source = reading.source.path
    left_out = [name for name, found in whole.numbering.items() if found.numbers_rows(name, source)]
    reading = replace(reading, texts=whole.texts, left_out=left_out)
    return replace(work, reading=reading, firsts=_firsts([glance.rows for glance in glances]))


def _firsts(rows: list[int]) -> tuple[int, ...]:
    return tuple(int(first) for first in offsets_of(rows)[:-1])


def _ids(
    asked: Asked, work: Work, surveys: list[Survey], others: dict[str, Table]
) -> tuple[pl.DataFrame, pl.Series, list[str]]:
    """The users with the number of their rows and the items of the catalogue, both in order; and what is to be said."""
    held = [work.file("rows", number, "arrow") for number, survey in enumerate(surveys) if survey.rows]
    found = {}
    for name, place in ((USERS, 0), (ITEMS, 1)):
        file = work.ids(f"counted-{name}")
        if not file.exists():
            kind = pl.Int64 if all(survey.whole[place] for survey in surveys if survey.rows) else pl.String
            _count_ids(held, name, kind).write_ipc(file)
        found[name] = pl.read_ipc(file)
    source = work.reading.source
    text = source.text or (source.whole and asked.text)
    users, items, tables, told = with_ids_of(
        found[USERS]["id"], found[ITEMS]["id"], others, source=source.path, text=text
    )
    counted = found[USERS].with_columns(users.alias("id")).sort("id")
    items = items.sort()
    if "items" in tables and asked.options.catalogue == "all":
        items = wider_catalogue(items, tables["items"]).values
    for name, ids in ((USERS, counted["id"]), (ITEMS, items)):
        if not work.ids(name).exists():
            pl.DataFrame({"id": ids}).write_ipc(work.ids(name), compression="uncompressed")
    return counted, items, told


def _count_ids(files: list[Path], name: str, kind: type[pl.DataType]) -> pl.DataFrame:
    """The distinct ids in the order in which they first stand there, and in how many rows each stands."""
    rows = pl.concat([pl.scan_ipc(file).select(pl.col(name).cast(kind).alias("id")) for file in files])
    counted = rows.group_by("id", maintain_order=kind is pl.String).agg(pl.len().alias(COUNT))
    return counted.collect(engine="streaming")


def _manifest(asked: Asked, work: Work, surveys: list[Survey], users: pl.Series, items: pl.Series) -> dict[str, Any]:
    plan, source = work.plan, work.reading.source
    assert plan is not None
    repeated = [read_ordered(work, number)[REPEATED] for number in range(len(plan.starts) - 1)]
    again, near = np.sum(repeated, axis=0).tolist()
    wanted = asked.options.duplicates
    said = [
        *plan.said,
        *spelling_notes("user", users),
        *spelling_notes("item", items),
        *time_notes(plan.times),
        *repeat_notes(plan.rows, again, near, plan.times is not None, wanted),
    ]
    held = next(survey for survey in surveys if survey.rows)
    label = Path(source.path).name
    labels = {column.name: column.labels for column in plan.columns}
    return {
        "format": FORMAT,
        "key": asked.key(),
        "source": {"name": label, "rows": plan.rows, "parts": len(source.parts)},
        "options": reading_options(asked.options, work.reading.kinds),
        "names": list(plan.names),
        "about": [*find_tables(asked.folder)[1], *(f"{label}: {note}" for note in held.notes)],
        "said": [f"{label}: {note}" for note in said],
        "timed": plan.times is not None,
        "last": None if plan.times is None else plan.times.last,
        "behaviours": described_columns(labels, wanted == COUNTED),
        "users": len(users),
        "items": len(items),
    }


def _write(asked: Asked, work: Work, out: Path, users: pl.Series, items: pl.Series, manifest: dict[str, Any]) -> None:
    kinds = asked.options.kinds.items()
    described = {
        **read_description(asked.folder),
        "columns": dict(asked.options.columns),
        "kinds": {name: kind.value if isinstance(kind, AttributeKind) else kind for name, kind in kinds},
        "separators": dict(asked.options.separators),
        "catalogue": asked.options.catalogue,
    }
    described |= {} if asked.options.duplicates is None else {"duplicates": asked.options.duplicates}
    plan = work.plan
    assert plan is not None
    with new_folder(out) as staged:
        for place in asked.copied():
            copy = shutil.copytree if place.is_dir() else shutil.copy2
            copy(place, staged / place.name)
        (staged / DESCRIPTION).write_text(json_text(described), encoding="utf-8")
        (staged / PREPARED).mkdir()
        ranges = (read_ordered(work, number) for number in range(len(plan.starts) - 1))
        write_prepared(staged / PREPARED, users, items, ranges, manifest)
