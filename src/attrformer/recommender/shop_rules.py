"""The rules of a request, prepared for a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, TITLE
from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.id_map import IdMap
from attrformer.data.python_values import mixed_series
from attrformer.data.tables import Table, id_column, open_table, require_columns, require_distinct
from attrformer.errors import ConfigurationError, DataError
from attrformer.recommender.unknown import CATALOGUE, OnUnknown, id_series
from attrformer.rules.compiled import CompiledRules, columns_read, compile_rules
from attrformer.rules.item_values import READABLE, ItemValues
from attrformer.rules.options import NewItemsRule
from attrformer.rules.request import ITEM_VALUES, ShopRules

if TYPE_CHECKING:
    # Exported models compile rules as well, and have no torch.
    from attrformer.recommender.state import ModelState


def compiled(shop: ShopRules, fitted: ModelState, unknown: OnUnknown, as_of: int | None = None) -> CompiledRules:
    """The rules of a request by item codes of a model; what depends on the model only is computed once.

    Args:
        shop: the rules.
        fitted: the model.
        unknown: what becomes of pinned items that the model does not know.
        as_of: when items have the values that rules read, in seconds; the latest values where None.

    Raises:
        RuleError: a condition cannot be read, or does not fit the attributes.
        ConfigurationError: a column does not exist, or new items cannot be told.
        UnknownIdError: a pinned item is unknown.
        CheckpointError: the model does not have what the rules read.
    """
    # Whoever is to be warned of unknown ids is warned each time.
    if shop.expression is None and shop.item_values is None and unknown.action != "warn":
        values, come = fitted.knowledge.item_values, "latest"
        if as_of is not None and values is not None:
            come = str(values.come(columns_read(shop.rules), as_of))
        if as_of is not None and shop.rules.new_items is not None and shop.rules.new_items.within is not None:
            come = f"{come} {as_of}"
        key = f"{unknown.action} {come} {shop.rules.key}"
        return fitted.rules.get(key, lambda: _compile(shop, fitted, unknown, as_of))
    return _compile(shop, fitted, unknown, as_of)


def _compile(shop: ShopRules, fitted: ModelState, unknown: OnUnknown, as_of: int | None) -> CompiledRules:
    knowledge = fitted.knowledge
    return compiled_for(
        shop, knowledge.item_ids, knowledge.item_values, unknown, lambda rule: new_items(fitted, rule, as_of), as_of
    )


def compiled_for(
    shop: ShopRules,
    ids: IdMap,
    values: ItemValues | None,
    unknown: OnUnknown,
    is_new: Callable[[NewItemsRule], NDArray[np.bool_]],
    as_of: int | None = None,
) -> CompiledRules:
    """The rules of a request by item codes; without torch.

    Args:
        shop: the rules.
        ids: the catalogue.
        values: attribute values of all items over time; None where they are not known.
        unknown: what becomes of pinned items that are not in the catalogue.
        is_new: which items are new, bool `[items]`.
        as_of: when items have the values that rules read, in seconds; the latest values where None.

    Raises:
        RuleError: a condition cannot be read, or does not fit the attributes.
        ConfigurationError: a column does not exist.
        UnknownIdError: a pinned item is unknown.
        CheckpointError: the rules read what is not known.
    """
    values = None if values is None else values.at(as_of)
    if shop.item_values is not None:
        values = _overlaid(ids, ItemValues(len(ids)) if values is None else values, shop.item_values)

    def codes_of(pinned: list[Any]) -> NDArray[np.int64]:
        return unknown.known(ids, id_series([str(item) for item in pinned], "pinned"), "pinned", CATALOGUE)

    return compile_rules(shop.rules, shop.expression, values, len(ids), codes_of, is_new)


def new_items(fitted: ModelState, rule: NewItemsRule, as_of: int | None = None) -> NDArray[np.bool_]:
    """Which items are new, bool `[items]`.

    Items without an interaction that the model has counted are, and with `within` those whose first interaction is no
    longer before a time, or later.

    Args:
        fitted: the model.
        rule: what counts as new.
        as_of: that time in seconds; the latest interaction that the model knows where None.

    Raises:
        ConfigurationError: `within` is given, and the model was fitted without times.
    """
    return new_items_at(fitted, rule)(as_of)


def new_items_at(fitted: ModelState, rule: NewItemsRule) -> Callable[[int | None], NDArray[np.bool_]]:
    """The same for many times, as a function of `as_of`.

    Raises:
        ConfigurationError: as for `new_items`.
    """
    never = fitted.new_items
    if rule.seconds is None:
        return lambda _: never
    histories = fitted.knowledge.histories
    if histories.times is None:
        raise ConfigurationError(
            "new_items.within needs times, and the model was fitted to interactions without a timestamp. Leave within "
            "out: items without training interactions are new."
        )
    first = np.full(fitted.relations.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, histories.items, histories.times)
    within, latest = rule.seconds, int(histories.times.max(initial=0))
    return lambda as_of: never | (first >= (latest if as_of is None else as_of) - within)


def _overlaid(ids: IdMap, values: ItemValues, given: Any) -> ItemValues:
    """Attribute values with those of a request over them; items that the model does not know are left alone."""
    table = _table_of(given)
    require_columns(table, (ITEM,))
    external = id_column(table, ITEM)
    require_distinct(table, external.rename(ITEM))
    codes = ids.encode(external).astype(np.int64)
    known = np.flatnonzero(codes >= 0)
    rows = np.full(len(codes), -1, dtype=np.int32)
    rows[known] = np.arange(len(known))
    attributes: dict[str, Attribute] = {}
    for name in table.frame.columns:
        if name in (ITEM, TITLE):
            continue
        old = values.columns.get(name)
        kind = _kind_of(table, name) if old is None else old.kind
        separator, order = ("", None) if old is None else (old.separator, old.date_order or None)
        attribute = attribute_from_column(replace(table, date_order=order), name, kind, rows, len(known), separator)
        if attribute.kind in READABLE:
            attributes[name] = attribute
    return values.overlaid(codes[known], attributes)


def _table_of(given: Any) -> Table:
    if not isinstance(given, Mapping):
        return open_table(given, ITEM_VALUES, {}, mapped_by=())
    rows = list(given.values())
    if not all(isinstance(row, Mapping) for row in rows):
        raise DataError(
            "an item has something else than values by column",
            fix="Give {'item': {'column': value}, ...} or a table with a column item_id",
            source=ITEM_VALUES,
        )
    names = list(dict.fromkeys(name for row in rows for name in row if name not in (ITEM, TITLE)))
    columns = [id_series(given.keys(), ITEM).rename(ITEM)]
    columns += [mixed_series(str(name), [row.get(name) for row in rows]) for name in names]
    return Table(pl.DataFrame(columns), ITEM_VALUES, mapped_by=())


def _kind_of(table: Table, name: str) -> AttributeKind:
    """How a column is read that training did not have: by its type alone, as it is small."""
    kind = table.frame[name].dtype
    if kind.is_integer() or kind.is_float() or kind.is_decimal():
        return AttributeKind.NUMERIC
    if kind in (pl.Date, pl.Datetime):
        return AttributeKind.TIME
    if isinstance(kind, (pl.List, pl.Array)):
        return AttributeKind.MULTI
    return AttributeKind.CATEGORICAL
