"""Items that were added once, added again to a model that was read later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from attrformer.columns import ITEM, TITLE
from attrformer.data.python_values import series_of
from attrformer.errors import AttrFormerError, ConfigurationError
from attrformer.recommender import Recommender

Rows = list[dict[str, Any]]


def carry(model: Recommender, kept: Iterable[Rows]) -> tuple[int, int]:
    """Adds to a model what it does not know of the items that were kept.

    An attribute that the model does not read is left out. Items that it cannot take are left out, and counted.

    Args:
        model: changed in place.
        kept: items of each request that added some, the oldest first.

    Returns:
        How many items were added, and how many could not be.
    """
    known = set(model.fitted.knowledge.item_ids.values.cast(pl.String).to_list())
    attributes = set(model.fitted.relations.item_columns)
    groups: dict[tuple[tuple[str, str], ...], Rows] = {}
    for rows in kept:
        for row in rows:
            if str(row[ITEM]) in known:
                continue
            known.add(str(row[ITEM]))
            read = {name: value for name, value in row.items() if name in (ITEM, TITLE) or name in attributes}
            types = sorted((name, _type(value)) for name, value in read.items() if value is not None)
            groups.setdefault(tuple(types), []).append(read)
    counts = [_carried(model, rows) for rows in groups.values()]
    return sum(counts), sum(map(len, groups.values())) - sum(counts)


def item_table(rows: Rows, attributes: list[str]) -> pl.DataFrame:
    """Items as a table with a column for each attribute of the model, empty where nothing was said.

    Args:
        rows: item_id and attributes of each.
        attributes: that the model reads.

    Raises:
        ConfigurationError: an attribute that the model does not read, or values of several types.
    """
    wrong = [name for row in rows for name in row if name not in (ITEM, TITLE, *attributes)]
    if wrong:
        known = ", ".join(attributes) or "none"
        raise ConfigurationError(f"'{wrong[0]}' is no item attribute of this model. It has: {known}.")
    titled = [TITLE] if any(TITLE in row for row in rows) else []
    try:
        names = dict.fromkeys((ITEM, *titled, *attributes))
        return pl.DataFrame([series_of(name, [row.get(name) for row in rows]) for name in names])
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise ConfigurationError(
            "The values of an attribute are of several types. Give text, numbers or lists throughout."
        ) from error


def _carried(model: Recommender, rows: Rows) -> int:
    """How many of some items could be added; those that could not are found by halves."""
    try:
        model.add_items(item_table(rows, list(model.fitted.relations.item_columns)))
    except ConfigurationError:
        # The model takes no items at all, or none with values of these types.
        return 0
    except AttrFormerError:
        half = len(rows) // 2
        return _carried(model, rows[:half]) + _carried(model, rows[half:]) if half else 0
    return len(rows)


def _type(value: Any) -> str:
    if isinstance(value, list):
        return f"list of {sorted({type(part).__name__ for part in value})}"
    return type(value).__name__
