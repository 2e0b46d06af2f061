"""Attributes of items that change in time: for each item, from when on it had which value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute, AttributeKind

ALWAYS: Final = int(np.iinfo(np.int64).min)
"""The time of a value that held before all changes."""


@dataclass(frozen=True, slots=True, eq=False)
class ChangingAttribute:
    """One attribute of every item as a list of changes; a value holds until the next change.

    Args:
        name: what the table calls it.
        kind: categorical or numeric.
        offsets: int64 `[items + 1]`, item i owns the changes `offsets[i]:offsets[i + 1]`, oldest first.
        times: int64 `[m]`, seconds since 1970 from which on a value holds; no two of one item are equal.
        codes: int32 `[m]`, value codes, -1 where the value is missing from then on; `[0]` for numbers.
        vocabulary: the external value of each code; empty for numbers.
        numbers: float64 `[m]`, NaN where missing; `[0]` for categorical attributes.
    """

    name: str
    kind: AttributeKind
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    codes: NDArray[np.int32]
    vocabulary: tuple[str, ...]
    numbers: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of items."""
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return f"ChangingAttribute({self.name}, {self.described()})"

    def described(self) -> str:
        """The kind, and how many changes there are."""
        return f"{self.kind.value}, {len(self.times):,} changes"

    @property
    def items(self) -> NDArray[np.int64]:
        """The item of each change, int64 `[m]`."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, rows: NDArray[np.int64]) -> ChangingAttribute:
        """The same attribute for the given items only, in their order; the vocabulary is kept."""
        lengths = np.diff(self.offsets)[rows]
        offsets = offsets_of(lengths)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return self.chosen(np.repeat(self.offsets[rows], lengths) + within, offsets)

    def chosen(self, changes: NDArray[np.int64] | NDArray[np.bool_], offsets: NDArray[np.int64]) -> ChangingAttribute:
        """Some of the changes.

        Args:
            changes: int64 or bool `[m]`, which of them.
            offsets: int64 `[items + 1]`, where those of each item begin and end.
        """
        return replace(
            self,
            offsets=offsets,
            times=self.times[changes],
            codes=self.codes[changes] if len(self.codes) else self.codes,
            numbers=self.numbers[changes] if len(self.numbers) else self.numbers,
        )

    def until(self, time: int) -> ChangingAttribute:
        """The changes up to a time, those at that time included."""
        kept = self.times <= time
        return self.chosen(kept, offsets_of(np.bincount(self.items[kept], minlength=len(self))))

    def as_attribute(self) -> Attribute:
        """The values alone, one row for each change."""
        if self.kind is AttributeKind.NUMERIC:
            nothing = np.zeros(len(self.times) + 1, dtype=np.int64)
            return Attribute(self.name, self.kind, nothing, np.empty(0, np.int32), (), self.numbers)
        known = self.codes >= 0
        return Attribute(self.name, self.kind, offsets_of(known), self.codes[known], self.vocabulary, np.empty(0))

    def at(self, time: int | None = None) -> Attribute:
        """The value that every item has at a time; missing before an item's first change.

        Args:
            time: seconds since 1970, a change at that very time is known; None for the latest values.

        Returns:
            One row for each item.
        """
        before = self if time is None else self.until(time)
        latest = before.offsets[1:] - 1
        known = np.diff(before.offsets) > 0
        if self.kind is AttributeKind.NUMERIC:
            numbers = np.full(len(self), np.nan)
            numbers[known] = before.numbers[latest[known]]
            return Attribute(
                self.name, self.kind, np.zeros(len(self) + 1, np.int64), np.empty(0, np.int32), (), numbers
            )
        codes = np.full(len(self), -1, dtype=np.int32)
        codes[known] = before.codes[latest[known]]
        kept = codes >= 0
        return Attribute(self.name, self.kind, offsets_of(kept), codes[kept], self.vocabulary, np.empty(0))


def only_changes(attribute: ChangingAttribute) -> ChangingAttribute:
    """The same without what changes nothing: a value that the item had already, and a missing one at its beginning.

    Args:
        attribute: with changes in order.
    """
    count = len(attribute.times)
    if not count:
        return attribute
    values = attribute.numbers if attribute.kind is AttributeKind.NUMERIC else attribute.codes
    missing = np.isnan(values) if attribute.kind is AttributeKind.NUMERIC else values < 0
    same = np.zeros(count, dtype=bool)
    same[1:] = (values[1:] == values[:-1]) | (missing[1:] & missing[:-1])
    starts = attribute.offsets[:-1][np.diff(attribute.offsets) > 0]
    same[starts] = missing[starts]
    lengths = np.bincount(attribute.items[~same], minlength=len(attribute))
    return attribute.chosen(~same, offsets_of(lengths))


def in_order(items: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which changes hold, by item and time: of several of one item and time the last one.

    Args:
        items: int64 `[m]`, the item of each change.
        times: int64 `[m]`, its time.

    Returns:
        Their places, int64.
    """
    order = np.lexsort((times, items))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (np.diff(items[order]) != 0) | (times[order][1:] != times[order][:-1])
    return order[last]


def merged(first: ChangingAttribute, second: ChangingAttribute) -> ChangingAttribute:
    """The changes of both; one of the second takes the place of one of the first with the same item and time.

    Args:
        first: whose name and kind the result has.
        second: of the same kind and the same items; its values may be new.
    """
    codes = {value: code for code, value in enumerate(first.vocabulary)}
    # The last place is for missing values, whose code is -1.
    renumber = np.array([*(codes.setdefault(value, len(codes)) for value in second.vocabulary), -1], dtype=np.int32)
    items = np.concatenate([first.items, second.items])
    both = replace(
        first,
        times=np.concatenate([first.times, second.times]),
        codes=np.concatenate([first.codes, renumber[second.codes]]),
        vocabulary=tuple(codes),
        numbers=np.concatenate([first.numbers, second.numbers]),
    )
    kept = in_order(items, both.times)
    return both.chosen(kept, offsets_of(np.bincount(items[kept], minlength=len(first))))


def from_then_on(values: Attribute, times: NDArray[np.int64] | None = None) -> ChangingAttribute:
    """Values that do not change, as changes.

    Args:
        values: categorical or numeric, one row for each item; a missing one is no change.
        times: int64 `[items]`, from when on each holds; before all other changes where None.
    """
    if values.kind is AttributeKind.NUMERIC:
        known = ~np.isnan(values.numbers)
        codes, numbers = np.empty(0, np.int32), values.numbers[known]
    else:
        known = np.diff(values.offsets) > 0
        codes, numbers = values.codes[values.offsets[:-1][known]].astype(np.int32), np.empty(0)
    since = np.full(len(values), ALWAYS) if times is None else times
    return ChangingAttribute(
        values.name, values.kind, offsets_of(known), since[known], codes, values.vocabulary, numbers
    )
