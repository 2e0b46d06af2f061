"""Findings of a check of data, and the use of every column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Final

LONGEST_EXAMPLE: Final = 120

Number = int | float | str | bool | None


def printable(text: str) -> str:
    """Text of the data as it may be shown: on one line, without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shortened(text: str) -> str:
    """An example that fits on a line."""
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]}..."


class Severity(str, Enum):
    """How much a finding matters.

    An error makes figures wrong or the data unusable. A warning makes figures mislead unless something is done or said
    about it. A note is worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for an error, 1 for a warning, 2 for a note."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the data will do to figures.

    Args:
        id: a name that stays the same in later releases ("same-time-targets").
        severity: how much it matters.
        title: what was found, in one sentence without a full stop.
        fix: the option or edit that helps, in one sentence without a full stop.
        detail: what it means for figures, in sentences with full stops.
        evidence: the numbers behind it, by name.
        columns: the columns that it is about, as "items.price".
        examples: some of the rows, ids or values, as text.
    """

    id: str
    severity: Severity
    title: str
    fix: str
    detail: str = ""
    evidence: Mapping[str, Number] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, the severity as text."""
        plain = {**asdict(self), "severity": self.severity.value}
        return plain | {"columns": list(self.columns), "examples": list(self.examples)}


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """What a column is used as.

    Args:
        table: "interactions", "items", "users", "item_relations" or "item_changes".
        column: its name.
        used_as: such as "item attribute, categorical", or "not used" with the reason.
        values: how many different values it has; None where they are not counted.
        missing: share of the rows without a value; None where that is not known.
    """

    table: str
    column: str
    used_as: str
    values: int | None = None
    missing: float | None = None
