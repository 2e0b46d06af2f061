"""Smaller datasets from larger ones; each function notes what it dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.dataset import Dataset
from attrformer.data.edges import Edges
from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError, DataError, UnknownIdError


def core_filter(dataset: Dataset, k: int) -> Dataset:
    """The k-core: users and items with at least k interactions among each other, found by repeated removal.

    Args:
        dataset: the data to be filtered; items that nobody acted on are removed as well.
        k: least interactions of every user and of every item.

    Raises:
        DataError: nothing is left.
        ConfigurationError: k is below 1.
    """
    if k < 1:
        raise ConfigurationError(f"k={k} is too small for a k-core. Use 1 or more.")
    users, items = dataset.sequences.row_of_position(), dataset.sequences.items
    while True:
        by_user = np.bincount(users, minlength=dataset.user_count)
        by_item = np.bincount(items, minlength=dataset.item_count)
        keep = (by_user[users] >= k) & (by_item[items] >= k)
        if keep.all():
            break
        users, items = users[keep], items[keep]
    return _subset(dataset, by_user >= k, by_item >= k, f"the {k}-core filter")


def keep_items(dataset: Dataset, items: Iterable[Any] | pl.Series) -> Dataset:
    """Only the given items; users who acted on none of them are dropped.

    Args:
        dataset: the data to be filtered.
        items: external ids.

    Raises:
        UnknownIdError: an id is not in the catalogue.
        DataError: no interaction is left.
    """
    everyone = np.ones(dataset.user_count, dtype=bool)
    return _subset(dataset, everyone, _mask(dataset.item_ids, items, "item"), "the choice of items")


def keep_users(dataset: Dataset, users: Iterable[Any] | pl.Series) -> Dataset:
    """Only the given users; the catalogue stays as it is.

    Args:
        dataset: the data to be filtered.
        users: external ids.

    Raises:
        UnknownIdError: an id is not in the data.
        DataError: no interaction is left.
    """
    everything = np.ones(dataset.item_count, dtype=bool)
    return _subset(dataset, _mask(dataset.user_ids, users, "user"), everything, "the choice of users")


def _mask(ids: IdMap, wanted: Iterable[Any] | pl.Series, what: str) -> NDArray[np.bool_]:
    series = wanted if isinstance(wanted, pl.Series) else pl.Series("id", list(wanted))
    codes = ids.encode(series)
    if (codes < 0).any():
        missing = series[int(np.flatnonzero(codes < 0)[0])]
        raise UnknownIdError(f"{what} '{missing}' is not in the data. Give ids that the dataset has.")
    mask = np.zeros(len(ids), dtype=bool)
    mask[codes] = True
    return mask


def _subset(dataset: Dataset, users: NDArray[np.bool_], items: NDArray[np.bool_], by: str) -> Dataset:
    """The dataset for masks of users `[user_count]` and items `[item_count]`, everything numbered anew."""
    old = dataset.sequences
    rows = old.row_of_position()
    kept = users[rows] & items[old.items]
    lengths = np.bincount(rows[kept], minlength=dataset.user_count)
    active = lengths > 0
    if not active.any():
        raise DataError(
            f"nothing is left after {by}",
            fix="Filter less strictly or give more interactions",
            source=dataset.name,
        )
    user_rows, item_rows = np.flatnonzero(active), np.flatnonzero(items)
    recoded = np.cumsum(items, dtype=np.int32) - np.int32(1)
    chosen = old.select(np.flatnonzero(kept), offsets_of(lengths[active]))
    smaller = replace(
        dataset,
        user_ids=IdMap(dataset.user_ids.decode(user_rows)),
        item_ids=IdMap(dataset.item_ids.decode(item_rows)),
        sequences=replace(chosen, items=recoded[chosen.items]),
        item_attributes=_take(dataset.item_attributes, item_rows),
        user_attributes=_take(dataset.user_attributes, user_rows),
        item_relations=_edges_within(dataset.item_relations, items, recoded),
        item_changes=_take_changes(dataset.item_changes, item_rows),
        item_titles=None if dataset.item_titles is None else tuple(dataset.item_titles[row] for row in item_rows),
    )
    return replace(smaller, notes=(*dataset.notes, *_dropped(dataset, smaller, by)))


def _dropped(before: Dataset, after: Dataset, by: str) -> tuple[str, ...]:
    counts = (
        ("users", before.user_count, after.user_count),
        ("items", before.item_count, after.item_count),
        ("interactions", len(before.sequences.items), len(after.sequences.items)),
        ("edges", _edge_count(before), _edge_count(after)),
    )
    parts = [f"{old - new:,} of {old:,} {what}" for what, old, new in counts if old != new]
    silent = [
        f"the attribute {name} has no value left"
        for old, new in (
            (before.item_attributes, after.item_attributes),
            (before.user_attributes, after.user_attributes),
            (before.item_changes, after.item_changes),
        )
        for name in old
        if name not in new
    ]
    return (f"{before.name}: {by} dropped {'; '.join([', '.join(parts), *silent])}",) if parts else ()


def _edge_count(dataset: Dataset) -> int:
    return sum(len(edges.source) for edges in dataset.item_relations.values())


def _take(attributes: dict[str, Attribute], rows: NDArray[np.int64]) -> dict[str, Attribute]:
    taken = {name: _without_unused(attribute.take(rows)) for name, attribute in attributes.items()}
    return {name: attribute for name, attribute in taken.items() if attribute.known.any()}


def _take_changes(attributes: dict[str, ChangingAttribute], rows: NDArray[np.int64]) -> dict[str, ChangingAttribute]:
    found = {}
    for name, attribute in attributes.items():
        taken = attribute.take(rows)
        used, codes = np.unique(taken.codes, return_inverse=True)
        if taken.vocabulary:
            # Missing values have the code -1 and no place in the vocabulary.
            missing = int((used < 0).sum())
            vocabulary = tuple(taken.vocabulary[code] for code in used[missing:])
            taken = replace(taken, codes=(codes - missing).astype(np.int32), vocabulary=vocabulary)
        if len(taken.times):
            found[name] = taken
    return found


def _without_unused(attribute: Attribute) -> Attribute:
    if not attribute.vocabulary:
        return attribute
    used, codes = np.unique(attribute.codes, return_inverse=True)
    vocabulary = tuple(attribute.vocabulary[code] for code in used)
    return replace(attribute, codes=codes.astype(np.int32), vocabulary=vocabulary)


def _edges_within(
    relations: dict[str, Edges], items: NDArray[np.bool_], recoded: NDArray[np.int32]
) -> dict[str, Edges]:
    within = {}
    for name, edges in relations.items():
        kept = items[edges.source] & items[edges.target]
        if kept.any():
            within[name] = Edges(recoded[edges.source[kept]], recoded[edges.target[kept]], edges.weight[kept])
    return within
