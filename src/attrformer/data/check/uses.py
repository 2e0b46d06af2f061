"""What every column is used as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
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
from attrformer.data.attributes import NUMBER_KINDS, VECTOR_KINDS, Attribute, AttributeKind
from attrformer.data.check.findings import ColumnUse
from attrformer.data.options import CHANGES, INTERACTIONS
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.tables import Table
from attrformer.data.times import form_of_dates

_NOTE: Final = re.compile(r"column '(?P<column>.*?)' is not used,? ?(?P<why>.*)$", re.DOTALL)
_DECIMALS: Final = re.compile(r"(?P<place>[^:]*): column '(?P<column>.*?)': numbers with decimal commas", re.DOTALL)
_EDGE_COLUMNS: Final = {
    SOURCE_ITEM: "edge from this item",
    TARGET_ITEM: "edge to this item",
    RELATION: "name of the relation",
    WEIGHT: "weight of the edge",
    EDGE_RANK: "rank of the edge",
}


_CHANGE_COLUMNS: Final = frozenset({ITEM, TIMESTAMP, CHANGED, VALUE})


def column_uses(dataset: PlainDataset, tables: Mapping[str, Table]) -> tuple[ColumnUse, ...]:
    """The use of every column of the tables; of those that the dataset holds, where tables are not at hand.

    Args:
        dataset: what was made of the tables.
        tables: by name.
    """
    return (
        *_interactions(dataset, tables.get("interactions")),
        *_described(dataset, "items", tables.get("items")),
        *_described(dataset, "users", tables.get("users")),
        *_edges(dataset, tables.get("item_relations")),
        *_changes(dataset, tables.get(CHANGES)),
    )


def _interactions(dataset: PlainDataset, table: Table | None) -> Iterator[ColumnUse]:
    sequences = dataset.sequences
    yield ColumnUse("interactions", USER, "user", dataset.user_count, 0.0)
    yield ColumnUse("interactions", ITEM, "item", _taken(dataset), 0.0)
    if sequences.times is not None:
        order = sequences.meaning.date_orders.get(INTERACTIONS, "")
        yield ColumnUse("interactions", TIMESTAMP, f"time, orders the interactions{_form(order)}", None, 0.0)
    decimals = _decimals(dataset, "interactions", table)
    for name, values in sequences.behaviours.items():
        known = values[~np.isnan(values)]
        missing = 1 - len(known) / max(len(values), 1)
        kind = "categorical" if name in sequences.meaning.values else "numeric"
        used_as = f"behaviour attribute, {kind}{decimals.get(name, '')}"
        yield ColumnUse("interactions", name, used_as, pl.Series(known).n_unique(), missing)
    used = {USER, ITEM, TIMESTAMP, *sequences.behaviours}
    yield from _unused(dataset, "interactions", table, used)


def _described(dataset: PlainDataset, name: str, table: Table | None) -> Iterator[ColumnUse]:
    items = name == "items"
    attributes = dataset.item_attributes if items else dataset.user_attributes
    key, titled = (ITEM, dataset.item_titles is not None) if items else (USER, False)
    if table is not None:
        yield ColumnUse(name, key, "id", table.frame[key].n_unique(), 0.0)
    if titled and dataset.item_titles is not None:
        used = "shown in place of the id"
        read = f", item attribute, {attributes[TITLE].kind.value}" if TITLE in attributes else ""
        yield ColumnUse(name, TITLE, f"{used}{read}", len(set(dataset.item_titles)))
    decimals = _decimals(dataset, name, table)
    for column, attribute in attributes.items():
        if items and column == TITLE:
            continue
        form = _form(attribute.date_order) or decimals.get(column, "")
        yield ColumnUse(name, column, f"{name[:-1]} attribute, {attribute.kind.value}{form}", *_counts(attribute))
    yield from _unused(dataset, name, table, {key, *attributes, *((TITLE,) if titled else ())})


def _edges(dataset: PlainDataset, table: Table | None) -> Iterator[ColumnUse]:
    if table is None:
        for name, edges in dataset.item_relations.items():
            yield ColumnUse("item_relations", name, f"relation of {len(edges.source):,} edges")
        return
    for values in table.frame:
        used = _EDGE_COLUMNS.get(values.name, "not used")
        if values.name == EDGE_RANK and WEIGHT in table.frame.columns:
            used = "not used, weight goes before it"
        count = values.n_unique() if values.name != WEIGHT else None
        yield ColumnUse("item_relations", values.name, used, count, _missing(values))


def _changes(dataset: PlainDataset, table: Table | None) -> Iterator[ColumnUse]:
    for name, changes in dataset.item_changes.items():
        numbers = changes.numbers[~np.isnan(changes.numbers)]
        values = len(np.unique(numbers)) if len(changes.numbers) else len(changes.vocabulary)
        never = float((np.diff(changes.offsets) == 0).mean()) if len(changes) else 0.0
        used = f"item attribute, {changes.kind.value}, of which {len(changes.times):,} changes are known"
        yield ColumnUse(CHANGES, name, used, values, never)
    if table is not None:
        for column in table.frame.columns:
            if column not in _CHANGE_COLUMNS:
                yield ColumnUse(CHANGES, column, "not used", None, _missing(table.frame[column]))


def _form(order: str) -> str:
    """How a column of dates whose form leaves the order open was read."""
    return f", {form_of_dates(order)}" if order else ""


def _decimals(dataset: PlainDataset, name: str, table: Table | None) -> dict[str, str]:
    """The columns of a table that were read as numbers with decimal commas, as the notes have it."""
    found = (_DECIMALS.match(note) for note in dataset.notes)
    places = (name, table.label if table is not None else name)
    return {
        one["column"]: ", decimal commas"
        for one in found
        if one is not None and (one["place"] in places or one["place"].partition(".")[0] == name)
    }


def _unused(dataset: PlainDataset, name: str, table: Table | None, used: set[str]) -> Iterator[ColumnUse]:
    """The columns of a table that the dataset does not hold, with the reason that a note gives."""
    reasons = {}
    for note in dataset.notes:
        place, _, said = note.partition(": ")
        found = _NOTE.search(said)
        if found and (place == name or place.partition(".")[0] == name or (table is not None and place == table.label)):
            reasons[found["column"]] = found["why"]
    columns = dict.fromkeys(table.frame.columns if table is not None else reasons)
    for column in columns:
        if column not in used:
            values = None if table is None else table.frame[column]
            why = reasons.get(column)
            yield ColumnUse(
                name,
                column,
                f"not used, {why}" if why else "not used",
                None if values is None or values.dtype.is_nested() else values.n_unique(),
                None if values is None else _missing(values),
            )


def _counts(attribute: Attribute) -> tuple[int | None, float]:
    known = attribute.known
    missing = float((~known).mean()) if len(attribute) else 0.0
    if attribute.kind in NUMBER_KINDS:
        return len(np.unique(attribute.numbers[known])), missing
    if attribute.kind in VECTOR_KINDS:
        return None, missing
    if attribute.kind is AttributeKind.TEXT:
        return len(set(attribute.texts) - {""}), missing
    return len(attribute.vocabulary), missing


def _missing(values: pl.Series) -> float:
    gone = values.null_count()
    if values.dtype == pl.String:
        gone += int((values.str.strip_chars() == "").sum())
    return gone / max(len(values), 1)


def _taken(dataset: PlainDataset) -> int:
    return int(np.count_nonzero(np.bincount(dataset.sequences.items, minlength=dataset.item_count)))
