"""A dataset written as a folder of plain tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
from attrformer.data.attributes import LEVEL_SEPARATOR, VECTOR_KINDS, Attribute, AttributeKind
from attrformer.data.folder import DESCRIPTION
from attrformer.data.id_map import IdMap
from attrformer.data.options import CHANGES
from attrformer.data.plain_dataset import PlainDataset
from attrformer.folders import files_together
from attrformer.locks import locked_folder


def save_dataset(dataset: PlainDataset, folder: Path | str) -> Path:
    """Writes a dataset as five parquet tables and a `dataset.json`, from which `Dataset.load` makes an equal one.

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
        | {f"interactions.{name}": _kind_of(dataset, name) for name in dataset.sequences.behaviours}
        | {f"{CHANGES}.{name}": changes.kind.value for name, changes in dataset.item_changes.items()},
        "duplicates": "keep",
        "notes": list(dataset.notes),
    }
    items = described_frame(ITEM, dataset.item_ids, dataset.item_attributes)
    if dataset.item_titles is not None:
        place = items.columns.index(TITLE) if TITLE in items.columns else 1
        items = items.drop(TITLE, strict=False).insert_column(place, _title_column(dataset))
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


def _title_column(dataset: PlainDataset) -> pl.Series:
    """The titles; none where an id stands in for one and titles are read as text as well."""
    titles = pl.Series(TITLE, dataset.item_titles, dtype=pl.String)
    read = dataset.item_attributes.get(TITLE)
    if read is None:
        return titles
    missing = pl.Series(~read.known) & (titles == dataset.item_ids.values.cast(pl.String))
    return titles.set(missing, None)


def _interactions_frame(dataset: PlainDataset) -> pl.DataFrame:
    sequences = dataset.sequences
    frame = pl.DataFrame(
        {
            USER: dataset.user_ids.decode(sequences.row_of_position()),
            ITEM: dataset.item_ids.decode(sequences.items),
        }
    )
    if sequences.times is not None:
        frame = frame.with_columns(pl.Series(TIMESTAMP, sequences.times))
    labels = sequences.meaning.values
    behaviours = [
        _labelled(name, values, labels[name]) if name in labels else pl.Series(name, values).fill_nan(None)
        for name, values in sequences.behaviours.items()
    ]
    return frame.with_columns(behaviours)


def _kind_of(dataset: PlainDataset, behaviour: str) -> str:
    category = behaviour in dataset.sequences.meaning.values
    return str((AttributeKind.CATEGORICAL if category else AttributeKind.NUMERIC).value)


def _labelled(name: str, codes: NDArray[np.float32], labels: tuple[str, ...]) -> pl.Series:
    """A behaviour attribute with values in place of codes."""
    places = np.where(np.isnan(codes), len(labels), codes).astype(np.int64)
    return pl.Series(name, [*labels, None], dtype=pl.String).gather(places)


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
    if attribute.kind is AttributeKind.TEXT:
        return pl.Series(attribute.name, [text or None for text in attribute.texts], dtype=pl.String)
    if attribute.kind in VECTOR_KINDS:
        return _vector_column(attribute)
    count = len(attribute)
    values = pl.Series(attribute.vocabulary, dtype=pl.String).gather(attribute.codes)
    owners = np.repeat(np.arange(count), np.diff(attribute.offsets))
    if attribute.kind is AttributeKind.WEIGHTED:
        values = pl.DataFrame({"tag": values, "score": attribute.weights}).to_struct()
    if attribute.kind is AttributeKind.HIERARCHY:
        values = values.str.split(LEVEL_SEPARATOR)
    grouped = pl.DataFrame({"owner": owners, "value": values}).group_by("owner", maintain_order=True).all()
    lists = (
        pl.DataFrame({"owner": np.arange(count)})
        .join(grouped, on="owner", how="left", maintain_order="left")
        .get_column("value")
        .rename(attribute.name)
    )
    return lists.list.first() if attribute.kind is AttributeKind.CATEGORICAL else lists


def _vector_column(attribute: Attribute) -> pl.Series:
    """Vectors as arrays of one size, none where missing."""
    width = attribute.vectors.shape[1]
    if not width:
        return pl.Series(attribute.name, [None] * len(attribute), dtype=pl.List(pl.Float32))
    column = pl.Series(attribute.name, attribute.vectors, dtype=pl.Array(pl.Float32, width))
    return column.set(pl.Series(~attribute.known), None)


def _edges_frame(dataset: PlainDataset) -> pl.DataFrame:
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


def _changes_frame(dataset: PlainDataset) -> pl.DataFrame:
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
