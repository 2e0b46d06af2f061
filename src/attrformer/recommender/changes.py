"""Changes of items that come in after training: they are known from their time on, and nothing is learned from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, VALUE
from attrformer.data.attributes import AttributeKind
from attrformer.data.change_columns import read_changes
from attrformer.data.changing_attributes import ALWAYS
from attrformer.data.options import CHANGES, columns_for
from attrformer.data.tables import MAPPED_BY, id_column, open_table, require_columns
from attrformer.errors import ConfigurationError, UnknownIdError
from attrformer.recommender.incoming import in_type_of
from attrformer.recommender.state import ModelState

_ANY_TIME: Final = np.iinfo(np.int64).max
CHANGEABLE: Final = (AttributeKind.NUMERIC, AttributeKind.CATEGORICAL)
"""Kinds of columns that tables of changes may be about."""


def kind_of(fitted: ModelState, column: str) -> AttributeKind | None:
    """The kind of an item attribute as relations or rules read it; None where the model has no such column.

    Args:
        fitted: the model.
        column: its name.
    """
    encoder, values = fitted.relations.changing_columns.get(column), fitted.knowledge.item_values
    if encoder is not None:
        return encoder.kind
    attribute = None if values is None else values.changes.get(column) or values.still.get(column)
    return None if attribute is None else attribute.kind


def _warned(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=6)


def with_changes(
    fitted: ModelState,
    frame: Any,
    tell: Callable[[str], None] = _warned,
    columns: Mapping[str, str] | None = None,
) -> ModelState:
    """The model with further values of items; one at the time of a known one takes its place.

    Args:
        fitted: the model.
        frame: a table with `item_id`, `timestamp`, `column` and `value`. Relations read the columns that they are
            about, where a value that training has not seen relates to nothing; rules read all columns.
        tell: is told which columns are left out, and which are new, in a sentence each; warns of them by default.
        columns: canonical column name to the user's own; None where the caller has no such option.

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
    table = open_table(
        frame, CHANGES, columns_for(columns or {}, CHANGES), mapped_by=() if columns is None else MAPPED_BY[:1]
    )
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
    left_out, kinds = _kinds(fitted, read[CHANGED], tell)
    read = read.filter(~pl.col(CHANGED).is_in(left_out) | pl.col(CHANGED).is_null())
    table = replace(table, frame=read, date_order=date_order_of(fitted))
    changes, *_ = read_changes(table, known, kinds, "raise", _ANY_TIME, whole=False)
    if values is not None:
        before = fitted.relations.changing
        since = {name: _last(before[name].offsets, before[name].times) for name in changes if name in before}
        values = values.with_changes(changes, since)
    knowledge = replace(fitted.knowledge, item_values=values)
    if not set(changes) & set(encoders):
        return fitted.knowing(knowledge)
    return fitted.rebuilt(fitted.relations.with_changes(changes), knowledge)


def date_order_of(fitted: ModelState) -> str | None:
    """What stood first in the dates of the changes that a model was trained with; None where that was not open."""
    return fitted.knowledge.histories.meaning.date_orders.get(CHANGES)


def _kinds(
    fitted: ModelState, columns: pl.Series, tell: Callable[[str], None]
) -> tuple[list[str], dict[str, AttributeKind | None]]:
    """Columns that cannot be used, and the kinds of those that are known; tells which are not, and which are new."""
    kinds: dict[str, AttributeKind | None] = {}
    left_out, new = list[str](), list[str]()
    for name in columns.drop_nulls().unique().sort().to_list():
        kind = kind_of(fitted, name)
        if kind is None and fitted.knowledge.item_values is not None:
            new.append(name)
        elif kind in CHANGEABLE:
            kinds[name] = kind
        else:
            left_out.append(name)
    if left_out and fitted.knowledge.item_values is None:
        read = ", ".join(fitted.relations.changing_columns)
        tell(f"{CHANGES}: the model reads {read}, and no changes of {_named(left_out)}. Left out.")
    elif left_out:
        tell(f"{CHANGES}: only numbers and single values can change, unlike {_named(left_out)}. Left out.")
    if new:
        tell(f"{CHANGES}: the model was fitted without {_named(new)}. Kept for rules (where, boost, at_most).")
    return left_out, kinds


def _named(names: list[str]) -> str:
    return f"'{names[0]}'{f' and {len(names) - 1} more columns' if len(names) > 1 else ''}"


def _last(offsets: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The time of the last change of each item, int64 `[items]`; before all others where there is none."""
    return np.where(np.diff(offsets) > 0, np.append(times, 0)[np.maximum(offsets[1:] - 1, 0)], ALWAYS)
