"""The time of behaviours as a relation: what other users take at about the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.array_checks import INTEGERS, is_finite, require_array, require_that
from attrformer.relations.base import Arrays, NewItems, Relation, Sources, Update
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.folds import fold_tables, without_each_fold
from attrformer.relations.parts import higher_quantiles
from attrformer.relations.row_table import RowRelation

NAME = "time_bucket"

SMOOTHING = 5.0
"""Interactions of the whole time that are mixed into each bucket."""

MOST_VALUES = 1 << 24
"""Values of one fold's table; larger catalogues are told fewer buckets apart."""


@dataclass(frozen=True, slots=True, eq=False)
class TimeBucketRelation(Relation):
    """How much more often people take an item around a bucket than over the whole time (docs/paper.md, part 3).

    Args:
        edges: int64 seconds, ascending, where one bucket ends and the next begins; one fewer than there are buckets.
        reach: how much a bucket's neighbour counts beside it, and so on by powers, between 0 and 1.
        lift: rows keyed by bucket; 1 means "as always".
    """

    kind: ClassVar[str] = "time_bucket"
    reads_times: ClassVar[bool] = True

    edges: NDArray[np.int64]
    reach: float
    lift: RowRelation

    @property
    def name(self) -> str:
        """See `Relation.name`."""
        return NAME

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the options ask for it and interactions have times."""
        if not options.time_bucket or sources.train.times is None:
            return []
        buckets, reach = options.time_buckets, options.time_bucket_reach
        return [time_bucket_relation(sources.train, sources.n_items, sources.folds, buckets=buckets, reach=reach)]

    def for_inference(self) -> TimeBucketRelation:
        """The same relation with the rows for inference only."""
        return replace(self, lift=self.lift.for_inference())

    def with_items(self, new: NewItems) -> TimeBucketRelation:
        """New items are as much in season as ever."""
        return replace(self, lift=self.lift.with_neutral_columns(len(new)))

    def updated(self, update: Update) -> TimeBucketRelation:
        """Counted anew, in further buckets where enough came in after the latest."""
        histories, items = update.histories, update.n_items
        assert histories.times is not None
        edges = with_later_buckets(self.edges, histories.times, items)
        return counted_buckets(edges, self.reach, histories, items, update.everyone).for_inference()

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        rows, lift = self.lift.to_arrays()
        arrays = {"edges": self.edges, **{f"lift/{name}": array for name, array in rows.items()}}
        return arrays, {"reach": self.reach, "lift": lift}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> TimeBucketRelation:
        """See `Relation.from_arrays`."""
        rows = {part.removeprefix("lift/"): array for part, array in arrays.items() if part.startswith("lift/")}
        return cls(arrays["edges"], described["reach"], RowRelation.from_arrays(NAME, rows, described["lift"]))

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        require_array("edges of buckets", self.edges, INTEGERS, (-1,))
        require_that(bool((np.diff(self.edges) >= 0).all()), "edges of buckets are not ascending")
        require_that(is_finite(self.reach), "the reach of buckets is no number")
        self.lift.check_rows(len(self.edges) + 1, items)

    def attributions(self, question: Question) -> list[Attribution]:
        """The item of the history around whose time others took the answer, where any did."""
        holders = question.counts().holders(question.items, question.users).tolist()
        return [
            Attribution(item, reason=wording.at_the_time(question.title(item)) if count else wording.untaken())
            for item, count in zip(question.strongest.tolist(), holders, strict=True)
        ]


def time_bucket_relation(
    train: Sequences, items: int, folds: NDArray[np.int64], *, buckets: int, reach: float
) -> TimeBucketRelation:
    """Cuts the time of the training interactions into buckets of equally many interactions, and counts them.

    Args:
        train: training sequences, with times.
        items: catalogue size.
        folds: fold of each user, int64 `[users]`.
        buckets: most buckets; there are fewer where times repeat or the catalogue is large.
        reach: see `TimeBucketRelation`.
    """
    assert train.times is not None
    edges = _cuts(train.times, min(buckets, max(2, _most_buckets(items))))
    return counted_buckets(edges, reach, train, items, folds)


def with_later_buckets(edges: NDArray[np.int64], times: NDArray[np.int64], items: int) -> NDArray[np.int64]:
    """Goes on cutting time as training did, where interactions came in after the latest edge.

    Without it all that happens after training would be one bucket, which in the end says nothing.

    Args:
        edges: of the buckets of training, int64 seconds, ascending.
        times: of all interactions known now, int64 seconds.
        items: catalogue size.

    Returns:
        The edges, and further ones where what lies after the latest is worth at least two buckets.
    """
    if not len(edges):
        return edges
    after = times[times >= edges[-1]]
    size = max(1, (len(times) - len(after)) // len(edges))
    wanted = min(len(after) // size, _most_buckets(items) - len(edges))
    return np.union1d(edges, _cuts(after, wanted)) if wanted >= 2 else edges


def _most_buckets(items: int) -> int:
    """Moments that the table of a catalogue has room for."""
    return MOST_VALUES // max(items, 1)


def _cuts(times: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Where times are cut into that many buckets of equally many interactions; fewer where times repeat."""
    if not len(times):
        return np.empty(0, dtype=np.int64)
    return np.unique(higher_quantiles(times, np.arange(1, count) / count))


def counted_buckets(
    edges: NDArray[np.int64], reach: float, train: Sequences, items: int, folds: NDArray[np.int64]
) -> TimeBucketRelation:
    """Counts around given buckets: R(m, j) = (n(m, j) + s q(j)) / ((n(m) + s) q(j)).

    n(m, j) is the sum over all buckets l of reach^|m - l| times the interactions with j in l, n(m) its sum over items,
    and q(j) the smoothed share of item j in all interactions.

    Args:
        edges: see `TimeBucketRelation`.
        reach: see `TimeBucketRelation`.
        train: what is counted, with times.
        items: catalogue size.
        folds: fold of each user, int64 `[users]`.
    """
    times = train.times
    assert times is not None
    keys = len(edges) + 1
    counts = fold_tables(
        folds, train, lambda part: np.searchsorted(edges, times[part.positions], side="right"), (keys, items)
    )
    steps = np.arange(keys)
    weights = np.float32(reach) ** np.abs(steps[:, None] - steps).astype(np.float32)

    def finish(count: NDArray[np.float32]) -> NDArray[np.float32]:
        share = (count.sum(0) + 1.0) / (count.sum() + items)
        around = weights @ count
        # Of an item nobody has touched q(j) holds one interaction that no bucket has; without it here as well, such an
        # item would seem to be out of season always.
        around += weights.sum(1, keepdims=True) / keys
        smoothed = (around + SMOOTHING * share) / (around.sum(1, keepdims=True) + SMOOTHING)
        lift: NDArray[np.float32] = (smoothed / share).astype(np.float32)
        return lift

    tables = [finish(count) for count in without_each_fold(counts)]
    return TimeBucketRelation(edges, reach, RowRelation(NAME, keys, len(counts), items, dense=np.concatenate(tables)))
