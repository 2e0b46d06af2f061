"""From tables to a dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import (
    CHANGED,
    EDGE_RANK,
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
from attrformer.data.attribute_columns import attributes_of
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.change_columns import changed_columns, read_changes
from attrformer.data.edge_columns import read_edges
from attrformer.data.frames import library_of
from attrformer.data.id_columns import nearly_known, with_common_ids
from attrformer.data.id_map import IdMap
from attrformer.data.index_columns import without_index
from attrformer.data.interactions import read_interactions
from attrformer.data.meaning import PLAIN, Meaning
from attrformer.data.options import CHANGES, OWNERS, TableOptions
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.sequences import Sequences
from attrformer.data.tables import (
    Table,
    id_column,
    open_table,
    require_columns,
    require_distinct,
    rows_outside,
)
from attrformer.data.vector_tables import Vectors, with_vectors
from attrformer.errors import DataError

TABLE_NAMES: Final = ("interactions", "items", "users", "item_relations", CHANGES)

_ROLES: Final = frozenset(
    {USER, ITEM, TIMESTAMP, TITLE, SOURCE_ITEM, TARGET_ITEM, RELATION, WEIGHT, EDGE_RANK, CHANGED, VALUE}
)


class _Described(NamedTuple):
    """What an items or users table says about known ids."""

    attributes: dict[str, Attribute]
    titles: tuple[str, ...] | None
    notes: list[str]


def dataset_of_given(
    given: Mapping[str, Any], *, name: str, options: TableOptions, vectors: Vectors | None
) -> PlainDataset:
    """What `Dataset.from_frames` makes of tables, and of vectors beside them.

    Args:
        given: by the names in `TABLE_NAMES`, of any frame library, or paths; None where there is no such table.
        name: what protocol lines call the data.
        options: how the tables are read.
        vectors: as `Dataset.from_frames` takes them.

    Raises:
        DataError: a table cannot be used as it is.
        ConfigurationError: an option has an unknown value.
    """
    tables = {
        key: open_table(table, key, options.columns)
        for key, table in given.items()
        if table is not None or key == "interactions"
    }
    dataset = dataset_of_tables(with_vectors(tables, vectors), name=name, options=options)
    return replace(dataset, frame_library=library_of(given["interactions"]))


def histories_from_frame(
    frame: Any, behaviours: Iterable[str], name: str = "histories", meaning: Meaning = PLAIN
) -> PlainDataset:
    """Interactions that come after training, as a dataset whose behaviour attributes are read as they were then.

    Args:
        frame: of any frame library, or a path.
        behaviours: the behaviour attributes of the training; those that the table has are read whatever their name.
        name: what error messages call the table.
        meaning: of the interactions of the training.

    Raises:
        DataError: the table cannot be used as it is.
    """
    table = open_table(frame, "interactions", {})
    kinds = {
        f"interactions.{column}": "categorical" if column in meaning.values else "numeric"
        for column in behaviours
        if column in table.frame.columns
    }
    dataset = dataset_of_tables({"interactions": table}, name=name, options=TableOptions(kinds=kinds))
    sequences = dataset.sequences.understood(meaning, name)
    return replace(dataset, sequences=sequences, frame_library=library_of(frame))


def dataset_of_tables(tables: Mapping[str, Table], *, name: str, options: TableOptions) -> PlainDataset:
    """What `dataset_of_given` does once its tables are open; `tables` by their names in `TABLE_NAMES`."""
    _check_mapping(tables, options.columns)
    present = {key: table.frame.columns for key, table in tables.items()}
    present[CHANGES] = changed_columns(tables.get(CHANGES))
    kinds = {key: options.declared(key, present) for key in OWNERS}
    separators = {key: options.separated(key, present) for key in OWNERS}
    tables, notes = _prepared(tables, {key: {*kinds[key], *separators[key]} for key in OWNERS})
    user_ids, item_ids, sequences, said = read_interactions(
        tables["interactions"], kinds["interactions"], options.duplicates
    )
    if "items" in tables and options.catalogue == "all":
        item_ids, sequences = _extend_catalogue(item_ids, sequences, tables["items"])
    last = None if sequences.times is None else int(sequences.times.max())
    changes, change_notes = read_changes(tables.get(CHANGES), item_ids, kinds[CHANGES], options.unknown, last)
    items, replaced = _without_changing(tables.get("items"), changes)
    about_items = _describe(items, ITEM, item_ids, kinds["items"], separators["items"], options.unknown)
    about_users = _describe(tables.get("users"), USER, user_ids, kinds["users"], separators["users"], options.unknown)
    edges, edge_notes = read_edges(tables.get("item_relations"), item_ids, options.unknown)
    return PlainDataset(
        name=name,
        user_ids=user_ids,
        item_ids=item_ids,
        sequences=sequences,
        item_attributes=about_items.attributes,
        user_attributes=about_users.attributes,
        item_relations=edges,
        item_titles=about_items.titles,
        notes=(*notes, *said, *replaced, *about_items.notes, *about_users.notes, *edge_notes, *change_notes),
        item_changes=changes,
    )


def _without_changing(table: Table | None, changes: Collection[str]) -> tuple[Table | None, list[str]]:
    """The items without columns of which it is known how they changed: what an items table says is of one time."""
    both = [] if table is None else [name for name in table.frame.columns if name in changes]
    if table is None or not both:
        return table, []
    notes = [f"{table.label}: column '{name}' is not used, {CHANGES} says how it changed" for name in both]
    return replace(table, frame=table.frame.drop(both)), notes


def _prepared(tables: Mapping[str, Table], kept: Mapping[str, Collection[str]]) -> tuple[dict[str, Table], list[str]]:
    """The tables without index columns and with ids of one type, and how they were read."""
    found, notes = {}, []
    for key, table in tables.items():
        frame, left_out = without_index(table.frame, {*kept.get(key, ()), *_ROLES})
        found[key] = replace(table, frame=frame)
        notes += [f"{table.label}: {note}" for note in (*left_out, *_about_columns(table.notes, frame.columns))]
    typed, said = with_common_ids(found)
    return typed, [*notes, *said]


def _about_columns(notes: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The notes about columns that are still there."""
    names = tuple(f"column '{name}'" for name in columns)
    return [note for note in notes if note.startswith(names)]


def _check_mapping(tables: Mapping[str, Table], columns: Mapping[str, str]) -> None:
    for ours, theirs in columns.items():
        if not any(ours in table.frame.columns for table in tables.values()):
            raise DataError(
                f"no table has the column that is mapped to '{ours}'",
                fix="Correct the name in columns=",
                source=", ".join(table.source for table in tables.values()),
                column=theirs,
            )


def _extend_catalogue(item_ids: IdMap, sequences: Sequences, table: Table) -> tuple[IdMap, Sequences]:
    require_columns(table, (ITEM,))
    known, listed = item_ids.values, id_column(table, ITEM)
    wider = IdMap(pl.concat([known, listed.rename(known.name)]).unique().sort())
    items = wider.encode(known)[sequences.items]
    return wider, replace(sequences, items=items)


def _describe(
    table: Table | None,
    key: str,
    ids: IdMap,
    kinds: Mapping[str, AttributeKind | None],
    separators: Mapping[str, str],
    unknown: str,
) -> _Described:
    if table is None:
        return _Described({}, None, [])
    require_columns(table, (key,))
    external = id_column(table, key)
    require_distinct(table, external)
    codes = ids.encode(external)
    notes = rows_outside(table, key, external, codes < 0, unknown)
    near = nearly_known(ids.values, external, codes < 0)
    notes += [] if near is None else [f"{table.label}: {near}"]
    if len(codes) and (codes < 0).all():
        raise DataError(
            f"no row is about an id of the interactions (here e.g. '{external[0]}', there '{ids.values[0]}')",
            fix="Use the same ids in both tables",
            source=table.source,
            column=key,
            row=0,
        )
    bare = len(ids) - int((codes >= 0).sum())
    if bare:
        notes.append(f"{table.label}: {bare:,} of {len(ids):,} ids have no row, their attributes are missing")
    titles = None
    if key == ITEM and TITLE in table.frame.columns:
        titles = _titles(table, ids, codes)
    # A title is an attribute only where it is declared to be read as text.
    names = [name for name in table.frame.columns if name != key and (key != ITEM or name != TITLE or name in kinds)]
    attributes, readings = attributes_of(table, names, codes, len(ids), kinds, separators)
    return _Described(attributes, titles, notes + readings)


def _titles(table: Table, ids: IdMap, codes: NDArray[np.int32]) -> tuple[str, ...]:
    values = table.frame[TITLE]
    try:
        known = values.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"values of type {values.dtype} cannot be titles",
            fix="Use text, or rename the column",
            source=table.source,
            column=TITLE,
        ) from error
    texts = pl.DataFrame({"code": codes, "title": known.set(known == "", None)}).filter(pl.col("code") >= 0)
    own = pl.DataFrame({"code": np.arange(len(ids), dtype=np.int32), "id": ids.values.cast(pl.String)})
    joined = own.join(texts, on="code", how="left", maintain_order="left")
    return tuple(joined.select(pl.coalesce("title", "id")).to_series().to_list())
