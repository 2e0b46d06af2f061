"""A folder of plain tables, of any size, as a dataset folder whose interactions are coded and sorted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from attrformer.data.attributes import AttributeKind
from attrformer.data.folder import DESCRIPTION, find_tables, folder_options
from attrformer.data.formats.tables import check_target
from attrformer.data.options import INTERACTIONS
from attrformer.data.prepared.folder import open_prepared
from attrformer.data.prepared.names import MANIFEST, PREPARED
from attrformer.data.prepared.parts import whole_table
from attrformer.data.prepared.reading import WholeTableError
from attrformer.data.preparing import Run, prepare_source
from attrformer.data.tables_to_prepare import MEMORY, WORKERS, Asked
from attrformer.data.vector_tables import VECTOR_FOLDERS
from attrformer.errors import DataError
from attrformer.io import IN_FOLDER, hidden_name, is_unfinished, read_json, reporting
from attrformer.locks import locked_place


@dataclass(frozen=True, slots=True)
class PreparedTables:
    """What `prepare_tables` did.

    Args:
        folder: the dataset folder.
        interactions: how many it holds.
        users: how many acted.
        items: how many are in the catalogue.
        fresh: whether anything was done; not where the folder held the same already.
    """

    folder: Path
    interactions: int
    users: int
    items: int
    fresh: bool


def side_by_side(step: str, task: Callable[[int], None], count: int) -> None:
    """Runs a task for every number in `WORKERS` threads; of several errors the one of the least number is raised."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(task, number) for number in range(count)]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def prepare_tables(
    folder: Path | str,
    out: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str | AttributeKind] | None = None,
    separators: Mapping[str, str] | None = None,
    catalogue: str | None = None,
    duplicates: str | None = None,
    date_order: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    headers: Mapping[str, str] | None = None,
    memory: int | None = None,
    overwrite: bool = False,
    run: Run = side_by_side,
    part_rows: int | None = None,
) -> PreparedTables:
    """Codes and sorts the interactions of a dataset folder, in bounded memory, and writes a folder that opens at once.

    `Dataset.load` makes the same dataset of both folders. What an interrupt leaves is used when the same call is made
    again.

    Args:
        folder: as `Dataset.load` takes it.
        out: the dataset folder to write. It holds arrays in place of the table of interactions, and copies of the other
            tables.
        columns: as `Dataset.load` takes it, and so are the next nine.
        kinds: see `columns`.
        separators: see `columns`.
        catalogue: see `columns`.
        duplicates: see `columns`.
        date_order: see `columns`.
        delimiter: see `columns`.
        decimal: see `columns`.
        encoding: see `columns`.
        headers: see `columns`.
        memory: bytes for the rows that are looked at together; ids and the other tables come on top of it.
        overwrite: replace an earlier dataset folder.
        run: runs the tasks of a step; in a few threads by default.
        part_rows: rows of a part, in place of what follows from `memory`.

    Raises:
        ConfigurationError: `memory` or `part_rows` is below 1.
        DataError: a table cannot be used as it is; the message names the table, column and row.
        BusyError: another process is writing there.
        WriteError: the folder cannot be written.
    """
    folder, out = Path(folder).expanduser(), Path(out).expanduser().resolve()
    options = folder_options(
        folder,
        columns=columns,
        kinds=kinds,
        separators=separators,
        catalogue=catalogue,
        duplicates=duplicates,
        date_order=date_order,
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
        headers=headers,
    )
    asked = Asked(folder, options, MEMORY if memory is None else memory, part_rows)
    if folder.resolve() == out:
        raise DataError(
            "the output would take the place of the tables", fix="Name another folder for it", source=str(out)
        )
    with locked_place(out):
        done = _done(out, asked)
        if done is not None and not overwrite:
            return done
        _check_out(out, overwrite=overwrite)
        work = out.with_name(hidden_name(out.name, "preparing"))
        with reporting(work):
            try:
                prepare_source(asked, asked.cut(), work, out, run)
            except WholeTableError:
                if asked.needed > asked.memory:
                    raise
                prepare_source(asked, whole_table(asked.table, options.form_of(INTERACTIONS)), work, out, run)
            shutil.rmtree(work)
    return replace(_of(out), fresh=True)


def _done(out: Path, asked: Asked) -> PreparedTables | None:
    """What lies in the folder, if it is what would be made."""
    file = out / PREPARED / MANIFEST
    if not file.is_file():
        return None
    try:
        same = read_json(file).get("key") == json.loads(json.dumps(asked.key()))
        return _of(out) if same else None
    except (ValueError, AttributeError, DataError):
        return None


def _of(out: Path) -> PreparedTables:
    found = open_prepared(out)
    assert found is not None
    return PreparedTables(out, len(found.sequences.items), len(found.user_ids), len(found.item_ids), False)


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuses a folder that holds anything but a dataset, or one that is not to be replaced."""
    if not (out / PREPARED).is_dir():
        check_target(out, overwrite=overwrite)
        return
    present = [entry.name for entry in out.iterdir() if entry.name != IN_FOLDER and not is_unfinished(entry.name)]
    files = {file.name for file in find_tables(out)[0].values()}
    foreign = sorted(set(present) - files - {PREPARED, DESCRIPTION, *VECTOR_FOLDERS})
    if foreign:
        raise DataError(
            f"the output folder holds other files ({', '.join(foreign[:3])}) and is left untouched",
            fix="Name an output folder that does not exist yet",
            source=str(out),
        )
    if not overwrite:
        raise DataError(
            "the output folder already holds a dataset",
            fix="Name another folder, or ask to overwrite it (--overwrite)",
            source=str(out),
        )
