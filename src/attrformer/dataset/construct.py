"""From tables to a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, TIMESTAMP, TITLE, USER
from attrformer.dataset.attribute_columns import attributes_of
from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.dataset import Dataset
from attrformer.dataset.edge_columns import read_edges
from attrformer.dataset.frames import library_of
from attrformer.dataset.ids import Ids
from attrformer.dataset.sequences import Sequences
from attrformer.dataset.tables import (
    Table,
    id_column,
    number_column,
    open_table,
    require_columns,
    require_distinct,
    rows_outside,
)
from attrformer.dataset.times import read_times
from attrformer.errors import ConfigurationError, DataError

TABLE_NAMES: Final = ("interactions", "items", "users", "item_relations")


class _Described(NamedTuple):
    """What an items or users table says about known ids."""

    attributes: dict[str, Attribute]
    titles: tuple[str, ...] | None
    notes: list[str]


def dataset_from_frames(
    interactions: Any,
    items: Any = None,
    users: Any = None,
    item_relations: Any = None,
    *,
    name: str = "dataset",
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str | AttributeKind] | None = None,
    catalogue: Literal["interacted", "all"] = "interacted",
    unknown: Literal["error", "drop"] = "drop",
) -> Dataset:
    """A dataset from up to four tables of any frame library (or paths of parquet or csv files).

    Args:
        interactions: `user_id`, `item_id`, optionally `timestamp` (row order counts without it); every other numeric
            column becomes a behaviour attribute.
        items: `item_id`, optionally `title`; every other column becomes an attribute.
        users: `user_id`; every other column becomes an attribute.
        item_relations: `source_item_id`, `target_item_id`, `relation`, optionally `weight` or `rank`.
        name: what protocol lines call the data.
        columns: canonical column name to the user's own.
        kinds: attribute to "categorical", "multi", "numeric" or "time", where inference is not wanted; "items.age" and
            "users.age" tell two columns of one name apart. Text declared "multi" is split at "|".
        catalogue: "interacted": items that somebody acted on; "all": those of the items table as well.
        unknown: what a row about a user or item outside the data is: "drop" leaves it out with a note, "error"
            refuses it.

    Returns:
        The dataset; its `notes` say what was inferred and what was left out.

    Raises:
        DataError: a table cannot be used as it is; the message names the table, column and row.
        ConfigurationError: an option has an unknown value.
    """
    given = dict(zip(TABLE_NAMES, (interactions, items, users, item_relations), strict=True))
    dataset = dataset_of_tables(
        {
            key: open_table(table, key, columns or {})
            for key, table in given.items()
            if table is not None or key == "interactions"
        },
        name=name,
        columns=columns or {},
        kinds=kinds or {},
        catalogue=catalogue,
        unknown=unknown,
    )
    return replace(dataset, frame_library=library_of(interactions))


def dataset_of_tables(
    tables: Mapping[str, Table],
    *,
    name: str,
    columns: Mapping[str, str],
    kinds: Mapping[str, str | AttributeKind],
    catalogue: str,
    unknown: str,
) -> Dataset:
    """What `dataset_from_frames` does once its tables are open; `tables` by their names in `TABLE_NAMES`."""
    _check_options(catalogue, unknown)
    _check_mapping(tables, columns)
    declared = {key: _declared_kinds(kinds, key, tables) for key in ("items", "users")}
    user_ids, item_ids, sequences, notes = _read_interactions(tables["interactions"])
    if "items" in tables and catalogue == "all":
        item_ids, sequences = _extend_catalogue(item_ids, sequences, tables["items"])
    about_items = _describe(tables.get("items"), ITEM, item_ids, declared["items"], unknown)
    about_users = _describe(tables.get("users"), USER, user_ids, declared["users"], unknown)
    edges, edge_notes = read_edges(tables.get("item_relations"), item_ids, unknown)
    return Dataset(
        name=name,
        user_ids=user_ids,
        item_ids=item_ids,
        sequences=sequences,
        item_attributes=about_items.attributes,
        user_attributes=about_users.attributes,
        item_relations=edges,
        item_titles=about_items.titles,
        notes=(*notes, *about_items.notes, *about_users.notes, *edge_notes),
    )


def _check_options(catalogue: str, unknown: str) -> None:
    for option, value, choices in (
        ("catalogue", catalogue, ("interacted", "all")),
        ("unknown", unknown, ("error", "drop")),
    ):
        if value not in choices:
            raise ConfigurationError(f"{option}='{value}' is not known. Use one of: {', '.join(choices)}.")


def _check_mapping(tables: Mapping[str, Table], columns: Mapping[str, str]) -> None:
    for ours, theirs in columns.items():
        if not any(ours in table.frame.columns for table in tables.values()):
            raise DataError(
                f"no table has the column that is mapped to '{ours}'",
                fix="Correct the name in columns=",
                source=", ".join(table.source for table in tables.values()),
                column=theirs,
            )


def _declared_kinds(
    kinds: Mapping[str, str | AttributeKind], table: str, tables: Mapping[str, Table]
) -> dict[str, AttributeKind]:
    declared = {}
    for key, value in kinds.items():
        owner, _, column = key.partition(".") if key.startswith(("items.", "users.")) else ("", "", key)
        if owner and not (owner in tables and column in tables[owner].frame.columns):
            # A column may itself be called "items.age".
            owner, column = "", key
        wanted = [owner] if owner else ["items", "users"]
        holders = [other for other in wanted if other in tables and column in tables[other].frame.columns]
        if not holders:
            raise DataError(
                f"a kind is declared for '{key}', and no such column is there",
                fix="Correct the name in kinds=",
                source=owner or "items, users",
                column=column,
            )
        try:
            kind = AttributeKind(value)
        except ValueError as error:
            choices = ", ".join(choice.value for choice in AttributeKind)
            raise ConfigurationError(f"kinds['{key}']='{value}' is not known. Use one of: {choices}.") from error
        if table in holders:
            declared[column] = kind
    return declared


def _read_interactions(table: Table) -> tuple[Ids, Ids, Sequences, list[str]]:
    require_columns(table, (USER, ITEM))
    if table.frame.is_empty():
        raise DataError("the table has no rows", fix="Give at least one interaction", source=table.source)
    users, items = id_column(table, USER), id_column(table, ITEM)
    user_ids, item_ids = Ids(users.unique().sort()), Ids(items.unique().sort())
    rows = user_ids.encode(users)
    notes: list[str] = []
    behaviours = {}
    for name in table.frame.columns:
        if name in (USER, ITEM, TIMESTAMP):
            continue
        dtype = table.frame[name].dtype
        if dtype.is_numeric() or dtype == pl.Boolean:
            behaviours[name] = number_column(table, name).fill_null(float("nan")).to_numpy().astype(np.float32)
        else:
            notes.append(f"{table.label}: column '{name}' is not used, a behaviour attribute has to be a number")
    times = None
    if TIMESTAMP in table.frame.columns:
        seconds, resolution = read_times(table.frame[TIMESTAMP], source=table.source)
        times, order = seconds.astype(np.int64), np.lexsort((resolution, rows))
    else:
        order = np.argsort(rows, kind="stable")
        notes.append(f"{table.label}: no column '{TIMESTAMP}', the order of the rows counts")
    unordered = Sequences(np.empty(0, np.int64), item_ids.encode(items), times, behaviours)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(user_ids)))])
    return user_ids, item_ids, unordered.select(order, offsets), notes


def _extend_catalogue(item_ids: Ids, sequences: Sequences, table: Table) -> tuple[Ids, Sequences]:
    require_columns(table, (ITEM,))
    known, listed = item_ids.values, id_column(table, ITEM)
    if known.dtype != listed.dtype:
        known, listed = known.cast(pl.String), listed.cast(pl.String)
    wider = Ids(pl.concat([known, listed.rename(known.name)]).unique().sort())
    items = wider.encode(known)[sequences.items]
    return wider, Sequences(sequences.offsets, items, sequences.times, sequences.behaviours)


def _describe(table: Table | None, key: str, ids: Ids, kinds: Mapping[str, AttributeKind], unknown: str) -> _Described:
    if table is None:
        return _Described({}, None, [])
    require_columns(table, (key,))
    external = id_column(table, key)
    require_distinct(table, external)
    codes = ids.encode(external)
    notes = rows_outside(table, key, external, codes < 0, unknown)
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
        titles = _titles(table.frame[TITLE], ids, codes)
    names = [name for name in table.frame.columns if name != key and not (key == ITEM and name == TITLE)]
    attributes, readings = attributes_of(table, names, codes, len(ids), kinds)
    return _Described(attributes, titles, notes + readings)


def _titles(values: pl.Series, ids: Ids, codes: NDArray[np.int32]) -> tuple[str, ...]:
    texts = pl.DataFrame({"code": codes, "title": values.cast(pl.String)}).filter(pl.col("code") >= 0)
    own = pl.DataFrame({"code": np.arange(len(ids), dtype=np.int32), "id": ids.values.cast(pl.String)})
    joined = own.join(texts, on="code", how="left", maintain_order="left")
    return tuple(joined.select(pl.coalesce("title", "id")).to_series().to_list())
