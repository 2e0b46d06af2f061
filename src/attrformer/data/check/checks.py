"""All checks in one list, and the report that they make together.

To add a finding, write a function that takes a `Subject` and yields `Finding`s, and put it into `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from attrformer.columns import ITEM, USER
from attrformer.data.check import (
    after_the_fact,
    columns,
    declarable,
    drift,
    edges,
    files,
    identifiers,
    interactions,
    stand_ins,
    times,
)
from attrformer.data.check.findings import ColumnUse, Finding, shortened
from attrformer.data.check.report import CheckReport
from attrformer.data.check.sizes import facts
from attrformer.data.check.subject import Subject
from attrformer.data.check.uses import column_uses
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.store import described_frame
from attrformer.data.tables import Table

Check = Callable[[Subject], Iterator[Finding]]

CHECKS: Final[tuple[Check, ...]] = (
    files.unread,
    identifiers.numbering,
    times.no_times,
    times.implausible,
    times.default_time,
    times.carried_forward,
    times.same_time_targets,
    times.same_time_order,
    times.resolution,
    interactions.predicted,
    interactions.few_targets,
    interactions.duplicates,
    interactions.repeats,
    interactions.short_histories,
    interactions.dominant_user,
    identifiers.written_differently,
    identifiers.nobody,
    identifiers.unmatched,
    drift.cold_targets,
    drift.popularity_drift,
    drift.trained_ahead,
    edges.named_pairs,
    edges.to_themselves,
    after_the_fact.columns_after_the_fact,
    after_the_fact.dates_after_use,
    columns.described,
    stand_ins.stand_ins,
    declarable.undeclared,
)


def check_dataset(
    dataset: PlainDataset,
    tables: Mapping[str, Table] | None = None,
    *,
    uses: tuple[ColumnUse, ...] | None = None,
    shuffled: bool = False,
    unread_edges: Collection[str] = (),
    now: float | None = None,
) -> CheckReport:
    """What the data will do to figures.

    Args:
        dataset: the data.
        tables: those that it was made of, by name, as far as they are at hand; what the dataset holds stands for
            others, so that columns which it left out go unmentioned.
        uses: what columns are used as, where that is known; found out by default.
        shuffled: whether the order of interactions within a time was made arbitrary.
        unread_edges: names of edge tables that no model is to read.
        now: seconds since 1970 after which a time lies in the future; the present by default.
    """
    given = dict(tables or {})
    uses = column_uses(dataset, given) if uses is None else uses
    subject = Subject(dataset, {**_own_tables(dataset), **given}, shuffled=shuffled, unread_edges=unread_edges, now=now)
    found = [
        replace(finding, examples=tuple(map(shortened, finding.examples)))
        for check in CHECKS
        for finding in check(subject)
    ]
    ordered = tuple(sorted(found, key=lambda finding: finding.severity.rank))
    return CheckReport(dataset.name, facts(subject), uses, ordered, dataset.notes)


def _own_tables(dataset: PlainDataset) -> dict[str, Table]:
    """What the dataset holds of its items and users, as tables."""
    held = (
        ("items", ITEM, dataset.item_ids, dataset.item_attributes),
        ("users", USER, dataset.user_ids, dataset.user_attributes),
    )
    return {name: Table(described_frame(key, ids, held_by), name) for name, key, ids, held_by in held if held_by}
