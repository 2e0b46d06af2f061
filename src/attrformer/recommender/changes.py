"""Changes of items that come in after training: they are known from their time on, and nothing is learned from them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, VALUE
from attrformer.data.attributes import AttributeKind
from attrformer.data.change_columns import read_changes
from attrformer.data.changing_attributes import ALWAYS
from attrformer.data.options import CHANGES
from attrformer.data.tables import id_column, open_table, require_columns
from attrformer.errors import ConfigurationError, UnknownIdError
from attrformer.recommender.incoming import in_type_of
from attrformer.recommender.state import ModelState
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.rules.item_values import ItemValues

_ANY_TIME: Final = np.iinfo(np.int64).max
_CHANGEABLE: Final = (AttributeKind.NUMERIC, AttributeKind.CATEGORICAL)


def with_changes(fitted: ModelState, frame: Any) -> ModelState:
    """The model with further values of items; one at the time of a known one takes its place.

    Args:
        fitted: the model.
        frame: a table with `item_id`, `timestamp`, `column` and `value`. Relations read the columns that they are
            about, where a value that training has not seen relates to nothing; rules read all columns.

    Raises:
        ConfigurationError: neither relations nor rules of the model read values that change.
        DataError: the table cannot be read, or a value does not fit its column.
        UnknownIdError: an item is not in the catalogue.
    """
    encoders, values = fitted.relations.changing_columns, fitted.knowledge.item_values
    if not encoders and values is None:
        raise ConfigurationError(
            "The model reads no attribute that changes in time. Fit it again, or give rules the values of now "
            "(item_values)."
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
    left_out, kinds = _kinds(read[CHANGED], encoders, values)
    read = read.filter(~pl.col(CHANGED).is_in(left_out) | pl.col(CHANGED).is_null())
    changes, _ = read_changes(replace(table, frame=read), known, kinds, "error", _ANY_TIME, whole=False)
    if values is not None:
        before = fitted.relations.changing
        since = {name: _last(before[name].offsets, before[name].times) for name in changes if name in before}
        values = values.with_changes(changes, since)
    knowledge = replace(fitted.knowledge, item_values=values)
    if not set(changes) & set(encoders):
        return fitted.knowing(knowledge)
    return fitted.rebuilt(fitted.relations.with_changes(changes), knowledge)


def _kinds(
    columns: pl.Series, encoders: Mapping[str, AttributeEncoder], values: ItemValues | None
) -> tuple[list[str], dict[str, AttributeKind | None]]:
    """Columns that cannot be used, and the kinds of those that are known; says which are not, and which are new."""
    kinds: dict[str, AttributeKind | None] = {column: encoder.kind for column, encoder in encoders.items()}
    left_out, new = list[str](), list[str]()
    for name in sorted(set(columns.drop_nulls().unique().to_list()) - set(kinds)):
        if values is None:
            left_out.append(name)
        elif name in values.changes or name in values.still:
            kinds[name] = (values.changes.get(name) or values.still[name]).kind
            if kinds[name] not in _CHANGEABLE:
                left_out.append(name)
        else:
            new.append(name)
    if left_out:
        _warn(f"the model reads {', '.join(encoders)}, and no changes of", left_out, "Left out.")
    if new:
        _warn("the model was fitted without", new, "Kept for rules (where, boost, at_most).")
    return left_out, kinds


def _warn(what: str, names: list[str], then: str) -> None:
    more = f" and {len(names) - 1} more columns" if len(names) > 1 else ""
    warnings.warn(f"{CHANGES}: {what} '{names[0]}'{more}. {then}", UserWarning, stacklevel=5)


def _last(offsets: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The time of the last change of each item, int64 `[items]`; before all others where there is none."""
    return np.where(np.diff(offsets) > 0, np.append(times, 0)[np.maximum(offsets[1:] - 1, 0)], ALWAYS)
