"""A dataset as a folder of plain tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from attrformer.columns import ITEM, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, TITLE, USER, WEIGHT
from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.construct import TABLE_NAMES, dataset_of_tables
from attrformer.dataset.dataset import Dataset
from attrformer.dataset.frames import read_table
from attrformer.dataset.ids import Ids
from attrformer.dataset.tables import open_table
from attrformer.errors import DataError
from attrformer.folders import files_together, standing_file
from attrformer.io import read_json
from attrformer.locks import locked_folder

DESCRIPTION: Final = "dataset.json"

_ENDINGS: Final = (".parquet", ".csv")


def load_dataset(
    folder: Path | str,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str | AttributeKind] | None = None,
    catalogue: Literal["interacted", "all"] | None = None,
    unknown: Literal["error", "drop"] = "drop",
    encoding: str = "utf-8",
) -> Dataset:
    """A dataset from a folder with `interactions` and, where there are any, `items`, `users` and `item_relations`.

    Each is a .parquet or a .csv file (.parquet where both are there). A `dataset.json`, which `save_dataset`
    writes, may hold "name", "catalogue", "kinds" and "notes"; the arguments go before it.

    Args:
        folder: where the tables are.
        name: what protocol lines call the data; the folder's name by default.
        columns: canonical column name to the one in the files.
        kinds: declared attribute kinds, as in `dataset_from_frames`.
        catalogue: as in `dataset_from_frames`; "interacted" by default.
        unknown: as in `dataset_from_frames`.
        encoding: of csv files.

    Raises:
        DataError: there is no such folder, no table of interactions, or a table that cannot be used as it is.
        ConfigurationError: an option has an unknown value.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("there is no such folder", fix="Check the path", source=str(folder))
    described = _read_description(standing_file(folder, DESCRIPTION))
    files = {table: _table_file(folder, table) for table in TABLE_NAMES}
    if files["interactions"] is None:
        raise DataError(
            "the folder has no table of interactions",
            fix="Write interactions.parquet or interactions.csv with user_id, item_id and, where known, timestamp",
            source=str(folder),
        )
    tables = {
        table: open_table(read_table(file, encoding=encoding), str(file), columns or {})
        for table, file in files.items()
        if file is not None
    }
    dataset = dataset_of_tables(
        tables,
        name=name or described.get("name") or folder.resolve().name,
        columns=columns or {},
        kinds={**described.get("kinds", {}), **(kinds or {})},
        catalogue=catalogue or described.get("catalogue", "interacted"),
        unknown=unknown,
    )
    return replace(dataset, notes=_joined_notes(described.get("notes", []), dataset.notes))


def save_dataset(dataset: Dataset, folder: Path | str) -> Path:
    """Writes a dataset as four parquet tables and a `dataset.json`, from which `load_dataset` makes an equal one.

    Args:
        dataset: what to write.
        folder: created where needed; files of the same names are replaced, all at one moment.

    Returns:
        The folder.

    Raises:
        BusyError: another process is writing there.
        WriteError: the folder cannot be written; what lay there is as it was.
    """
    folder = Path(folder)
    description = {
        "name": dataset.name,
        "catalogue": "all",
        "kinds": {
            f"{table}.{name}": attribute.kind.value
            for table, attributes in (("items", dataset.item_attributes), ("users", dataset.user_attributes))
            for name, attribute in attributes.items()
        },
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
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    with locked_folder(folder), files_together(folder) as staged:
        for table, frame in frames.items():
            frame.write_parquet(staged / f"{table}.parquet")
        (staged / DESCRIPTION).write_text(text, encoding="utf-8")
    return folder


def _joined_notes(before: list[str], now: tuple[str, ...]) -> tuple[str, ...]:
    """Earlier notes first; what is said again about the same table, now under its file's name, is left out."""
    said = {note.partition(": ")[2] for note in before}
    return (*before, *(note for note in now if note.partition(": ")[2] not in said))


def _table_file(folder: Path, table: str) -> Path | None:
    return next((file for ending in _ENDINGS if (file := standing_file(folder, f"{table}{ending}")).is_file()), None)


def _read_description(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        described = read_json(file)
    except ValueError as error:
        raise DataError(f"it is not JSON ({error})", fix="Repair the file or delete it", source=str(file)) from error
    shape = {"name": str, "catalogue": str, "kinds": dict, "notes": list}
    if not isinstance(described, dict) or any(
        not isinstance(described.get(key, kind()), kind) for key, kind in shape.items()
    ):
        raise DataError(
            "it does not hold name, catalogue, kinds and notes", fix="Repair the file or delete it", source=str(file)
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
