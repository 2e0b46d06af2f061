"""A dataset written as a folder of plain tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from attrformer.columns import (
    CHANGED,
    ITEM,
    RELATION,
    SOURCE_ITEM,
    TARGET_ITEM,
    TIMESTAMP,
    TITLE,
    USER,
    VALUE,
    WEIGHT,
)
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.dataset import Dataset
from attrformer.data.folder import DESCRIPTION
from attrformer.data.id_map import IdMap
from attrformer.data.options import CHANGES
from attrformer.folders import files_together
from attrformer.locks import locked_folder


def save_dataset(dataset: Dataset, folder: Path | str) -> Path:
    """Writes a dataset as five parquet tables and a `dataset.json`, from which `load_dataset` makes an equal one.

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
        }
        | {f"interactions.{name}": AttributeKind.NUMERIC.value for name in dataset.sequences.behaviours}
        | {f"{CHANGES}.{name}": changes.kind.value for name, changes in dataset.item_changes.items()},
        "duplicates": "keep",
        "notes": list(dataset.notes),
    }
    items = described_frame(ITEM, dataset.item_ids, dataset.item_attributes)
    if dataset.item_titles is not None:
        items.insert_column(1, pl.Series(TITLE, dataset.item_titles, dtype=pl.String))
    frames = {
        "interactions": _interactions_frame(dataset),
        "items": items,
        "users": described_frame(USER, dataset.user_ids, dataset.user_attributes),
        "item_relations": _edges_frame(dataset),
        CHANGES: _changes_frame(dataset),
    }
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    with locked_folder(folder), files_together(folder) as staged:
        for table, frame in frames.items():
            frame.write_parquet(staged / f"{table}.parquet")
        (staged / DESCRIPTION).write_text(text, encoding="utf-8")
    return folder


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


def described_frame(key: str, ids: IdMap, attributes: dict[str, Attribute]) -> pl.DataFrame:
    """Users or items with their attributes as a table, a column each.

    Args:
        key: the name of the column of ids.
        ids: of all users or items.
        attributes: by name.
    """
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
    grouped = pl.DataFrame({"owner": owners, "value": values}).group_by("owner", maintain_order=True).all()
    lists = (
        pl.DataFrame({"owner": np.arange(count)})
        .join(grouped, on="owner", how="left", maintain_order="left")
        .get_column("value")
        .rename(attribute.name)
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


def _changes_frame(dataset: Dataset) -> pl.DataFrame:
    ids = dataset.item_ids
    empty: dict[str, pl.DataType | type[pl.DataType]] = {
        ITEM: ids.values.dtype,
        TIMESTAMP: pl.Int64,
        CHANGED: pl.String,
        VALUE: pl.String,
    }
    parts = []
    for name, changes in dataset.item_changes.items():
        if changes.kind is AttributeKind.NUMERIC:
            values = pl.Series(changes.numbers).fill_nan(None).cast(pl.String)
        else:
            codes = pl.Series(changes.codes)
            values = pl.Series(changes.vocabulary, dtype=pl.String).gather(codes.set(codes < 0, None))
        columns = {ITEM: ids.decode(changes.items), TIMESTAMP: changes.times, VALUE: values}
        parts.append(pl.DataFrame(columns).with_columns(pl.lit(name).alias(CHANGED)).select(*empty))
    return pl.concat([pl.DataFrame(schema=empty), *parts])
