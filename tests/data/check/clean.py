"""A log that nothing is wrong with, to be spoiled in one way at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from attrformer.data import Dataset
from attrformer.data.check import CheckReport, Finding

USERS, ITEMS, EACH = 60, 40, 8
START, HOUR = 1_600_000_000, 3_600


def log(users: int = USERS, items: int = ITEMS, each: int = EACH, seed: int = 0) -> pl.DataFrame:
    """Each user takes different items, all at different times, users side by side in time; ids are in no order."""
    random = np.random.default_rng(seed)
    # Numbers that nothing can be read off.
    names = random.permutation(10 * items)[:items]
    chosen = np.concatenate([random.permutation(items)[:each] for _ in range(users)])
    step = random.permuted(np.tile(np.arange(1, each + 1), (users, 1)), axis=1)
    moments = START + HOUR * np.cumsum(step, axis=1) * 7 + random.permutation(users)[:, None]
    return pl.DataFrame(
        {
            "user_id": np.repeat(random.permutation(10 * users)[:users], each),
            "item_id": names[chosen],
            "timestamp": moments.ravel(),
        }
    )


def items_of(interactions: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """A row for each item, in the order of ids, with more columns."""
    return pl.DataFrame({"item_id": interactions["item_id"].unique().sort(), **columns})


def check(interactions: pl.DataFrame, items: Any = None, users: Any = None, edges: Any = None) -> CheckReport:
    """The report on tables, at the end of 2022."""
    from attrformer.data.check import check_dataset
    from attrformer.data.tables import open_table

    given = {"interactions": interactions, "items": items, "users": users, "item_relations": edges}
    tables = {name: open_table(table, name, {}) for name, table in given.items() if table is not None}
    return check_dataset(Dataset.from_frames(interactions, items, users, edges), tables, now=1_672_500_000)


def found(report: CheckReport, id: str) -> Finding:
    """The one finding of an id."""
    (finding,) = [finding for finding in report.findings if finding.id == id]
    return finding


def silent(report: CheckReport, *ids: str) -> bool:
    """Whether there is no finding of these ids."""
    return not {finding.id for finding in report.findings} & set(ids)
