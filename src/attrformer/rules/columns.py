"""Columns of attribute values: joined, as tables, and those that change in time as they were at one time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute

NUMBERS: Final = (AttributeKind.NUMERIC, AttributeKind.TIME)
"""Kinds whose values are numbers."""

SEVERAL: Final = (AttributeKind.MULTI, AttributeKind.HIERARCHY, AttributeKind.WEIGHTED)
"""Kinds with several values for an item."""


class ColumnsAt(Mapping[str, Attribute]):
    """Columns by name, those that change in time as they were at one time; each is looked up when it is asked for.

    Args:
        still: columns that do not change.
        changes: those that do.
        time: seconds since 1970; None for the latest values.
    """

    def __init__(
        self, still: Mapping[str, Attribute], changes: Mapping[str, ChangingAttribute], time: int | None
    ) -> None:
        self.still, self._changes, self._time = still, changes, time
        self._found: dict[str, Attribute] = {}

    def __getitem__(self, name: str) -> Attribute:
        if name not in self._changes:
            return self.still[name]
        if name not in self._found:
            self._found[name] = self._changes[name].at(self._time)
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._changes or name in self.still

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.still, *self._changes)))

    def __len__(self) -> int:
        return len(set(self.still) | set(self._changes))

    def replaced(self, columns: Mapping[str, Attribute]) -> ColumnsAt:
        """The same with others in place of some, or beside them; what is kept is not looked up.

        Args:
            columns: by name.
        """
        changes = {name: each for name, each in self._changes.items() if name not in columns}
        return ColumnsAt({**self.still, **columns}, changes, self._time)


def numbers_attribute(name: str, kind: AttributeKind, numbers: NDArray[np.float64], date_order: str = "") -> Attribute:
    """An attribute of numbers or times.

    Args:
        name: of the column.
        kind: numeric or time.
        numbers: float64 `[n]`, NaN where missing.
        date_order: what stands first in the dates that times were read from, where their form left it open.
    """
    offsets = np.zeros(len(numbers) + 1, np.int64)
    return Attribute(name, kind, offsets, np.empty(0, np.int32), (), numbers, date_order=date_order)


def joined(first: Attribute, second: Attribute) -> Attribute:
    """The rows of two attributes of one kind behind each other; values of the second one may be new.

    Args:
        first: whose name the result has.
        second: of the same kind.
    """
    if first.kind in NUMBERS:
        numbers = np.concatenate([first.numbers, second.numbers])
        return numbers_attribute(first.name, first.kind, numbers, first.date_order)
    codes = {value: code for code, value in enumerate(first.vocabulary)}
    renumber = np.array([codes.setdefault(value, len(codes)) for value in second.vocabulary], dtype=np.int32)
    return replace(
        first,
        offsets=np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]]),
        codes=np.concatenate([first.codes, renumber[second.codes].astype(np.int32)]),
        vocabulary=tuple(codes),
        weights=np.empty(0, np.float32),
    )


def missing(like: Attribute, count: int) -> Attribute:
    """An attribute of the same kind without any value.

    Args:
        like: another one.
        count: of rows.
    """
    if like.kind in NUMBERS:
        return numbers_attribute(like.name, like.kind, np.full(count, np.nan), like.date_order)
    offsets = np.zeros(count + 1, dtype=np.int64)
    return Attribute(like.name, like.kind, offsets, np.empty(0, np.int32), (), np.empty(0), like.separator)


def as_series(attribute: Attribute) -> pl.Series:
    """An attribute as a column of a table: text, lists of text, numbers and times in UTC, null where missing."""
    if attribute.kind in NUMBERS:
        numbers = pl.Series(attribute.numbers, nan_to_null=True)
        if attribute.kind is AttributeKind.NUMERIC:
            return numbers
        return (numbers.cast(pl.Int64) * 1000).cast(pl.Datetime("ms", "UTC"))
    lengths = np.diff(attribute.offsets)
    values = pl.Series(attribute.vocabulary, dtype=pl.String)
    owner = np.repeat(np.arange(len(attribute)), lengths)
    if attribute.kind is AttributeKind.CATEGORICAL:
        found = np.full(len(attribute), -1, dtype=np.int64)
        found[owner[::-1]] = attribute.codes[::-1]
        return _gathered(values, found)
    texts = pl.DataFrame({"owner": owner, "text": values.gather(attribute.codes)})
    lists = texts.group_by("owner", maintain_order=True).agg("text")
    every = pl.DataFrame({"owner": np.arange(len(attribute))})
    return every.join(lists, on="owner", how="left", maintain_order="left")["text"]


def _gathered(values: pl.Series, codes: NDArray[np.int64]) -> pl.Series:
    known = pl.Series(codes)
    return values.gather(known.set(known < 0, None))
