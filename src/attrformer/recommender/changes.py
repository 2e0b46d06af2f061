"""Changes of items that come in after training: they are known from their time on, and nothing is learned from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, VALUE
from attrformer.data.change_columns import read_changes
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.options import CHANGES
from attrformer.data.tables import id_column, open_table, require_columns
from attrformer.errors import ConfigurationError, UnknownIdError
from attrformer.recommender.incoming import in_type_of
from attrformer.recommender.state import ModelState
from attrformer.rules.item_values import ItemValues

_ANY_TIME: Final = np.iinfo(np.int64).max


def with_changes(fitted: ModelState, frame: Any) -> ModelState:
    """The model with further values of items; one at the time of a known one takes its place.

    Args:
        fitted: the model.
        frame: a table with `item_id`, `timestamp`, `column` and `value`; columns that the model does not read are left
            out, and a value that training has not seen relates to nothing.

    Raises:
        ConfigurationError: the model reads no attribute that changes in time.
        DataError: the table cannot be read, or a value does not fit its column.
        UnknownIdError: an item is not in the catalogue.
    """
    readings = fitted.relations.changing_columns
    if not readings:
        raise ConfigurationError(
            "The model reads no attribute that changes in time. Fit it to data with a table of changes."
        )
    table = open_table(frame, CHANGES, {})
    require_columns(table, (ITEM, TIMESTAMP, CHANGED, VALUE))
    known = fitted.knowledge.item_ids
    ids = in_type_of(known, id_column(table, ITEM), table.source, ITEM)
    outside = np.flatnonzero(known.encode(ids) < 0)
    if len(outside):
        raise UnknownIdError(
            f"{table.label}: '{ids[int(outside[0])]}' is not in the catalogue of this model. Add new items first "
            "(add_items), or leave their changes out."
        )
    read = table.frame.with_columns(ids.rename(ITEM), pl.col(CHANGED).cast(pl.String))
    read = read.filter(pl.col(CHANGED).is_in(list(readings)) | pl.col(CHANGED).is_null())
    kinds = {column: reading.kind for column, reading in readings.items()}
    changes, _ = read_changes(replace(table, frame=read), known, kinds, "error", _ANY_TIME, whole=False)
    knowledge = replace(fitted.knowledge, item_values=_latest_values(fitted, changes))
    return fitted.rebuilt(fitted.relations.with_changes(changes), knowledge)


def _latest_values(fitted: ModelState, changes: Mapping[str, ChangingAttribute]) -> ItemValues | None:
    """The values that rules read, where changes are later than those that the model has."""
    values = fitted.knowledge.item_values
    before = fitted.relations.changing
    for name, more in changes.items():
        if values is None or name not in values.columns:
            continue
        last = before[name].offsets[1:] - 1
        known = np.where(np.diff(before[name].offsets) > 0, before[name].times[np.maximum(last, 0)], -_ANY_TIME)
        items = np.flatnonzero(np.diff(more.offsets) > 0)
        items = items[more.times[more.offsets[items + 1] - 1] >= known[items]]
        values = values.overlaid(items, {name: more.at().take(items)})
    return values
