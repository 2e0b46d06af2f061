"""Tables of the recommender as the JSON of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, RANK, SCORE, SIMILAR_ITEM, TITLE, USER
from attrformer.server.calls import EXPLAIN, SIMILAR, Call, Share

Row = dict[str, Any]
Titles = Callable[[Any], str | None]

_ANSWER: Final = (USER, ITEM, SCORE, RANK)


def grouped(column: str, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each user or item, by the name as text, in their order.

    Args:
        column: that says whom a row belongs to.
        rows: of an answer.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row[column]), []).append(row)
    return groups


def results(call: Call, share: Share, groups: Mapping[str, list[Row]], titles: Titles) -> list[Row]:
    """What one call is answered: an entry for each user or item that it asked about and that has rows.

    Args:
        call: what was asked, or the joint call that it was part of.
        share: whose rows are its own.
        groups: the rows by name.
        titles: the title of an item by its id, None where it has none.
    """
    names = dict.fromkeys(groups) if share.names is None else share.names
    made = []
    for name, number in names.items():
        if name in groups:
            rows = groups[name]
            entry = {call.column: rows[0][call.column] if number is None else number}
            made.append(entry | {list_of(call): list(_entries(call, rows, titles))})
    return made


def list_of(call: Call) -> str:
    """What an entry of the answer calls its items."""
    return "similar" if call.method == SIMILAR else "items"


def _entries(call: Call, rows: list[Row], titles: Titles) -> Iterator[Row]:
    if call.method == SIMILAR:
        for row in rows:
            yield {ITEM: row[SIMILAR_ITEM], TITLE: titles(row[SIMILAR_ITEM]), SCORE: row[SCORE], RANK: row[RANK]}
    elif call.method == EXPLAIN:
        for _, of_one_item in groupby(rows, key=lambda row: row[RANK]):
            components = list(of_one_item)
            yield _titled(components[0], titles) | {"components": [_component(row, titles) for row in components]}
    else:
        for row in rows:
            yield _titled(row, titles)


def _titled(row: Row, titles: Titles) -> Row:
    return {ITEM: row[ITEM], TITLE: titles(row[ITEM]), SCORE: row[SCORE], RANK: row[RANK]}


def _component(row: Row, titles: Titles) -> Row:
    told = {name: value for name, value in row.items() if name not in _ANSWER}
    first = {name: told.pop(name) for name in (COMPONENT, CONTRIBUTION)}
    return first | told | {"history_title": titles(told.get("history"))}
