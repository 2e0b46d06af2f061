"""Findings about ids: written in several ways, standing for nobody, or unknown to the other table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from attrformer.columns import ITEM, USER
from attrformer.data.check.findings import Finding, Severity
from attrformer.data.check.subject import Subject
from attrformer.data.check.text import percent
from attrformer.data.id_map import IdMap
from attrformer.data.id_numbering import FIRST_APPEARANCE, NO_KIND, id_numbering

NOBODY: Final = frozenset(
    {"", "-", "?", "0", "-1", "nan", "none", "null", "na", "n/a", "nil", "undefined", "unknown", "guest", "anonymous"}
)
"""Ids, in small letters, that may stand for no one in particular."""

PROMINENT: Final = 0.01
"""Share of all interactions from which such an id is a warning; below it may be an id like any other."""

UNDESCRIBED: Final = 0.2
"""Share of the ids without a row in their table from which that is a warning."""


def numbering(subject: Subject) -> Iterator[Finding]:
    """Item ids that were numbered from the interactions, so that a number tells of them."""
    found = id_numbering(subject.dataset.item_ids, subject.dataset.sequences, subject.dataset.user_ids)
    if found.kind == NO_KIND:
        return
    tells = found.kind == FIRST_APPEARANCE
    yield Finding(
        "ids-by-first-appearance" if tells else "ids-by-first-interaction",
        Severity.WARNING if tells else Severity.NOTE,
        found.sentence[0].lower() + found.sentence[1:].partition(": ")[0].rstrip("."),
        "Leave relations.id_order off (the default), and number items anew before any other model reads their ids",
        detail=found.sentence,
        evidence={name: round(share, 4) for name, share in found.evidence.items()},
        columns=("interactions.item_id",),
        examples=tuple(subject.named_items(subject.items[:5])),
    )


def written_differently(subject: Subject) -> Iterator[Finding]:
    """Ids of text that differ only by blanks, by case, or as ways to write one number."""
    for column, ids in _both(subject):
        if ids.values.dtype != pl.String or not len(ids):
            continue
        texts = ids.values
        stripped = texts.str.strip_chars()
        for kind, alike, only in (
            ("blanks", stripped, stripped != texts),
            ("case", texts.str.to_lowercase(), pl.repeat(True, len(texts), eager=True)),
            ("numbers", _as_number(stripped), pl.repeat(True, len(texts), eager=True)),
        ):
            frame = pl.DataFrame({"id": texts, "alike": alike, "odd": only}).filter(pl.col("alike").is_not_null())
            groups = (
                frame.group_by("alike", maintain_order=True)
                .agg("id", pl.col("odd").any())
                .filter(pl.col("id").list.len() > 1, pl.col("odd"))
            )
            if not len(groups):
                continue
            what = {"blanks": "blanks around them", "case": "case", "numbers": "the way a number is written"}[kind]
            yield Finding(
                f"ids-differ-by-{kind}",
                Severity.NOTE if kind == "case" else Severity.WARNING,
                f"{len(groups):,} {column}s are there in several forms that differ only by {what}",
                f"Write each {column} in one way in all tables, if they mean the same",
                detail="They count as different: histories fall apart, and what is known of one is not of another.",
                evidence={"ids": len(ids), "groups": len(groups), "ids_in_groups": int(groups["id"].list.len().sum())},
                columns=(f"interactions.{column}",),
                examples=tuple(" and ".join(map(repr, forms[:3])) for forms in groups["id"].head(3).to_list()),
            )


def nobody(subject: Subject) -> Iterator[Finding]:
    """Ids that look like "unknown"."""
    counts = {
        USER: np.diff(subject.offsets),
        ITEM: np.bincount(subject.items, minlength=subject.dataset.item_count),
    }
    whole = len(subject.items)
    for column, ids in _both(subject):
        if not len(ids):
            continue
        texts = ids.values.cast(pl.String).str.strip_chars().str.to_lowercase()
        for code in texts.is_in(sorted(NOBODY)).arg_true().to_list():
            count = int(counts[column][code])
            common = float(np.median(counts[column]))
            # 0 is an ordinary id where numbers begin with it.
            if count < max(PROMINENT * whole, 5 * common) and texts[code] in ("0", "-1"):
                continue
            yield Finding(
                "placeholder-id",
                Severity.WARNING if count >= PROMINENT * whole and len(ids) > 10 else Severity.NOTE,
                f"the {column} '{ids.values[code]}' has {percent(count / max(whole, 1))} of all interactions and looks "
                "like a value for unknown",
                f"Drop these rows if the {column} is not known",
                detail="Whatever different users did, or different items are, is taken for one.",
                evidence={"interactions": count, "all": whole, "median": common},
                columns=(f"interactions.{column}",),
                examples=(repr(ids.values[code]),),
            )


def unmatched(subject: Subject) -> Iterator[Finding]:
    """Ids without a row in the items or users table, and rows about ids without interactions."""
    for table, (column, ids) in zip(("items", "users"), reversed(_both(subject)), strict=True):
        given = subject.tables.get(table)
        if given is None or column not in given.frame.columns:
            continue
        listed = given.frame[column].drop_nulls()
        codes = ids.encode(listed)
        bare = len(ids) - len(np.unique(codes[codes >= 0]))
        outside = int((codes < 0).sum())
        if not bare and not outside:
            continue
        missing = np.setdiff1d(np.arange(len(ids)), codes)[:3]
        types = f"{ids.values.dtype} in interactions, {listed.dtype} in {table}"
        yield Finding(
            f"unmatched-{table}",
            Severity.WARNING if bare > UNDESCRIBED * len(ids) else Severity.NOTE,
            f"{bare:,} of {len(ids):,} {column}s have no row in {table}, {outside:,} of {len(listed):,} rows there are "
            "about ids without interactions",
            "Check that both tables write ids alike and are of the same time"
            + ("; --set data.catalogue=all ranks items that nobody acted on as well" if table == "items" else ""),
            detail="Attributes are missing for the former; the latter are not used.",
            evidence={"without_row": bare, "ids": len(ids), "rows_outside": outside, "types": types},
            columns=(f"{table}.{column}",),
            examples=tuple(f"no row: {name!r}" for name in ids.decode(missing).to_list())
            + tuple(f"no interactions: {listed[row]!r}" for row in np.flatnonzero(codes < 0)[:2].tolist()),
        )


def _both(subject: Subject) -> list[tuple[str, IdMap]]:
    return [(USER, subject.dataset.user_ids), (ITEM, subject.dataset.item_ids)]


def _as_number(texts: pl.Series) -> pl.Series:
    """The number that a text is read as; null for others, and for very long ones, which floats cannot tell apart."""
    short = texts.set(texts.str.len_bytes() > 15, None)
    return short.str.strip_prefix("+").cast(pl.Float64, strict=False).fill_nan(None)
