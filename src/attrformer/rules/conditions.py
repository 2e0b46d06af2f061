"""Conditions on item attributes as values: what a text such as `price < 50 and brand == "X"` says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final

KEYWORDS: Final = ("and", "or", "not", "in", "contains", "is", "missing", "true", "false")
COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">")

_PLAIN: Final = re.compile(r"[^\W\d]\w*(\.\w+)*")
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Date:
    """A point in time.

    Args:
        seconds: since 1970, UTC.
    """

    seconds: int

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.seconds, tz=timezone.utc).replace(tzinfo=None)
        # Years before 1000 are written with four digits, too.
        text = moment.isoformat().rjust(19, "0")
        return text[:10] if self.seconds % _DAY == 0 else text


Value = float | str | bool | Date


@dataclass(frozen=True, slots=True)
class Column:
    """An item attribute by name.

    Args:
        name: of the attribute.
        at: where it stands in the text, for errors; -1 where there is no text.
    """

    name: str
    at: int = field(default=-1, compare=False)

    def __str__(self) -> str:
        if _PLAIN.fullmatch(self.name) and self.name.lower() not in KEYWORDS:
            return self.name
        return "`" + self.name.replace("`", "``") + "`"


@dataclass(frozen=True, slots=True)
class Compare:
    """`column == value` and the like; false where either side is missing.

    Args:
        column: on the left.
        sign: one of `COMPARISONS`.
        value: on the right, or another column.
    """

    column: Column
    sign: str
    value: Value | Column

    def __str__(self) -> str:
        return f"{self.column} {self.sign} {value_text(self.value)}"


@dataclass(frozen=True, slots=True)
class Among:
    """`column in [values]` and `column not in [values]`; false where the column is missing.

    Args:
        column: that is looked at.
        values: the list.
        negated: whether it is `not in`.
    """

    column: Column
    values: tuple[Value, ...]
    negated: bool = False

    def __str__(self) -> str:
        listed = ", ".join(map(value_text, self.values))
        return f"{self.column} {'not ' if self.negated else ''}in [{listed}]"


@dataclass(frozen=True, slots=True)
class Contains:
    """`column contains value` and `column not contains value`; false where the column is missing.

    Args:
        column: with several values for an item.
        value: that one of them is.
        negated: whether it is `not contains`.
    """

    column: Column
    value: Value
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.column} {'not ' if self.negated else ''}contains {value_text(self.value)}"


@dataclass(frozen=True, slots=True)
class Missing:
    """`column is missing` and `column is not missing`.

    Args:
        column: that is looked at.
        negated: whether it is `is not missing`.
    """

    column: Column
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.column} is {'not ' if self.negated else ''}missing"


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is false.

    Args:
        part: a condition.
    """

    part: Condition

    def __str__(self) -> str:
        return f"not {_inner(self.part, (And, Or))}"


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are.

    Args:
        parts: two or more.
    """

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(_inner(part, (And, Or)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is.

    Args:
        parts: two or more.
    """

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(_inner(part, (Or,)) for part in self.parts)


Leaf = Compare | Among | Contains | Missing
Condition = Leaf | Not | And | Or


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The conditions on single columns that a condition is made of, from left to right."""
    if isinstance(condition, Not):
        yield from leaves(condition.part)
    elif isinstance(condition, (And, Or)):
        for part in condition.parts:
            yield from leaves(part)
    else:
        yield condition


def value_text(value: Value | Column) -> str:
    """A value as the language writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def _inner(part: Condition, kinds: tuple[type, ...]) -> str:
    return f"({part})" if isinstance(part, kinds) else str(part)
