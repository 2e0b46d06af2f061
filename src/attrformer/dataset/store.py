"""A dataset as a folder of plain tables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from attrformer.columns import ITEM, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, TITLE, USER, WEIGHT
from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.construct import TABLE_NAMES, dataset_of_tables
from attrformer.dataset.dataset import Dataset
from attrformer.dataset.ids import Ids
from attrformer.dataset.options import Duplicates, TableOptions
from attrformer.dataset.table_files import PARQUET, ending_of
from attrformer.dataset.tables import open_table
from attrformer.errors import DataError

DESCRIPTION: Final = "dataset.json"

_REPEATED: Final = " rows repeat"
# A saved dataset has times in seconds, and no columns that were not used and told rows apart.
_REWORDED: Final = (f"column '{TIMESTAMP}' holds", _REPEATED)
_SHAPE: Final = {
    "name": str,
    "catalogue": str,
    "columns": dict,
    "kinds": dict,
    "separators": dict,
    "duplicates": str,
    "notes": list,
}


def load_dataset(
    folder: Path | str,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str | AttributeKind] | None = None,
    separators: Mapping[str, str] | None = None,
    catalogue: Literal["interacted", "all"] | None = None,
    unknown: Literal["error", "drop"] = "drop",
    duplicates: Duplicates | None = None,
    encoding: str = "utf-8",
) -> Dataset:
    """A dataset from a folder with `interactions` and, where there are any, `items`, `users` and `item_relations`.

    Each is a parquet, Arrow, csv, tsv or JSON lines file, the text files also packed by gzip; of several files of one
    table the parquet file is read. A `dataset.json`, which `save_dataset` writes, may hold "name", "columns", "kinds",
    "separators", "catalogue", "duplicates" and "notes"; the arguments go before it.

    Args:
        folder: where the tables are.
        name: what protocol lines call the data; the folder's name by default.
        columns: canonical column name to the one in the files.
        kinds: declared attribute kinds, as in `dataset_from_frames`.
        separators: what stands between the values of a text, as in `dataset_from_frames`.
        catalogue: as in `dataset_from_frames`; "interacted" by default.
        unknown: as in `dataset_from_frames`.
        duplicates: as in `dataset_from_frames`.
        encoding: of csv files.

    Raises:
        DataError: there is no such folder, no table of interactions, or a table that cannot be used as it is.
        ConfigurationError: an option has an unknown value.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("there is no such folder", fix="Check the path", source=str(folder))
    described = _read_description(folder / DESCRIPTION)
    options = TableOptions(
        columns={**described.get("columns", {}), **(columns or {})},
        kinds={**described.get("kinds", {}), **(kinds or {})},
        separators={**described.get("separators", {}), **(separators or {})},
        catalogue=catalogue or described.get("catalogue", "interacted"),
        unknown=unknown,
        duplicates=duplicates or described.get("duplicates"),
    )
    files, notes = find_tables(folder)
    if "interactions" not in files:
        raise DataError(
            "the folder has no table of interactions",
            fix="Write interactions.parquet or interactions.csv with user_id, item_id and, where known, timestamp",
            source=str(folder),
        )
    tables = {table: open_table(file, table, options.columns, encoding) for table, file in files.items()}
    named = name or described.get("name") or folder.resolve().name
    dataset = dataset_of_tables(tables, name=named, options=options)
    return replace(dataset, notes=_joined_notes(described.get("notes", []), (*notes, *dataset.notes)))


def find_tables(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The files of the tables in a folder, by the names of the tables, and a sentence where one of several is read.

    Raises:
        DataError: there are several files of one table, and none or more than one of them is a parquet file.
    """
    found, notes = dict[str, Path](), list[str]()
    present = sorted(file for file in folder.iterdir() if file.is_file())
    for table in TABLE_NAMES:
        files = [
            file for file in present if ending_of(file) == file.name[len(table) :].lower() and _stem(file) == table
        ]
        parquet = [file for file in files if ending_of(file) in PARQUET]
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
    return found, notes


def save_dataset(dataset: Dataset, folder: Path | str) -> Path:
    """Writes a dataset as four parquet tables and a `dataset.json`, from which `load_dataset` makes an equal one.

    Args:
        dataset: what to write.
        folder: created where needed; files of the same names are replaced, each at once.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = {
        "name": dataset.name,
        "catalogue": "all",
        "kinds": {
            f"{table}.{name}": attribute.kind.value
            for table, attributes in (("items", dataset.item_attributes), ("users", dataset.user_attributes))
            for name, attribute in attributes.items()
        }
        | {f"interactions.{name}": AttributeKind.NUMERIC.value for name in dataset.sequences.behaviours},
        "duplicates": "keep",
        "notes": list(dataset.notes),
    }
    items = _described_frame(ITEM, dataset.item_ids, dataset.item_attributes)
    if dataset.item_titles is not None:
        items.insert_column(1, pl.Series(TITLE, dataset.item_titles, dtype=pl.String))
    frames = {
        "interactions": _interactions_frame(dataset),
        "items": items,
        "users": _described_frame(USER, dataset.user_ids, dataset.user_attributes),
        "item_relations": _edges_frame(dataset),
    }
    for table, frame in frames.items():
        _write(folder / f"{table}.parquet", frame.write_parquet)
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    _write(folder / DESCRIPTION, lambda path: path.write_text(text, encoding="utf-8"))
    return folder


def _joined_notes(before: list[str], now: Iterable[str]) -> tuple[str, ...]:
    """Earlier notes first; what is said again about the same table, now under its file's name, is left out."""
    said = {_subject(note) for note in before} | ({_REPEATED} if before else set())
    return (*before, *(note for note in now if _subject(note) not in said))


def _subject(note: str) -> str:
    """What a note is about, without its table: itself, or what saving a dataset lets a later note say otherwise."""
    text = note.partition(": ")[2]
    return next((subject for subject in _REWORDED if subject in text), text)


def _stem(file: Path) -> str:
    return file.name.partition(".")[0]


def _read_description(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
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


def _interactions_frame(dataset: Dataset) -> pl.DataFrame:
    sequences = dataset.sequences
    frame = pl.DataFrame(
        {
            USER: dataset.user_ids.decode(sequences.row_of_position()),
            ITEM: dataset.item_ids.decode(sequences.items),
        }
    )
    if sequences.times is not None:
        frame = frame.with_columns(pl.Series(TIMESTAMP, sequences.times))
    behaviours = [pl.Series(name, values).fill_nan(None) for name, values in sequences.behaviours.items()]
    return frame.with_columns(behaviours)


def _described_frame(key: str, ids: Ids, attributes: dict[str, Attribute]) -> pl.DataFrame:
    columns = [_attribute_column(attribute) for attribute in attributes.values()]
    return pl.DataFrame([ids.values.rename(key), *columns])


def _attribute_column(attribute: Attribute) -> pl.Series:
    if attribute.kind is AttributeKind.NUMERIC:
        return pl.Series(attribute.name, attribute.numbers).fill_nan(None)
    if attribute.kind is AttributeKind.TIME:
        return (pl.Series(attribute.name, attribute.numbers).fill_nan(None) * 1e6).cast(pl.Datetime("us"))
    count = len(attribute)
    values = pl.Series(attribute.vocabulary, dtype=pl.String).gather(attribute.codes)
    owners = np.repeat(np.arange(count), np.diff(attribute.offsets))
    grouped = pl.DataFrame({"owner": owners, attribute.name: values}).group_by("owner", maintain_order=True).all()
    lists = (
        pl.DataFrame({"owner": np.arange(count)})
        .join(grouped, on="owner", how="left", maintain_order="left")
        .get_column(attribute.name)
    )
    return lists if attribute.kind is AttributeKind.MULTI else lists.list.first()


def _edges_frame(dataset: Dataset) -> pl.DataFrame:
    ids = dataset.item_ids
    empty: dict[str, pl.DataType | type[pl.DataType]] = {
        SOURCE_ITEM: ids.values.dtype,
        TARGET_ITEM: ids.values.dtype,
        RELATION: pl.String,
        WEIGHT: pl.Float32,
    }
    parts = [
        pl.DataFrame(
            {SOURCE_ITEM: ids.decode(edges.source), TARGET_ITEM: ids.decode(edges.target), WEIGHT: edges.weight}
        )
        .with_columns(pl.lit(name).alias(RELATION))
        .select(*empty)
        for name, edges in dataset.item_relations.items()
    ]
    return pl.concat([pl.DataFrame(schema=empty), *parts])


def _write(file: Path, write: Callable[[Path], Any]) -> None:
    """Writes under a temporary name first, so that a file is always the old or the new one."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
