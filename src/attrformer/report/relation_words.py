"""What each relation of a model says, in words, for the table of their strengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

UNKNOWN: Final = "-"
"""For a relation of one's own, which the library has no words for."""

_NAMED: Final = {
    "cooccurrence_near": "Items that users had within a few interactions of each other",
    "cooccurrence_wide": "Items that users had further apart in their histories",
    "cooccurrence_next": "Items that users had right after an item",
    "indirect": "Items that go with what goes with an item",
    "similar_users": "What users with a similar history did next",
    "time_bucket": "What others took at about the same time",
    "repeat": "Items that the history holds already",
    "negative": "Items like those that count against: they move down",
    "item_id_order": "Items whose ids stand near each other",
}

_OF_ITEMS: Final = {
    "categorical": "Values of {} that go together",
    "multi": "Values of {} that go together",
    "numeric": "Ranges of {} that go together",
    "time": "Ranges of {} that go together",
    "hierarchy": "Levels of {} that go together, the deeper the more",
    "weighted": "Tags of {} that go together, by their scores",
    "vector": "Items with similar {} vectors",
    "text": "Items with a similar text in {}",
    "location": "Items that are near each other by {}",
}
_GROUPED: Final = ("vector", "text", "location")
_KIND: Final = "{} attribute, "


def relation_words(name: str, columns: Sequence[Mapping[str, Any]]) -> str:
    """What a relation says, in words.

    Args:
        name: of the relation.
        columns: what every column is used as, of a check; empty where the data were not checked.
    """
    if name in _NAMED:
        return _NAMED[name]
    owner, _, column = name.partition("_")
    if owner == "item":
        return _of_items(column, columns)
    if owner == "user":
        kind = _used_as(column, "users", columns).removeprefix(_KIND.format("user"))
        return f"What users {'in the same group by' if kind in _GROUPED else 'of the same'} {column} prefer"
    if owner == "after":
        event, _, value = column.partition("=")
        return f"What follows an item whose {event} was {value}"
    if owner == "edge":
        return f"Items that the table {column} leads to"
    return UNKNOWN


def _of_items(column: str, columns: Sequence[Mapping[str, Any]]) -> str:
    changing = _used_as(column, "item_changes", columns)
    told = changing or _used_as(column, "items", columns)
    # A title is also shown in place of the id, and of a changing column the number of changes is told.
    kind = told.partition(_KIND.format("item"))[2].partition(",")[0]
    words = _OF_ITEMS.get(kind, "Items that go together by {}").format(column)
    return f"{words}, as they were at the time" if changing else words


def _used_as(column: str, table: str, columns: Sequence[Mapping[str, Any]]) -> str:
    """What a column of a table is used as; empty where that is not known."""
    return next((str(use["used_as"]) for use in columns if (use["table"], use["column"]) == (table, column)), "")
