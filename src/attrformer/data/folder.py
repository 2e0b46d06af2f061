"""A dataset from a folder of plain tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from attrformer.columns import TIMESTAMP
from attrformer.data.attributes import AttributeKind
from attrformer.data.construct import columns_of_prepared, dataset_of_prepared, dataset_of_tables
from attrformer.data.mapped_columns import tables_about
from attrformer.data.options import TableOptions, columns_for
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.prepared.folder import is_prepared, open_prepared
from attrformer.data.prepared.names import PREPARED
from attrformer.data.table_paths import PARQUET, TABLE_NAMES, ending_of, parts_of
from attrformer.data.tables import Table, open_table
from attrformer.data.unread_files import held_by, renaming_of, unread_in
from attrformer.data.vector_tables import Vectors, by_table, vectors_in, with_vectors
from attrformer.errors import DataError
from attrformer.folders import standing_file, standing_files
from attrformer.io import read_json

DESCRIPTION: Final = "dataset.json"

_REPEATED: Final = " rows repeat"
_USE: Final = re.compile(r"(column '.*' is )(read as|not used)", re.DOTALL)
# A saved dataset has times in seconds, and no columns that were not used and told rows apart.
_REWORDED: Final = (f"column '{TIMESTAMP}' holds", _REPEATED)
_SHAPE: Final = {
    "name": str,
    "catalogue": str,
    "columns": dict,
    "kinds": dict,
    "separators": dict,
    "duplicates": str,
    "date_order": str,
    "delimiter": str,
    "decimal": str,
    "encoding": str,
    "headers": dict,
    "notes": list,
}


def folder_options(
    folder: Path,
    *,
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str | AttributeKind] | None = None,
    separators: Mapping[str, str] | None = None,
    catalogue: str | None = None,
    on_unknown: str = "skip",
    duplicates: str | None = None,
    date_order: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> TableOptions:
    """How the tables in a folder are to be read: as its description says, unless the arguments of `Dataset.load` do.

    Raises:
        DataError: there is no such folder, or its description is damaged.
        ConfigurationError: an option has an unknown value.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", fix="Check the path", source=str(folder))
    described = read_description(folder)
    return TableOptions(
        columns={**described.get("columns", {}), **(columns or {})},
        kinds={**described.get("kinds", {}), **(kinds or {})},
        separators={**described.get("separators", {}), **(separators or {})},
        catalogue=catalogue or described.get("catalogue", "interacted"),
        on_unknown=on_unknown,
        duplicates=duplicates or described.get("duplicates"),
        date_order=date_order or described.get("date_order"),
        delimiter=delimiter or described.get("delimiter"),
        decimal=decimal or described.get("decimal"),
        encoding=encoding or described.get("encoding", "utf-8"),
        headers={**described.get("headers", {}), **(headers or {})},
    )


def is_dataset_folder(folder: Path) -> bool:
    """Whether a folder holds a table of interactions, or interactions that were prepared."""
    if is_prepared(folder):
        return True
    return folder.is_dir() and any(_is_table(file, "interactions") for file in _present(folder))


def folder_tables(
    folder: Path,
    options: TableOptions,
    *,
    names: Collection[str] = TABLE_NAMES,
    vectors: Vectors | None = None,
) -> tuple[dict[str, Table], list[str]]:
    """The tables in a dataset folder, by name, and sentences about files that are not read.

    Args:
        folder: where the tables are.
        options: how they are read.
        names: the tables to read.
        vectors: files of vectors beside those in the folder, as `Dataset.load` takes them.

    Raises:
        DataError: there is no table of interactions, or a file that cannot be read.
    """
    files, notes = find_tables(folder)
    if "interactions" not in files and not is_prepared(folder):
        raise DataError(
            f"the folder has no table of interactions ({held_by(folder)})",
            fix=f"{renaming_of(folder)} interactions.parquet, interactions.csv or a folder interactions of such files "
            "with user_id, item_id and, where known, timestamp",
            source=str(folder),
        )
    tables = {
        table: open_table(file, table, columns_for(options.columns, table), options.form_of(table))
        for table, file in files.items()
        if table in names
    }
    beside = {name: file for name, file in vectors_in(folder).items() if name.partition(".")[0] in names}
    return with_vectors(tables, {**beside, **by_table(vectors)}), notes


def fitting_columns(folder: Path, options: TableOptions) -> dict[str, str]:
    """Names of columns that another folder was read by, without those that this one does not need.

    Args:
        folder: where the tables are.
        options: how they are read.

    Returns:
        Without names of columns that no table has, where a table has the library's own, or there is no such table.

    Raises:
        DataError: a table cannot be read.
    """
    columns = options.columns
    tables, _ = folder_tables(folder, options)
    read = None if "interactions" in tables else open_prepared(folder)
    if read is not None:
        tables["interactions"] = columns_of_prepared(read)
    fitting = {}
    for name, theirs in columns.items():
        ours, held = tables_about(name, tables)
        named = any(ours in table.renamed for table in held)
        if named or (held and not any(ours in table.frame.columns for table in held)):
            fitting[name] = theirs
    return fitting


def dataset_of_folder(
    folder: Path,
    tables: Mapping[str, Table],
    options: TableOptions,
    *,
    name: str | None = None,
    notes: Iterable[str] = (),
) -> PlainDataset:
    """The dataset that `Dataset.load` makes of the tables in a folder.

    Args:
        folder: where they are.
        tables: by name; without the interactions where they were prepared.
        options: how they are read.
        name: what protocol lines call the data.
        notes: what was said of the files.
    """
    described = read_description(folder)
    named = name or described.get("name") or folder.resolve().name
    read = None if "interactions" in tables else open_prepared(folder)
    if read is None:
        dataset = dataset_of_tables(tables, name=named, options=options)
    else:
        dataset = dataset_of_prepared(read, tables, name=named, options=options)
    unknown = ", ".join(f"'{key}'" for key in described if key not in _SHAPE)
    ignored = [f"{DESCRIPTION}: {unknown} is none of {', '.join(_SHAPE)}, and is not used"] if unknown else []
    return replace(dataset, notes=_joined_notes(described.get("notes", []), (*ignored, *notes, *dataset.notes)))


def find_tables(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The files of the tables in a folder, by the names of the tables, and a sentence about each that is not read.

    Raises:
        DataError: there are several files of one table, and none or more than one of them is a parquet file.
    """
    found, notes = dict[str, Path](), list[str]()
    present = _present(folder)
    for table in TABLE_NAMES:
        files = [file for file in present if _is_table(file, table)]
        parquet = [file for file in files if {ending_of(part) for part in parts_of(file) or [file]} <= {*PARQUET}]
        chosen = files if len(files) == 1 else parquet
        if len(files) > 1 and len(parquet) != 1:
            raise DataError(
                f"there are several files of one table: {', '.join(file.name for file in files)}",
                fix="Leave one of them, or a parquet file beside the others, which is then read",
                source=str(folder),
            )
        if chosen:
            found[table] = chosen[0]
        others = [file.name for file in files if file not in chosen]
        if others:
            notes.append(f"{chosen[0].name}: this file is read, {', '.join(others)} beside it is not")
    if "interactions" in found and is_prepared(folder):
        notes.append(f"{found['interactions'].name}: this file is read, {PREPARED} beside it is not")
    told = {DESCRIPTION, *(file.name for file in present if any(_is_table(file, table) for table in TABLE_NAMES))}
    return found, notes + unread_in(folder, told)


def _joined_notes(before: list[str], now: Iterable[str]) -> tuple[str, ...]:
    """Earlier notes first; what is said again about the same table, now under its file's name, is left out."""
    said = {_subject(note) for note in before} | ({_REPEATED} if before else set())
    return (*before, *(note for note in now if _subject(note) not in said))


def _subject(note: str) -> str:
    """What a note is about, without its table: itself, or what saving a dataset lets a later note say otherwise."""
    text = note.partition(": ")[2]
    used = _USE.match(text)
    if used is not None:
        return used[1]
    return next((subject for subject in _REWORDED if subject in text), text)


def _present(folder: Path) -> list[Path]:
    """The files of a folder, and the folders in it that are a table in parts."""
    return [*standing_files(folder), *sorted(part for part in folder.iterdir() if parts_of(part))]


def _is_table(file: Path, table: str) -> bool:
    ending = "" if file.is_dir() and ending_of(file) is None else ending_of(file)
    return ending == file.name[len(table) :].lower() and file.name.lower().partition(".")[0] == table


def read_description(folder: Path) -> dict[str, Any]:
    """What the description of a dataset folder says; nothing where there is none.

    Raises:
        DataError: it is damaged.
    """
    file = standing_file(folder, DESCRIPTION)
    if not file.is_file():
        return {}
    try:
        described = read_json(file)
    except ValueError as error:
        raise DataError(f"it is not JSON ({error})", fix="Repair the file or delete it", source=str(file)) from error
    if not isinstance(described, dict) or any(
        not isinstance(described.get(key, kind()), kind) for key, kind in _SHAPE.items()
    ):
        raise DataError(
            f"it does not hold {', '.join(_SHAPE)}, each of its type",
            fix="Repair the file or delete it",
            source=str(file),
        )
    texts = [value for key in ("columns", "kinds", "separators") for value in described.get(key, {}).values()]
    if not all(isinstance(value, str) for value in texts):
        raise DataError(
            "it does not say columns, kinds and separators as texts by column",
            fix="Repair the file or delete it",
            source=str(file),
        )
    return described
