"""Compares an answer with the one that was stored, up to what another CPU rounds differently."""

from __future__ import annotations

import math
from typing import Any, Final

from tests.golden.names import today

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""How far numbers may be apart: single precision, summed in another order."""

_RANKED: Final = ("item_id", "similar_item_id")


def close(found: float, right: float, relative: float = RELATIVE, absolute: float = ABSOLUTE) -> bool:
    """Whether two numbers are equal but for rounding."""
    return math.isclose(found, right, rel_tol=relative, abs_tol=absolute) or (found != found and right != right)


def assert_same(found: Any, stored: Any, where: str = "") -> None:
    """Whether an answer is the stored one: names, texts and counts exactly, numbers up to rounding.

    Items of a ranking may have changed places only where rounding cannot tell their scores apart.

    Raises:
        AssertionError: it is another one; the message says where.
    """
    _same(found, today(stored), where)


def _same(found: Any, right: Any, where: str) -> None:
    if isinstance(right, dict):
        assert isinstance(found, dict), f"{where}: {found!r}, stored {right!r}"
        if set(right) == {"columns", "rows"}:
            _same_table(found, right, where)
            return
        assert list(found) == list(right), f"{where}: has {list(found)}, stored {list(right)}"
        for key, value in right.items():
            _same(found[key], value, f"{where} > {key}" if where else key)
    elif isinstance(right, list):
        assert isinstance(found, (list, tuple)) and len(found) == len(right), f"{where}: {found!r}, stored {right!r}"
        for place, (mine, value) in enumerate(zip(found, right, strict=True)):
            _same(mine, value, f"{where}[{place}]")
    elif isinstance(right, float) and isinstance(found, (int, float)):
        assert close(found, right), f"{where}: {found!r}, stored {right!r}"
    else:
        assert found == right, f"{where}: {found!r}, stored {right!r}"


def _same_table(found: dict[str, Any], right: dict[str, Any], where: str) -> None:
    columns = right["columns"]
    assert found.get("columns") == columns, f"{where}: columns {found.get('columns')}, stored {columns}"
    rows, stored = found["rows"], right["rows"]
    assert len(rows) == len(stored), f"{where}: {len(rows)} rows, stored {len(stored)}"
    # Of a table of similar items the second item is the one that is ranked.
    items = [place for place, name in enumerate(columns) if name in _RANKED]
    if not items or "score" not in columns:
        _same(rows, stored, where)
        return
    _same_rankings(rows, stored, items[-1], columns.index("score"), where)


def _same_rankings(rows: list[Any], stored: list[Any], item: int, score: int, where: str) -> None:
    """Rows of one owner stand together; where items have changed places, all of their rows have."""
    _same([row[0] for row in rows], [row[0] for row in stored], f"{where}: first column")
    for owner in dict.fromkeys(row[0] for row in stored):
        mine = [list(row) for row in rows if row[0] == owner]
        right = [list(row) for row in stored if row[0] == owner]
        name = f"{where} > {owner}"
        if [row[item] for row in mine] == [row[item] for row in right]:
            _same(mine, right, name)
            continue
        _same([row[score] for row in mine], [row[score] for row in right], f"{name}: scores")
        scores = {row[item]: row[score] for row in right}
        last = min(scores.values())
        for place, (row, other) in enumerate(zip(mine, right, strict=True)):
            # An item that was not among the stored ones can only have come in for the last of them.
            known = scores.get(row[item], last)
            tied = row[item] == other[item] or close(known, other[score])
            assert tied, f"{name}: {row[item]} at place {place + 1}, stored {other[item]}"
