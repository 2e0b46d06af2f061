"""Findings about edge tables: whether they name held-out pairs oftener than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.check.findings import Finding, Number, Severity
from attrformer.data.check.subject import SplitView, Subject
from attrformer.data.check.text import percent
from attrformer.data.edges import Edges

LIFT: Final = 2.0
"""How many times oftener than by chance edges have to name held-out pairs."""

DEVIATIONS: Final = 4.0
"""And by how many standard deviations of chance."""

LIKE_TRAINING: Final = 0.8
"""Part of the lift of training transitions from which held-out pairs are named as often as they are."""

SHUFFLES: Final = 5
"""Shuffles of the targets that chance is the mean of."""


class _Rate(NamedTuple):
    """How many of some pairs are edges."""

    pairs: int
    named: int
    chance: float

    @property
    def rate(self) -> float:
        return self.named / self.pairs if self.pairs else 0.0

    @property
    def lift(self) -> float:
        return self.named / max(self.chance, 1 / SHUFFLES)

    @property
    def exceeds_chance(self) -> bool:
        deviations = (self.named - self.chance) / math.sqrt(max(self.chance, 1.0))
        return self.lift >= LIFT and deviations >= DEVIATIONS


def named_pairs(subject: Subject) -> Iterator[Finding]:
    """Edge tables that hold the pair of a target and the item before it."""
    for name, edges in subject.dataset.item_relations.items():
        keys = pl.Series(edges.source.astype(np.int64) * subject.dataset.item_count + edges.target)
        rates = {
            split: (_rate(subject, split.test, keys), _rate(subject, _transitions(subject, split), keys))
            for split in subject.splits
        }
        if any(held_out.exceeds_chance for held_out, _ in rates.values()):
            yield _finding(name, edges, rates, unread=name in subject.unread_edges)


def to_themselves(subject: Subject) -> Iterator[Finding]:
    """Edges from an item to itself."""
    for name, edges in subject.dataset.item_relations.items():
        loops = int((edges.source == edges.target).sum())
        if loops:
            yield Finding(
                "edges-to-themselves",
                Severity.NOTE,
                f"relation {name}: {loops:,} edges lead from an item to itself",
                "Drop them, they only say that an item goes with itself",
                evidence={"edges": len(edges.source), "to_themselves": loops},
                columns=("item_relations.target_item_id",),
            )


def _finding(name: str, edges: Edges, rates: dict[SplitView, tuple[_Rate, _Rate]], *, unread: bool) -> Finding:
    split, (held_out, trained) = next((view, pair) for view, pair in rates.items() if pair[0].exceeds_chance)
    meaning = (
        "Transitions of training are not named more often than that, as where the edges were counted from a log with "
        "the test interactions in it, or where they are no counts at all."
        if held_out.lift >= LIKE_TRAINING * trained.lift
        else "Transitions of training are named more often still, as where the edges were counted from training alone; "
        "what is left may be honest knowledge of what goes together."
    )
    evidence: dict[str, Number] = {"relation": name, "edges": len(edges.source)}
    for view, (asked, known) in rates.items():
        evidence |= {
            f"{view.name} test_pairs": asked.pairs,
            f"{view.name} named": asked.named,
            f"{view.name} named_by_chance": round(asked.chance, 1),
            f"{view.name} lift": round(asked.lift, 1),
            f"{view.name} training_pairs_sampled": known.pairs,
            f"{view.name} training_named": known.named,
            f"{view.name} training_lift": round(known.lift, 1),
        }
    return Finding(
        "edges-name-held-out-pairs",
        Severity.NOTE if unread else Severity.WARNING,
        f"relation {name} names {percent(held_out.rate)} of the {split.name} test pairs (item before, target), "
        f"{held_out.lift:.3g} times as many as by chance",
        "Leave the table out of relations.edges (the default) unless it was known before the test interactions, or "
        "report figures with it in a row of their own, beside the row without it",
        detail=f"Chance is the same targets in another order. {meaning}",
        evidence=evidence,
        columns=("item_relations.target_item_id",),
    )


def _transitions(subject: Subject, split: SplitView) -> NDArray[np.int64]:
    """Positions of training interactions whose interaction before is one of training, too."""
    return np.flatnonzero(split.train[1:] & split.train[:-1] & ~subject.first[1:]) + 1


def _rate(subject: Subject, positions: NDArray[np.int64], keys: pl.Series) -> _Rate:
    chosen = subject.sampled(positions)
    before, after = subject.items[chosen - 1], subject.items[chosen]
    chance = [
        _named(subject, before[apart], shuffled[apart], keys)
        for shuffled in (subject.random.permutation(after) for _ in range(SHUFFLES))
        for apart in (before != shuffled,)
    ]
    apart = before != after
    return _Rate(len(chosen), _named(subject, before[apart], after[apart], keys), sum(chance) / SHUFFLES)


def _named(subject: Subject, before: NDArray[np.int32], after: NDArray[np.int32], keys: pl.Series) -> int:
    pairs = pl.Series(before.astype(np.int64) * subject.dataset.item_count + after)
    return int(pairs.is_in(keys.implode()).sum())
