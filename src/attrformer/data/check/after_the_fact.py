"""Findings about columns that may have been computed after the interactions: by their names, and by a test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.check.columns import Column, columns_of
from attrformer.data.check.findings import Finding, Number, Severity
from attrformer.data.check.subject import SplitView, Subject, day
from attrformer.data.check.text import percent
from attrformer.data.id_map import IdMap
from attrformer.data.times import read_times
from attrformer.errors import DataError

BEYOND: Final = 0.3
"""Partial rank correlation with what came after the split from which a column is reported whatever its name."""

WITH_ALL: Final = 0.5
"""And its rank correlation with everything, before and after: what is known early, such as a year or a price, may tell
of later interactions as well, and is hardly this close to all of them."""

DEVIATIONS: Final = 6.0
LEAST_ROWS: Final = 50
LEAST_MEAN: Final = 3
"""Interactions from which a mean is one."""

LATE: Final = 0.05
"""Share of dates after the first interaction from which a column of dates is reported."""


def columns_after_the_fact(subject: Subject) -> Iterator[Finding]:
    """Columns that tell of interactions after the split more than popularity before it does."""
    for column in columns_of(subject):
        # The index of a frame has a finding of its own.
        if column.table == "interactions" or (column.is_index and not subject.is_used(column.table, column.name)):
            continue
        named = after_the_fact(column.name)
        tested = _tested(subject, column)
        if not named and not tested:
            continue
        reasons = ["its name says so"] if named else []
        if tested:
            reasons.append(f"it tells of {tested['of']} after the split beyond what is known before it")
        yield Finding(
            "after-the-fact",
            Severity.WARNING if subject.is_used(column.table, column.name) else Severity.NOTE,
            f"{column.label} may have been computed after the interactions: {' and '.join(reasons)}",
            "Compute it from what was known before the test interactions, or leave the column out",
            detail="What is to be predicted may then stand in the column. The test compares ranks of the column with "
            "those of the interactions after the split, given those before it, and with those of all.",
            evidence=tested or {"told_by": "name"},
            columns=(column.label,),
            examples=tuple(map(str, column.known.head(3).to_list())),
        )


def dates_after_use(subject: Subject) -> Iterator[Finding]:
    """Dates of items or users that lie after their first interaction."""
    times = subject.times
    if times is None:
        return
    for column in columns_of(subject):
        if column.table == "interactions" or not len(column.known) or not _dated(column):
            continue
        rows, codes = _placed(subject, column)
        try:
            seconds = read_times(column.values, source=column.table, missing=True)[0][rows]
        except DataError:
            continue
        first = _first_time(subject, column.table)[codes]
        known = ~np.isnan(seconds) & (first < np.iinfo(np.int64).max)
        late = known & (np.nan_to_num(seconds, nan=0.0) > first)
        if not late.any() or late.sum() < LATE * known.sum():
            continue
        worst = np.flatnonzero(late)[:2]
        yield Finding(
            "dates-after-use",
            Severity.WARNING,
            f"{column.label}: {percent(late.sum() / known.sum())} of the dates lie after the first interaction of what "
            "they describe",
            "Leave the column out, or make sure that it was known then",
            detail="A date such as that of the last review or login is itself made of later interactions.",
            evidence={"dates": int(known.sum()), "after_first_interaction": int(late.sum())},
            columns=(column.label,),
            examples=tuple(f"{day(seconds[row])}, first interaction {day(first[row])}" for row in worst.tolist()),
        )


def partial_rank_correlation(
    values: NDArray[np.float64], after: NDArray[np.float64], before: NDArray[np.float64]
) -> float:
    """Spearman's correlation of `values` and `after` for equal `before`; 0 where one of them does not vary."""
    ranks = [pl.Series(numbers).rank("average").to_numpy() for numbers in (values, after, before)]
    if any(rank.std() == 0 for rank in ranks):
        return rank_correlation(values, after)
    matrix = np.corrcoef(ranks)
    own, value_before, after_before = float(matrix[0, 1]), float(matrix[0, 2]), float(matrix[1, 2])
    rest = (1 - value_before**2) * (1 - after_before**2)
    # What is before altogether leaves nothing that the column could tell beyond it.
    return (own - value_before * after_before) / math.sqrt(rest) if rest > 1e-9 else 0.0


def rank_correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Spearman's correlation; 0 where one of them does not vary."""
    ranks = [pl.Series(numbers).rank("average").to_numpy() for numbers in (one, two)]
    return 0.0 if any(rank.std() == 0 for rank in ranks) else float(np.corrcoef(ranks)[0, 1])


def _tested(subject: Subject, column: Column) -> dict[str, Number]:
    """The evidence of the clearest test; empty where none is clear or can be made."""
    numbers = _numbers(column)
    split = _split_for(subject, column.table)
    if numbers is None or split is None:
        return {}
    rows, codes = _placed(subject, column)
    values = numbers[rows]
    found: list[dict[str, Number]] = []
    for what, before, after, every in _outcomes(subject, split, column.table):
        keep = ~(np.isnan(values) | np.isnan(before[codes]) | np.isnan(after[codes]))
        chosen = subject.sampled(np.flatnonzero(keep))
        if len(chosen) < LEAST_ROWS:
            continue
        owners, given = codes[chosen], values[chosen]
        beyond = partial_rank_correlation(given, after[owners], before[owners])
        with_all = rank_correlation(given, every[owners])
        deviations = math.atanh(min(abs(beyond), 0.999999)) * math.sqrt(max(len(chosen) - 4, 1))
        if deviations >= DEVIATIONS and abs(beyond) >= BEYOND and abs(with_all) >= WITH_ALL and beyond * with_all > 0:
            found.append(
                {
                    "of": what,
                    "split": split.name,
                    "partial_rank_correlation": round(beyond, 3),
                    "deviations": round(deviations, 1),
                    "rank_correlation_with_all": round(with_all, 3),
                    "rank_correlation_with_before": round(rank_correlation(given, before[owners]), 3),
                    "rows": len(chosen),
                }
            )
    return max(found, key=lambda one: abs(float(one["rank_correlation_with_all"] or 0)), default={})


def _outcomes(
    subject: Subject, split: SplitView, table: str
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """What a column may have been computed from, by item or user: before the split, after it, and altogether.

    That is the number of interactions, and the mean of every behaviour such as a rating; NaN where there is none.
    """
    owners, count = _owners(subject, table)
    parts = (split.train, ~split.train, np.ones(len(owners), dtype=bool))
    before, after, every = (np.bincount(owners[part], minlength=count).astype(np.float64) for part in parts)
    every[every == 0] = before[before + after == 0] = np.nan
    yield "interactions", before, after, every
    sequences = subject.dataset.sequences
    for name, given in sequences.behaviours.items():
        if name in sequences.meaning.values:
            continue
        known = ~np.isnan(given)
        means = []
        for part in parts:
            chosen = part & known
            number = np.bincount(owners[chosen], minlength=count)
            total = np.bincount(owners[chosen], weights=given[chosen], minlength=count)
            means.append(np.where(number >= LEAST_MEAN, total / np.maximum(number, 1), np.nan))
        yield f"the mean {name}", means[0], means[1], means[2]


def _split_for(subject: Subject, table: str) -> SplitView | None:
    """The split to test by; every user has as many targets as every other under leave-one-out, which tells nothing."""
    if table == "users":
        return subject.time_split
    return subject.time_split or subject.leave_one_out


def _numbers(column: Column) -> NDArray[np.float64] | None:
    """The values of a column as numbers with NaN where missing; None where it has none or hardly varies."""
    kind = column.values.dtype
    if kind.is_numeric() or kind == pl.Boolean:
        numbers = column.values.cast(pl.Float64, strict=False)
    elif column.is_text:
        numbers = column.values.str.replace_all(r"[\s,$€£%]", "").cast(pl.Float64, strict=False)
        if numbers.drop_nulls().len() < 0.9 * max(len(column.known), 1):
            return None
    else:
        return None
    finite = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    finite[~np.isfinite(finite)] = np.nan
    return finite if np.count_nonzero(~np.isnan(finite)) else None


def _dated(column: Column) -> bool:
    if column.values.dtype in (pl.Date, pl.Datetime):
        return True
    return column.is_text and bool(column.known.head(100).str.contains(r"^\d{4}-\d{2}-\d{2}").all())


def _placed(subject: Subject, column: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the table that are about ids of the data, and the codes of these."""
    key, ids = _key(subject, column.table)
    codes = ids.encode(subject.tables[column.table].frame[key])
    rows = np.flatnonzero(codes >= 0)
    return rows, codes[rows].astype(np.int64)


def _key(subject: Subject, table: str) -> tuple[str, IdMap]:
    return (ITEM, subject.dataset.item_ids) if table == "items" else (USER, subject.dataset.user_ids)


def _owners(subject: Subject, table: str) -> tuple[NDArray[np.int32], int]:
    """The item or user of each interaction, and how many there are."""
    if table == "items":
        return subject.items, subject.dataset.item_count
    return subject.users, subject.dataset.user_count


def _first_time(subject: Subject, table: str) -> NDArray[np.int64]:
    assert subject.times is not None
    owners, count = _owners(subject, table)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, owners, subject.times)
    return first
