"""What is said of columns and values that rules name and no item has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, NamedTuple

from attrformer.data.attributes import Attribute
from attrformer.rules.item_values import ItemValues

_NOTHINGS: Final = ("null", "none", "nan", "na")
_NEAR: Final = 3
_MOST_COMPARED: Final = 20_000
"""Values that are compared with those that no item has, all in all; more of them would take a second."""

_MOST_TOLD: Final = 3
"""Values that no item has of which one by one is told."""


class Absent(NamedTuple):
    """A text that no item has as a value.

    Args:
        option: that names it.
        column: that is compared with it.
        value: the text.
        attribute: the column.
    """

    option: str
    column: str
    value: str
    attribute: Attribute


def told_of(absent: Iterable[Absent]) -> tuple[str, ...]:
    """The sentences about texts that no item has as values: about the first few, and how many more there are.

    Args:
        absent: the texts, perhaps repeated.
    """
    once = list({each[:3]: each for each in absent}.values())
    some = once[:_MOST_TOLD]
    sentences = [_no_value(each, _MOST_COMPARED // len(some)) for each in some]
    if len(once) > len(some):
        sentences.append(f"rules: no item has {len(once) - len(some):,} more of the values in them.")
    return tuple(sentences)


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


def _no_value(absent: Absent, most: int) -> str:
    """The sentence about a text that no item has, with near ones among `most` values."""
    option, column, value, attribute = absent
    lower: dict[str, str] = {}
    for known in attribute.vocabulary:
        lower.setdefault(known.strip().lower(), known)
    close = difflib.get_close_matches(value.strip().lower(), list(lower)[:most], n=_NEAR)
    near = [lower[each] for each in close] or list(attribute.vocabulary[:_NEAR])
    some = " or ".join(f"'{each}'" for each in near)
    advice = f"Did you mean {some}?" if close else f"There are such as {some}." if near else "It has none at all."
    return f"{option}: no item has '{value}' in column '{column}'. {advice}"
