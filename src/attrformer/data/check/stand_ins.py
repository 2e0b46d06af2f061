"""Findings about numbers and dates that stand for a missing value, such as -999 and 9999-12-31."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import AttributeKind
from attrformer.data.check.findings import Finding, Severity
from attrformer.data.check.subject import Subject, day
from attrformer.data.check.text import percent
from attrformer.data.options import CHANGES

LEAST: Final = 20
"""Known values below which nothing is said."""

SURE: Final = 253_370_764_800
"""The year 9999: from here on a date is none of our days, however rare it is."""

_NUMBERS: Final = (*(float(10**digits - 1) for digits in range(2, 10)), 9.0, 2.0**31 - 1, 2.0**31, 2.0**63)
"""Without their signs; 9 is one below 0 alone."""

_DATES: Final = ("0001-01-01", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01",
                 "2099-12-31", "2100-01-01", "2200-01-01", "2500-01-01", "2999-12-31", "3000-01-01")  # fmt: skip


class _Numbers(NamedTuple):
    table: str
    name: str
    values: NDArray[np.float64]
    dates: bool

    @property
    def label(self) -> str:
        return f"{self.table}.{self.name}"


def stand_ins(subject: Subject) -> Iterator[Finding]:
    """Numbers and dates at one end of a column, away from all others, that programs write where a value is missing."""
    for column in _columns(subject):
        known = column.values[~np.isnan(column.values)]
        if len(known) < LEAST:
            continue
        for value, count, nearest in _ends(known, dates=column.dates):
            shown = day(value) if column.dates else f"{value:.15g}"
            yield Finding(
                "stand-in-value",
                Severity.NOTE,
                f"{column.label}: {shown} in {percent(count / len(known))} of the values looks like one that stands "
                "for a missing value",
                "Leave these cells empty if nothing is known there",
                detail="It is read as a quantity like any other, and its distance to the other values counts.",
                evidence={
                    "values": len(known),
                    "count": count,
                    "next": day(nearest) if column.dates else f"{nearest:.15g}",
                },
                columns=(column.label,),
                examples=(shown,),
            )


def _ends(known: NDArray[np.float64], *, dates: bool) -> Iterator[tuple[float, int, float]]:
    """Values that stand for missing ones, how often each occurs, and the value next to it; from both ends inwards."""
    values, counts = np.unique(known, return_counts=True)
    # One at an end may hide that another is away from the rest.
    for end in (0, -1, 0, -1):
        while len(values) > 2:
            others = np.delete(values, end)
            if not _stands_in(float(values[end]), int(counts[end]), others, dates=dates):
                break
            yield float(values[end]), int(counts[end]), float(others[end])
            values, counts = others, np.delete(counts, end)


def _stands_in(value: float, count: int, others: NDArray[np.float64], *, dates: bool) -> bool:
    low, high = float(others[0]), float(others[-1])
    apart, spread = max(low - value, value - high), high - low
    if dates:
        return abs(value) >= SURE or (count > 1 and day(value) in _DATES and apart >= spread / 4)
    if value == -1:
        return count > 1 and low >= 0
    return count > 1 and abs(value) in _NUMBERS and value != 9 and (apart >= 2 * spread or value < 0 <= low)


def _columns(subject: Subject) -> Iterator[_Numbers]:
    dataset = subject.dataset
    for table, attributes in (("items", dataset.item_attributes), ("users", dataset.user_attributes)):
        for name, attribute in attributes.items():
            if attribute.kind in (AttributeKind.NUMERIC, AttributeKind.TIME):
                yield _Numbers(table, name, attribute.numbers, attribute.kind is AttributeKind.TIME)
    for name, changes in dataset.item_changes.items():
        if changes.kind is AttributeKind.NUMERIC:
            yield _Numbers(CHANGES, name, changes.numbers, False)
    for name, values in dataset.sequences.behaviours.items():
        if name not in dataset.sequences.meaning.values:
            yield _Numbers("interactions", name, values.astype(np.float64), False)
