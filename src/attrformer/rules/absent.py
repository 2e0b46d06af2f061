"""What is said of columns and values that rules name and no item has."""

from __future__ import annotations

import difflib
from typing import Final

from attrformer.data.attributes import Attribute
from attrformer.rules.item_values import ItemValues

_NOTHINGS: Final = ("null", "none", "nan", "na")
_NEAR: Final = 3
_MOST_COMPARED: Final = 20_000
"""Values that are compared with one that no item has; more of them would take a second."""


def unknown_column(name: str, values: ItemValues) -> str:
    """The sentences about a column that is not there, with a near one.

    Args:
        name: of the column.
        values: of all items.
    """
    if name.lower() in _NOTHINGS:
        return f"there is no column '{name}'. Write is missing, or is not missing."
    near = difflib.get_close_matches(name, list(values.columns), n=1)
    if not near:
        lower = {known.lower(): known for known in values.columns}
        near = [lower[close] for close in difflib.get_close_matches(name.lower(), list(lower), n=1)]
    there = ", ".join(list(values.columns)[:20]) or "none"
    others = f"There are: {there}. Rules read no vectors, free texts or locations. Text is written in quotation marks."
    advice = f"Did you mean '{near[0]}'?" if near else others
    return f"there is no column '{name}'. {advice}"


def no_value(option: str, column: str, value: str, attribute: Attribute) -> str:
    """The sentence about a text that no item has as a value, with near ones.

    Args:
        option: that names it.
        column: that is compared with it.
        value: the text.
        attribute: the column.
    """
    lower: dict[str, str] = {}
    for known in attribute.vocabulary:
        lower.setdefault(known.strip().lower(), known)
    close = difflib.get_close_matches(value.strip().lower(), list(lower)[:_MOST_COMPARED], n=_NEAR)
    near = [lower[each] for each in close] or list(attribute.vocabulary[:_NEAR])
    some = " or ".join(f"'{each}'" for each in near)
    advice = f"Did you mean {some}?" if close else f"There are such as {some}." if near else "It has none at all."
    return f"{option}: no item has '{value}' in column '{column}'. {advice}"
