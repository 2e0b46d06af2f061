"""From tables to a dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import polars as pl

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
from attrformer.data.attributes import AttributeKind
from attrformer.data.change_columns import changed_columns, read_changes
from attrformer.data.described import describe
from attrformer.data.edge_columns import read_edges
from attrformer.data.frames import library_of
from attrformer.data.id_columns import with_common_ids, with_ids_of
from attrformer.data.id_map import IdMap
from attrformer.data.index_columns import without_index
from attrformer.data.interactions import Interactions, read_interactions
from attrformer.data.mapped_columns import check_mapping
from attrformer.data.meaning import PLAIN, Meaning
from attrformer.data.options import CHANGES, INTERACTIONS, OWNERS, TableOptions, columns_for
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.prepared.folder import PreparedInteractions
from attrformer.data.tables import (
    MAPPED_BY,
    Table,
    id_column,
    notes_about,
    open_table,
    require_columns,
)
from attrformer.data.vector_tables import Vectors, with_vectors

_ROLES: Final = frozenset(
    {USER, ITEM, TIMESTAMP, TITLE, SOURCE_ITEM, TARGET_ITEM, RELATION, WEIGHT, EDGE_RANK, CHANGED, VALUE}
)


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
        key: open_table(table, key, columns_for(options.columns, key), options.form_of(key))
        for key, table in given.items()
        if table is not None or key == "interactions"
    }
    dataset = dataset_of_tables(with_vectors(tables, vectors), name=name, options=options)
    return replace(dataset, frame_library=library_of(given["interactions"]))


def histories_from_frame(
    frame: Any,
    behaviours: Iterable[str],
    name: str = "histories",
    meaning: Meaning = PLAIN,
    columns: Mapping[str, str] | None = None,
) -> PlainDataset:
    """Interactions that come after training, as a dataset whose behaviour attributes are read as they were then.

    Args:
        frame: of any frame library, or a path.
        behaviours: the behaviour attributes of the training; those that the table has are read whatever their name.
        name: what error messages call the table.
        meaning: of the interactions of the training.
        columns: canonical column name to the user's own; None where the caller has no such option.

    Raises:
        DataError: the table cannot be used as it is.
    """
    named = columns_for(columns or {}, "interactions")
    table = open_table(frame, "interactions", named, mapped_by=() if columns is None else MAPPED_BY[:1])
    kinds = {
        f"interactions.{column}": "categorical" if column in meaning.values else "numeric"
        for column in behaviours
        if column in table.frame.columns
    }
    options = TableOptions(kinds=kinds, date_order=meaning.date_orders.get(INTERACTIONS))
    dataset = dataset_of_tables({"interactions": table}, name=name, options=options)
    sequences = dataset.sequences.understood(meaning, name)
    return replace(dataset, sequences=sequences, frame_library=library_of(frame))


def dataset_of_tables(tables: Mapping[str, Table], *, name: str, options: TableOptions) -> PlainDataset:
    """What `dataset_of_given` does once its tables are open; `tables` by their names in `TABLE_NAMES`."""
    declared = declared_columns(tables, options)
    tables = _dated(tables, options)
    tables, notes = _prepared(tables, declared.kept)
    read = read_interactions(tables["interactions"], declared.kinds["interactions"], options.duplicates)
    read = read._replace(notes=[*notes, *read.notes])
    if "items" in tables and options.catalogue == "all":
        wider = wider_catalogue(read.items.values, tables["items"])
        items = wider.encode(read.items.values)[read.sequences.items]
        read = read._replace(items=wider, sequences=replace(read.sequences, items=items))
    return _described(name, read, tables, declared, options)


def dataset_of_prepared(
    read: PreparedInteractions, tables: Mapping[str, Table], *, name: str, options: TableOptions
) -> PlainDataset:
    """What `dataset_of_tables` makes of the table of interactions that was prepared, and of the other tables.

    Args:
        read: the interactions.
        tables: the others, by name.
        name: what protocol lines call the data.
        options: how the tables are read; those of the interactions have to be as they were prepared.

    Raises:
        DataError: a table cannot be used as it is, or the interactions were prepared with other options.
    """
    declared = declared_columns({"interactions": columns_of_prepared(read), **tables}, options)
    read.check_options(options, declared.kinds["interactions"])
    others, notes = without_indices(_dated(tables, options), declared.kept)
    ids = (read.user_ids.values, read.item_ids.values)
    *_, typed, _ = with_ids_of(*ids, others, source=read.source)
    found = Interactions(read.user_ids, read.item_ids, read.sequences, [*read.about, *notes, *read.told, *read.said])
    return _described(name, found, typed, declared, options, read.last)


def columns_of_prepared(read: PreparedInteractions) -> Table:
    """The table of interactions that was prepared, without rows."""
    renamed = tuple(name for name in read.names if name in columns_for(read.options["columns"], "interactions"))
    return Table(pl.DataFrame(schema=dict.fromkeys(read.names, pl.Null)), read.source, renamed=renamed)


class Declared(NamedTuple):
    """What the options say of columns: their kinds and separators, by table."""

    kinds: dict[str, dict[str, AttributeKind | None]]
    separators: dict[str, dict[str, str]]

    @property
    def kept(self) -> dict[str, set[str]]:
        """The columns of each table of which anything is said."""
        return {key: {*self.kinds[key], *self.separators[key]} for key in OWNERS}


def declared_columns(tables: Mapping[str, Table], options: TableOptions) -> Declared:
    """What the options say of the columns of tables.

    Args:
        tables: all of them, by name.
        options: how they are read.

    Raises:
        DataError: an option is about a column that is not there.
        ConfigurationError: a column is declared to be what it cannot be.
    """
    check_mapping(tables, options.columns)
    present = {key: table.frame.columns for key, table in tables.items()}
    present[CHANGES] = changed_columns(tables.get(CHANGES))
    return Declared(
        {key: options.declared(key, present) for key in OWNERS},
        {key: options.separated(key, present) for key in OWNERS},
    )


def _described(
    name: str,
    read: Interactions,
    tables: Mapping[str, Table],
    declared: Declared,
    options: TableOptions,
    last: int | None = None,
) -> PlainDataset:
    """The dataset of interactions, and of what the other tables say about their users and items."""
    user_ids, item_ids, sequences, notes = read
    kinds, separators = declared
    if last is None and sequences.times is not None:
        last = int(sequences.times.max())
    changes, change_notes, order = read_changes(tables.get(CHANGES), item_ids, kinds[CHANGES], options.on_unknown, last)
    if order:
        orders = {**sequences.meaning.date_orders, CHANGES: order}
        sequences = replace(sequences, meaning=replace(sequences.meaning, date_orders=orders))
    items, replaced = _without_changing(tables.get("items"), changes)
    about_items = describe(items, ITEM, item_ids, kinds["items"], separators["items"], options.on_unknown)
    about_users = describe(tables.get("users"), USER, user_ids, kinds["users"], separators["users"], options.on_unknown)
    edges, edge_notes = read_edges(tables.get("item_relations"), item_ids, options.on_unknown)
    return PlainDataset(
        name=name,
        user_ids=user_ids,
        item_ids=item_ids,
        sequences=sequences,
        item_attributes=about_items.attributes,
        user_attributes=about_users.attributes,
        item_relations=edges,
        item_titles=about_items.titles,
        notes=(*notes, *replaced, *about_items.notes, *about_users.notes, *edge_notes, *change_notes),
        item_changes=changes,
    )


def _without_changing(table: Table | None, changes: Collection[str]) -> tuple[Table | None, list[str]]:
    """The items without columns of which it is known how they changed: what an items table says is of one time."""
    both = [] if table is None else [name for name in table.frame.columns if name in changes]
    if table is None or not both:
        return table, []
    notes = [f"{table.label}: column '{name}' is not used, {CHANGES} says how it changed" for name in both]
    return replace(table, frame=table.frame.drop(both)), notes


def _dated(tables: Mapping[str, Table], options: TableOptions) -> dict[str, Table]:
    return {key: replace(table, date_order=options.date_order) for key, table in tables.items()}


def _prepared(tables: Mapping[str, Table], kept: Mapping[str, Collection[str]]) -> tuple[dict[str, Table], list[str]]:
    """The tables without index columns and with ids of one type, and how they were read."""
    found, notes = without_indices(tables, kept)
    typed, said = with_common_ids(found)
    return typed, [*notes, *said]


def without_indices(
    tables: Mapping[str, Table], kept: Mapping[str, Collection[str]]
) -> tuple[dict[str, Table], list[str]]:
    """The tables without index columns, and how their columns were read.

    Args:
        tables: by name.
        kept: columns of each that are wanted whatever they hold.
    """
    found, notes = {}, []
    for key, table in tables.items():
        frame, left_out = without_index(table.frame, kept_columns(kept.get(key, ())))
        found[key] = replace(table, frame=frame)
        notes += [f"{table.label}: {note}" for note in (*left_out, *notes_about(table.notes, frame.columns))]
    return found, notes


def kept_columns(declared: Collection[str]) -> set[str]:
    """The columns of a table that are wanted whatever they hold; `declared` are those of which options say anything."""
    return {*declared, *_ROLES}


def wider_catalogue(known: pl.Series, table: Table) -> IdMap:
    """The items that somebody acted on, and those of the items table.

    Raises:
        DataError: the table has no column of ids.
    """
    require_columns(table, (ITEM,))
    return IdMap(pl.concat([known, id_column(table, ITEM).rename(known.name)]).unique().sort())
