"""Items that become known after training, recommended from their attributes alone until somebody acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
import torch

from attrformer.columns import ITEM, TITLE
from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.id_map import IdMap
from attrformer.data.tables import Table, id_column, require_distinct
from attrformer.data.vector_tables import Vectors
from attrformer.errors import ConfigurationError, DataError
from attrformer.models.attrformer import OWN_EMBEDDING, AttrFormerNetwork
from attrformer.recommender.incoming import in_type_of, open_incoming, read_attributes
from attrformer.recommender.state import ModelState
from attrformer.recommender.text_models import Encoder, with_vectors
from attrformer.relations.base import NewItems
from attrformer.rules.item_values import ItemValues
from attrformer.training.checkpoint import parameters_of

SOURCE: Final = "items"


def with_items(
    fitted: ModelState,
    frame: Any,
    vectors: Vectors | None = None,
    encoders: Mapping[str, Encoder] | None = None,
    columns: Mapping[str, str] | None = None,
) -> ModelState:
    """The model with a larger catalogue; what it says about the items that it had stays as it was.

    Args:
        fitted: the model.
        frame: a table with `item_id`, a column for each item attribute that the model reads, and optionally `title`.
            An empty value is a missing one; a value that training has not seen twice relates to nothing; other columns
            are not read.
        vectors: as `Recommender.add_items` takes them.
        encoders: by column, of texts that the encoder that is built in does not read.
        columns: as `Recommender.add_items` takes them.

    Raises:
        DataError: a column is missing, a value does not fit its attribute, an id is there already, or there is no row.
        ConfigurationError: the model does not rank items by their attributes, or an encoder is missing.
        CheckpointError: the model was saved by a version that did not keep how attributes are read.
    """
    _require_attributes(fitted)
    read = fitted.relations.item_columns
    table = open_incoming(frame, SOURCE, ITEM, read, vectors, columns)
    known = fitted.knowledge.item_ids
    ids = _new_ids(known, table)
    attributes = read_attributes(table, read, np.arange(len(ids), dtype=np.int32), len(ids))
    attributes = with_vectors(attributes, encoders)
    weights = {}
    if isinstance(fitted.network, AttrFormerNetwork):
        own = parameters_of(fitted.network)[OWN_EMBEDDING]
        weights[OWN_EMBEDDING] = torch.cat([own, own.new_zeros(len(ids), own.shape[1])])
    titles = _titles(fitted, table, ids)
    knowledge = replace(
        fitted.knowledge,
        item_ids=IdMap(pl.concat([known.values, ids])),
        titles=titles,
        item_values=_item_values(fitted, table, len(ids)),
    )
    new = NewItems(known, IdMap(ids), attributes, None if titles is None else titles[len(known) :])
    return fitted.rebuilt(fitted.relations.with_items(new), knowledge, weights)


def _require_attributes(fitted: ModelState) -> None:
    learned = next(fitted.network.parameters(), None) is not None
    relations = fitted.relations
    if not (relations.features or relations.item_columns or relations.changing_columns):
        why = "reads no attribute of items"
    elif learned and not isinstance(fitted.network, AttrFormerNetwork):
        why = "learns every item for itself"
    else:
        return
    raise ConfigurationError(
        f"The model '{fitted.config.name}' {why} and cannot rank new ones. Fit it to data that hold them, or use "
        "AttrFormer with item attributes."
    )


def _new_ids(known: IdMap, table: Table) -> pl.Series:
    ids = in_type_of(known, id_column(table, ITEM), table.source, ITEM)
    require_distinct(table, ids.rename(ITEM))
    there = np.flatnonzero(known.encode(ids) >= 0)
    if len(there):
        raise DataError(
            f"'{ids[int(there[0])]}' is in the catalogue already",
            fix="Give new items only; train again (warm_start=) where attributes of known ones have changed",
            source=table.source,
            column=ITEM,
            row=int(there[0]),
        )
    return ids


def _item_values(fitted: ModelState, table: Table, count: int) -> ItemValues | None:
    """Attribute values of all items for rules; columns that the table does not have are missing for the new ones."""
    values = fitted.knowledge.item_values
    if values is None:
        return None
    everyone = np.arange(count, dtype=np.int32)
    given = {
        name: attribute_from_column(
            replace(table, date_order=each.date_order or None), name, each.kind, everyone, count, each.separator
        )
        for name in table.frame.columns
        if (each := values.columns.get(name)) is not None
    }
    return values.with_items(given, count)


def _titles(fitted: ModelState, table: Table, ids: pl.Series) -> tuple[str, ...] | None:
    """Titles of all items, ids in place of missing ones; None where neither the model nor the table has any."""
    titles, given = fitted.knowledge.titles, TITLE in table.frame.columns
    if titles is None and not given:
        return None
    names = ids.cast(pl.String)
    new = table.frame.select(pl.coalesce(pl.col(TITLE).cast(pl.String), names)).to_series() if given else names
    return (*(titles or fitted.knowledge.item_ids.values.cast(pl.String).to_list()), *new.to_list())
