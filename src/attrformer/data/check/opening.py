"""From a path to a report: dataset folders, raw files and single tables, readable or not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.check.checks import check_dataset
from attrformer.data.check.findings import ColumnUse, Finding, Severity
from attrformer.data.check.report import CheckReport
from attrformer.data.check.subject import SAMPLE
from attrformer.data.check.uses import column_uses
from attrformer.data.construct import dataset_of_tables
from attrformer.data.folder import dataset_of_folder, folder_options, folder_tables, is_dataset_folder
from attrformer.data.formats import detect, read_raw
from attrformer.data.id_map import IdMap
from attrformer.data.meaning_options import with_meaning
from attrformer.data.options import TableOptions, columns_for
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.prepared.folder import open_prepared
from attrformer.data.table_paths import ending_of, parts_of
from attrformer.data.tables import Table, open_table
from attrformer.data.unread_files import renaming_of
from attrformer.data.vector_tables import Vectors, with_vectors
from attrformer.errors import DataError

UNREADABLE = "unreadable"
MOST = 50_000_000
"""Interactions that a check before training looks at; of longer logs it takes users at random."""


def check_path(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    separators: Mapping[str, str] | None = None,
    vectors: Vectors | None = None,
    duplicates: str | None = None,
    format: str | None = None,
    date_order: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    headers: Mapping[str, str] | None = None,
    targets: str | None = None,
    negative: str | None = None,
    now: float | None = None,
) -> CheckReport:
    """What the data in a folder or file will do to figures.

    Args:
        path: a dataset folder, raw files as `attrformer prepare` takes them, or one table of interactions.
        columns: canonical column name to the one in the files.
        kinds: attribute to "categorical", "multi", "numeric", "time", "vector", "text", "hierarchy", "weighted" or
            "location", where inference is not wanted; "ignore" leaves a column out. "items.age" and "users.age" tell
            two columns of one name apart, "interactions.price" is one of the interactions. A declared column is always
            read. Text declared "multi" is split at "|".
        separators: attribute to the text between its values, such as {"genres": ", "}; it is then multi-valued,
            unless another kind is declared.
        vectors: attribute, or table and attribute ("users.taste"), to a file of vectors (.npz, .npy or
            .safetensors; docs/tables.md says of what form) or to a mapping of id to vector.
        duplicates: what becomes of rows of the interactions that repeat an earlier one in every column: "keep", "drop",
            or "count", which makes one interaction of them with a behaviour attribute `count`; None: as `dataset.json`
            says, else "keep".
        format: of raw files; recognised by itself by default.
        date_order: what stands first in dates such as 05/11/2019, "day", "month" or "year"; None: the one that all
            values of a column allow.
        delimiter: between the values of text files, "comma", "semicolon", "tab" or "pipe"; None: as each tells.
        decimal: before the fraction of numbers in text files, "point" or "comma"; None: as each column tells.
        encoding: of csv files; None: UTF-8.
        headers: names of the columns of csv files that have no header, by table, with commas between them.
        targets: which interactions are predicted, as `data.targets` says: "event=purchase"; None: all.
        negative: which count against their item, as `data.negative` says.
        now: seconds since 1970 after which a time lies in the future; the present by default.

    Returns:
        The report. Where the tables can be read and no dataset can be made of them, its one finding says why.

    Raises:
        DataError: the path cannot be read at all.
        ConfigurationError: an option has an unknown value, or a condition fits no interaction.
    """
    path = Path(path)
    options = TableOptions(
        columns or {},
        kinds or {},
        separators or {},
        duplicates=duplicates,
        date_order=date_order,
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding or "utf-8",
        headers=headers or {},
    )
    tables, make = _opened(path, options, format, vectors)
    try:
        if "interactions" not in tables:
            # They were prepared, and all of them will be read anyway.
            open_prepared(path, checked=True)
        dataset = make()
    except DataError as error:
        return _unreadable(path, tables, error)
    dataset = with_meaning(dataset, targets, negative)
    uses = column_uses(dataset, tables)
    # The dataset holds the interactions; a log is too large to be held twice.
    if "interactions" in tables:
        tables["interactions"] = _sampled(tables["interactions"])
    return check_dataset(dataset, tables, uses=uses, now=now)


def check_loaded(
    dataset: PlainDataset,
    folder: Path,
    options: TableOptions,
    *,
    shuffled: bool = False,
    unread_edges: Collection[str] = (),
) -> CheckReport:
    """A report on a dataset that was loaded from a folder, and perhaps filtered since.

    Args:
        dataset: the data.
        folder: where its tables are; those of items and users are read again.
        options: how they are read.
        shuffled: whether the order of interactions within a time was made arbitrary.
        unread_edges: names of edge tables that no model is to read.
    """
    tables, _ = folder_tables(folder, options, names=("items", "users"))
    looked_at = _some_users(dataset)
    if looked_at is not dataset:
        # It is about all users; what the dataset says of some stands for it.
        tables.pop("users", None)
    return check_dataset(looked_at, tables, shuffled=shuffled, unread_edges=unread_edges)


def _some_users(dataset: PlainDataset) -> PlainDataset:
    """The dataset, or users of it drawn at random where all of them did more than can be looked at in little memory."""
    sequences = dataset.sequences
    if len(sequences.items) <= MOST:
        return dataset
    count = max(1, MOST * dataset.user_count // len(sequences.items))
    rows = np.sort(np.random.default_rng(0).choice(dataset.user_count, count, replace=False))
    told = f"{dataset.name}: the check looks at {count:,} of {dataset.user_count:,} users, drawn at random"
    return replace(
        dataset,
        user_ids=IdMap(dataset.user_ids.decode(rows)),
        sequences=sequences.rows(rows),
        user_attributes={name: attribute.take(rows) for name, attribute in dataset.user_attributes.items()},
        notes=(*dataset.notes, told),
    )


def check_frames(dataset: PlainDataset, tables: Mapping[str, object], *, shuffled: bool = False) -> CheckReport:
    """A report on a dataset with the tables of any frame library that it was made of.

    Args:
        dataset: the data.
        tables: frames or paths by the names of the tables; None for those that are not at hand.
        shuffled: whether the order of interactions within a time was made arbitrary.

    Raises:
        DataError: a table cannot be read.
    """
    opened = {name: open_table(table, name, {}) for name, table in tables.items() if table is not None}
    for name, key in (("items", ITEM), ("users", USER)):
        if name in opened and key not in opened[name].frame.columns:
            raise DataError(
                "the column is missing", fix=f"Give the table with its column named '{key}'", source=name, column=key
            )
    uses = column_uses(dataset, opened)
    if "interactions" in opened:
        opened["interactions"] = _sampled(opened["interactions"])
    return check_dataset(dataset, opened, uses=uses, shuffled=shuffled)


def _opened(
    path: Path, given: TableOptions, format: str | None, vectors: Vectors | None
) -> tuple[dict[str, Table], Callable[[], PlainDataset]]:
    """The tables at a path, and what makes a dataset of them.

    Raises:
        DataError: nothing there can be read.
    """
    if format is not None or not is_dataset_folder(path):
        tables = with_vectors(_other_tables(path, given, format), vectors)
        return tables, partial(dataset_of_tables, tables, name=_name(path), options=given)
    options = folder_options(
        path,
        columns=given.columns,
        kinds=given.kinds,
        separators=given.separators,
        duplicates=given.duplicates,
        **given.told,
    )
    tables, notes = folder_tables(path, options, vectors=vectors)
    return tables, partial(dataset_of_folder, path, tables, options, notes=notes)


def _other_tables(path: Path, given: TableOptions, format: str | None) -> dict[str, Table]:
    """The tables in raw files, or in one file.

    Raises:
        DataError: nothing there can be read.
    """
    columns = given.columns
    try:
        known = format or detect(path)
    except DataError as error:
        if path.is_dir() and not parts_of(path):
            raise DataError(
                f"there is no table of interactions, and {error.problem}",
                fix=f"{renaming_of(path)} interactions.parquet or interactions.csv with user_id, item_id and, where "
                "known, timestamp",
                source=str(path),
            ) from error
        if ending_of(path) is None or not (path.is_file() or parts_of(path)):
            raise
        return {
            "interactions": open_table(
                path, "interactions", columns_for(columns, "interactions"), given.form_of("interactions")
            )
        }
    found = read_raw(path, known).frames()
    return {name: open_table(frame, f"{path}, {name}", columns_for(columns, name)) for name, frame in found.items()}


def _sampled(table: Table) -> Table:
    """The columns of interactions that no dataset holds as they are, and of a long table some of the rows."""
    frame = table.frame.drop([name for name in (USER, ITEM, TIMESTAMP) if name in table.frame.columns])
    if frame.height > SAMPLE:
        rows = np.sort(np.random.default_rng(0).choice(frame.height, SAMPLE, replace=False))
        frame = frame.select(pl.all().gather(rows))
    return replace(table, frame=frame)


def _unreadable(path: Path, tables: Mapping[str, Table], error: DataError) -> CheckReport:
    place = str(error).partition(error.problem)[0]
    finding = Finding(
        UNREADABLE,
        Severity.ERROR,
        f"no dataset can be made of the tables: {place}{error.problem}",
        error.fix,
        detail="Other findings need a dataset; run the check again once this is mended.",
        columns=(error.column,) if error.column else (),
        examples=(f"row {error.row}",) if error.row is not None else (),
    )
    rows = {f"rows_of_{name}": table.frame.height for name, table in tables.items()}
    uses = tuple(
        ColumnUse(
            name, column, f"not read yet, {kind}", None, table.frame[column].null_count() / max(table.frame.height, 1)
        )
        for name, table in tables.items()
        for column, kind in table.frame.schema.items()
    )
    return CheckReport(_name(path), rows, uses, (finding,))


def _name(path: Path) -> str:
    return path.resolve().name.partition(".")[0] or "dataset"
