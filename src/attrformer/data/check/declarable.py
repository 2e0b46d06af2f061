"""Findings about text that says more once its kind is declared: paths of levels, and text in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from attrformer.data.attribute_kinds import PATH
from attrformer.data.attributes import LEVEL_SEPARATOR, AttributeKind
from attrformer.data.check.columns import MANY, Column, columns_of
from attrformer.data.check.findings import Finding, Severity
from attrformer.data.check.subject import Subject

_PATHS: Final = 0.5
"""Share of the texts with levels from which they are paths."""

_WORDS: Final = 3.0
"""Words that a text has on average from which it is read for them."""


def undeclared(subject: Subject) -> Iterator[Finding]:
    """Columns of items and users that could be read as a hierarchy or as text."""
    for column in columns_of(subject):
        if column.table == "interactions" or not column.is_text or len(column.known) < MANY:
            continue
        kind = subject.kind_of(column.table, column.name)
        declared = f"column '{column.name}' is not used, as it is declared"
        if kind not in (None, AttributeKind.CATEGORICAL) or any(declared in note for note in subject.dataset.notes):
            continue
        paths = int(column.known.str.contains(PATH).sum())
        words = float(column.known.str.split(" ").list.len().mean())  # type: ignore[arg-type]
        if paths >= _PATHS * len(column.known):
            yield _path(column, paths)
        elif column.known.str.contains(r"^\s*[\[{]").all():
            # Lists and mappings written as text; the note about the column names the kinds that read them.
            continue
        elif kind is None and words >= _WORDS and column.known.n_unique() > len(column.known) / 2:
            yield _text(column, words)


def _path(column: Column, paths: int) -> Finding:
    known = column.known
    levels = known.str.split(LEVEL_SEPARATOR.strip()).explode().str.strip_chars().n_unique()
    return Finding(
        "path-in-text",
        Severity.NOTE,
        f"{column.label}: {paths:,} of {len(known):,} texts look like paths of levels",
        f"Use --kinds {column.label}=hierarchy",
        detail=f"Each of {known.n_unique():,} paths is a value unlike every other, though they share {levels:,} names.",
        evidence={"texts": len(known), "paths": paths, "names": levels},
        columns=(column.label,),
        examples=_examples(known),
    )


def _text(column: Column, words: float) -> Finding:
    return Finding(
        "text-not-read",
        Severity.NOTE,
        f"{column.label} holds texts of {words:.0f} words on average, which are not read",
        f"Use --kinds {column.label}=text, or ignore if they say nothing of what is described",
        detail="Texts that are all different are no categories, but items whose texts share words can be related.",
        evidence={"texts": len(column.known), "words": round(words, 1)},
        columns=(column.label,),
        examples=_examples(column.known),
    )


def _examples(known: pl.Series) -> tuple[str, ...]:
    return tuple(map(repr, known.unique(maintain_order=True).head(2).to_list()))
