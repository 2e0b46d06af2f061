"""The steps from a folder of plain tables to one whose interactions are coded and sorted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.csr import offsets_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.construct import declared_columns, kept_columns, wider_catalogue, without_indices
from attrformer.data.duplicates import COUNTED, repeat_notes
from attrformer.data.folder import DESCRIPTION, find_tables, folder_tables, read_description
from attrformer.data.id_columns import spelling_notes, with_ids_of
from attrformer.data.interactions import time_notes
from attrformer.data.options import INTERACTIONS, columns_for
from attrformer.data.prepared.counting import COUNT
from attrformer.data.prepared.folder import reading_options
from attrformer.data.prepared.names import FORMAT, ITEMS, PREPARED, USERS
from attrformer.data.prepared.parts import Source
from attrformer.data.prepared.plan import Plan, plan_of, ranges_of
from attrformer.data.prepared.reading import (
    Glance,
    Reading,
    columns_of,
    needs_glance,
    notes_on,
    reading_of,
    reads_alike,
)
from attrformer.data.prepared.survey import Survey
from attrformer.data.prepared.tasks import (
    Work,
    changed_tables,
    code_task,
    glance_task,
    order_task,
    read_counted,
    read_glance,
    read_ordered,
    read_survey,
    survey_task,
    write_whole,
)
from attrformer.data.prepared.writing import Ordered, described_columns, make_room, write_prepared
from attrformer.data.table_paths import TABLE_NAMES
from attrformer.data.tables import Table, require_columns
from attrformer.data.tables_to_prepare import Asked
from attrformer.errors import DataError
from attrformer.folders import new_folder
from attrformer.io import json_text, write_text

Task = partial[None]
"""A function of a `Work`, bound to it, that takes the number of a part or range; other processes can run it, too."""

Run = Callable[[str, Task, int], None]
"""Runs a task for every number below a count, in any order and anywhere; the text says what is done."""

KEY: Final = "key.json"
"""File that says what the files of the steps depend on."""

_LAYOUT: Final = 3
"""Changes with what the steps write."""


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
    key = asked.key()
    others = [name for name in TABLE_NAMES if name != INTERACTIONS]
    tables, _ = folder_tables(asked.folder, asked.options, names=others)
    reading = Reading(
        source,
        columns_for(asked.options.columns, INTERACTIONS),
        {},
        kept_columns(()),
        form=asked.options.form_of(INTERACTIONS),
        date_order=asked.options.date_order,
    )
    columns = columns_of(reading)
    declared = declared_columns({INTERACTIONS: columns, **tables}, asked.options)
    require_columns(columns, (USER, ITEM))
    kinds, kept = declared.kinds[INTERACTIONS], kept_columns(declared.kept[INTERACTIONS])
    parts = [[part.file, part.start, part.stop] for part in source.parts]
    sizes = {"rows_of_range": asked.rows_of_range, "parts_together": asked.parts_together(len(parts))}
    # Numbers by which rows are told apart are those of one release of polars.
    _begin(folder, {**key, "parts": parts, **sizes, "polars": pl.__version__, "layout": _LAYOUT})
    work = Work(folder, replace(reading, kinds=kinds, kept=kept), together=sizes["parts_together"])
    work, surveys = _surveyed(work, run)
    plan = plan_of(surveys, source.path, work.reading.kinds, asked.options.duplicates)
    users, items, told, spelled = _ids(asked, work, without_indices(tables, declared.kept)[0])
    plan = replace(plan, starts=ranges_of(users[COUNT].to_numpy().astype(np.int64), asked.rows_of_range))
    work = replace(work, plan=plan)
    run("coded", partial(code_task, work), len(work.groups))
    # Later steps read no tables.
    _check_unchanged(asked, key)
    ranges, repeated = _ordered(work, plan, run)
    manifest = _manifest(asked, work, surveys, spelled, repeated)
    manifest |= {"told": told, "users": len(users), "items": len(items)}
    _check_unchanged(asked, key)
    _write(asked, work, out, users["id"], items, ranges, manifest)


def _ordered(work: Work, plan: Plan, run: Run) -> tuple[list[Ordered], NDArray[np.int64]]:
    """Where the ranges of users are, and how many rows repeat others."""
    make_room(work.folder, plan, list(work.folder.glob("ordered-*")))
    count = len(plan.starts) - 1
    run("sorted", partial(order_task, work), count)
    found = [read_ordered(work, number) for number in range(count)]
    return [ordered for ordered, _ in found], np.sum([repeated for _, repeated in found], axis=0)


def _check_unchanged(asked: Asked, key: dict[str, Any]) -> None:
    if asked.key() != key:
        raise changed_tables(str(asked.folder))


def _begin(folder: Path, key: dict[str, Any]) -> None:
    """Keeps what an interrupt has left of the same preparation, and nothing of another."""
    file = folder / KEY
    plain = json_text(key)
    if folder.exists() and not (file.is_file() and file.read_text(encoding="utf-8") == plain):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        write_text(file, plain)


def _surveyed(work: Work, run: Run) -> tuple[Work, list[Survey]]:
    """What all parts say, and how they are read.

    How texts are read, and which columns number the rows, follows from all parts. The first one most often tells it, so
    that one look at each is enough.
    """
    reading, parts = work.reading, work.reading.source.parts
    if not needs_glance(reading):
        work = replace(work, firsts=_firsts([part.stop - part.start for part in parts]))
        return work, _surveys(work, run)
    try:
        glance_task(work, 0)
        guessed = replace(work, reading=reading_of(reading, read_glance(work, 0)))
        surveys = _surveys(guessed, run)
        found = reading_of(reading, _together(survey.glance for survey in surveys))
        if reads_alike(guessed.reading, found):
            return replace(guessed, reading=found), surveys
    except DataError:
        # It may come of the guess, and the number of its row is not known yet.
        pass
    run("looked at", partial(glance_task, work), len(parts))
    glances = [read_glance(work, number) for number in range(len(parts))]
    found = reading_of(reading, _together(glances))
    work = replace(work, reading=found, firsts=_firsts([glance.rows for glance in glances]), again=True)
    return work, _surveys(work, run)


def _surveys(work: Work, run: Run) -> list[Survey]:
    run("read", partial(survey_task, work), len(work.groups))
    return [read_survey(work, number) for number in range(len(work.reading.source.parts))]


def _together(glances: Iterable[Glance]) -> Glance:
    whole = Glance()
    for glance in glances:
        whole = whole.then(glance)
    return whole


def _firsts(rows: list[int]) -> tuple[int, ...]:
    return tuple(int(first) for first in offsets_of(rows)[:-1])


def _ids(asked: Asked, work: Work, others: dict[str, Table]) -> tuple[pl.DataFrame, pl.Series, list[str], list[str]]:
    """The users with the number of their rows and the items of the catalogue, both in order, and what is to be said.

    It is said of the types of the ids, and of the spelling of those in the interactions.
    """
    found = {name: read_counted(work, name) for name in (USERS, ITEMS)}
    source = work.reading.source
    text = source.text or (source.whole and asked.text)
    users, items, tables, told = with_ids_of(
        found[USERS]["id"], found[ITEMS]["id"], others, source=source.path, text=text
    )
    counted = found[USERS].with_columns(users.alias("id")).sort("id")
    items = items.sort()
    spelled = [*spelling_notes("user", counted["id"]), *spelling_notes("item", items)]
    if "items" in tables and asked.options.catalogue == "all":
        items = wider_catalogue(items, tables["items"]).values
    for name, ids in ((USERS, counted["id"]), (ITEMS, items)):
        if not work.ids(name).exists():
            write_whole(work.ids(name), pl.DataFrame({"id": ids}).write_ipc)
    return counted, items, told, spelled


def _manifest(
    asked: Asked, work: Work, surveys: list[Survey], spelled: list[str], repeated: NDArray[np.int64]
) -> dict[str, Any]:
    plan, source = work.plan, work.reading.source
    assert plan is not None
    again, near = repeated.tolist()
    wanted = asked.options.duplicates
    said = [
        *plan.said,
        *spelled,
        *time_notes(plan.times),
        *repeat_notes(plan.rows, again, near, plan.times is not None, wanted),
    ]
    notes = surveys[0].notes if source.whole else notes_on(work.reading)
    label = Path(source.path).name
    labels = {column.name: column.labels for column in plan.columns}
    return {
        "format": FORMAT,
        "key": asked.key(),
        "source": {"name": label, "rows": plan.rows},
        "options": reading_options(asked.options, work.reading.kinds),
        "names": list(plan.names),
        "about": [*find_tables(asked.folder)[1], *(f"{label}: {note}" for note in notes)],
        "said": [f"{label}: {note}" for note in said],
        "timed": plan.times is not None,
        "last": None if plan.times is None else plan.times.last,
        "date_order": "" if plan.times is None else plan.times.date_order,
        "behaviours": described_columns(labels, wanted == COUNTED),
    }


def _write(
    asked: Asked,
    work: Work,
    out: Path,
    users: pl.Series,
    items: pl.Series,
    ranges: list[Ordered],
    manifest: dict[str, Any],
) -> None:
    kinds = asked.options.kinds.items()
    described = {
        **read_description(asked.folder),
        "columns": dict(asked.options.columns),
        "kinds": {name: kind.value if isinstance(kind, AttributeKind) else kind for name, kind in kinds},
        "separators": dict(asked.options.separators),
        "catalogue": asked.options.catalogue,
    }
    described |= asked.options.told
    described |= {} if asked.options.duplicates is None else {"duplicates": asked.options.duplicates}
    plan = work.plan
    assert plan is not None
    with new_folder(out) as staged:
        for place in asked.copied():
            copy = shutil.copytree if place.is_dir() else shutil.copy2
            copy(place, staged / place.name)
        (staged / DESCRIPTION).write_text(json_text(described), encoding="utf-8")
        (staged / PREPARED).mkdir()
        write_prepared(staged / PREPARED, work.folder, plan, users, items, ranges, manifest)
