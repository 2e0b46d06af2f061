"""What the checks look at: a dataset, its tables where they are at hand, and figures that several checks need."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import TIMESTAMP
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.cuts import last_events, windows_of
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.tables import Table

LEAVE_ONE_OUT: Final = "leave-one-out"
TIME: Final = "time"
WINDOWS: Final = (0.8, 0.9)
"""Shares of all interactions before validation and before test, as `data.validation_from` and `data.test_from`."""

LEAST: Final = 3
"""Interactions of a user with targets of leave-one-out."""

SAMPLE: Final = 200_000
"""The most rows that a statistical test reads."""

DAY: Final = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class SplitView:
    """What a split trains on and asks for, as positions of the sequences; contexts are not copied.

    Args:
        name: of the split.
        train: bool `[m]`, the interactions trained on.
        validation: int64, positions of the validation targets.
        test: int64, positions of the test targets.
    """

    name: str
    train: NDArray[np.bool_]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


class Repeats(NamedTuple):
    """Interactions with an item that the user had before.

    Args:
        positions: int64, theirs.
        before: int64, those of the latest interaction of the same user and item before.
    """

    positions: NDArray[np.int64]
    before: NDArray[np.int64]


class Subject:
    """The data under check.

    Args:
        dataset: the data.
        tables: the tables that it was made of, by name, as far as they are at hand.
        shuffled: whether the order of interactions within a time was made arbitrary.
        unread_edges: names of edge tables that no model is to read.
        now: seconds since 1970 after which a time lies in the future.
    """

    def __init__(
        self,
        dataset: PlainDataset,
        tables: Mapping[str, Table],
        *,
        shuffled: bool = False,
        unread_edges: Collection[str] = (),
        now: float | None = None,
    ) -> None:
        self.dataset = dataset
        self.tables = tables
        self.shuffled = shuffled
        self.unread_edges = unread_edges
        self.now = time.time() if now is None else now
        self.items = dataset.sequences.items
        self.offsets = dataset.sequences.offsets
        self.times = dataset.sequences.times
        self.random = np.random.default_rng(0)

    @cached_property
    def users(self) -> NDArray[np.int32]:
        """The user of each position."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def first(self) -> NDArray[np.bool_]:
        """Whether a position is the first one of its user."""
        first = np.zeros(len(self.items), dtype=bool)
        first[self.offsets[:-1][np.diff(self.offsets) > 0]] = True
        return first

    @cached_property
    def tied(self) -> NDArray[np.bool_]:
        """Whether a position has the time of the one before it; nowhere where there are no times."""
        tied = np.zeros(len(self.items), dtype=bool)
        if self.times is not None:
            np.equal(self.times[1:], self.times[:-1], out=tied[1:])
            tied &= ~self.first
        return tied

    @cached_property
    def repeats(self) -> Repeats:
        """Interactions with an item that the user had before; of those that hide an item, where not all do."""
        pairs = self.users.astype(np.int64) * np.int64(self.dataset.item_count) + self.items
        seen = self.dataset.sequences.seen
        counted = np.arange(len(pairs)) if seen is None else np.flatnonzero(seen)
        pairs = pairs[counted]
        ordered = np.sort(pairs)
        again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(again):
            return Repeats(np.empty(0, np.int64), np.empty(0, np.int64))
        # Few in most logs, so that only these are sorted by place.
        positions = np.flatnonzero(pl.Series(pairs).is_in(pl.Series(again).implode()).to_numpy())
        positions = positions[np.argsort(pairs[positions], kind="stable")]
        later = np.flatnonzero(np.diff(pairs[positions]) == 0) + 1
        return Repeats(counted[positions[later]], counted[positions[later - 1]])

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """Whether the user had the item of a position before."""
        repeated = np.zeros(len(self.items), dtype=bool)
        repeated[self.repeats.positions] = True
        return repeated

    @cached_property
    def splits(self) -> tuple[SplitView, ...]:
        """Leave-one-out and the time split, as far as the data allow them."""
        return tuple(view for view in (self._leave_one_out(), self._time()) if view is not None)

    @cached_property
    def leave_one_out(self) -> SplitView | None:
        """The view of leave-one-out; None where no user has three interactions."""
        return next((view for view in self.splits if view.name == LEAVE_ONE_OUT), None)

    @cached_property
    def time_split(self) -> SplitView | None:
        """The view of the time split; None where the data cannot be split by time."""
        return next((view for view in self.splits if view.name == TIME), None)

    def sampled(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """At most `SAMPLE` of the positions, in order."""
        if len(positions) <= SAMPLE:
            return positions
        return np.sort(self.random.choice(positions, SAMPLE, replace=False))

    def is_used(self, table: str, column: str) -> bool:
        """Whether a column is an attribute of the dataset."""
        return column in self._attributes(table) or (
            table == "interactions" and column in self.dataset.sequences.behaviours
        )

    def kind_of(self, table: str, column: str) -> AttributeKind | None:
        """How a column of items or users is read; None where it is not."""
        attribute = self._attributes(table).get(column)
        return None if attribute is None else attribute.kind

    def values_of(self, table: str, column: str) -> tuple[str, ...]:
        """The values of a categorical column as they are read; none of others."""
        attribute = self._attributes(table).get(column)
        return () if attribute is None else attribute.vocabulary

    def _attributes(self, table: str) -> dict[str, Attribute]:
        held = {"items": self.dataset.item_attributes, "users": self.dataset.user_attributes}
        return held.get(table, {})

    def named_items(self, codes: NDArray[np.int32] | NDArray[np.int64]) -> list[str]:
        """Item ids as text."""
        return [str(value) for value in self.dataset.item_ids.decode(codes).to_list()]

    def named_users(self, codes: NDArray[np.int32] | NDArray[np.int64]) -> list[str]:
        """User ids as text."""
        return [str(value) for value in self.dataset.user_ids.decode(codes).to_list()]

    def _leave_one_out(self) -> SplitView | None:
        if self.dataset.sequences.targets is not None:
            _, until, first, last = last_events(self.dataset.sequences, self.dataset.sequences.targets)
            place = np.arange(len(self.items))
            train = place < np.repeat(until, np.diff(self.offsets))
            return SplitView(LEAVE_ONE_OUT, train, first, last) if len(last) else None
        users = np.flatnonzero(np.diff(self.offsets) >= LEAST)
        if not len(users):
            return None
        last = self.offsets[1:][users] - 1
        train = np.ones(len(self.items), dtype=bool)
        train[last] = train[last - 1] = False
        return SplitView(LEAVE_ONE_OUT, train, last - 1, last)

    def _time(self) -> SplitView | None:
        if self.times is None:
            return None
        window = windows_of(self.times, *WINDOWS)
        chosen = self.dataset.sequences.targets
        predicted = ~self.first if chosen is None else ~self.first & chosen
        asked = [np.flatnonzero((window == index) & predicted) for index in (1, 2)]
        train = window == 0
        if not train.any() or not all(map(len, asked)):
            return None
        return SplitView(TIME, train, *asked)


def day(seconds: float) -> str:
    """A time as a date of UTC; the seconds where no calendar reaches so far."""
    try:
        return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))
    except (OverflowError, ValueError):
        return f"{int(seconds):,} s"


def share(part: int, whole: int) -> float:
    """Part of a whole, 0 where there is no whole; four digits that count."""
    return float(f"{part / whole:.4g}") if whole else 0.0


__all__ = ["DAY", "LEAVE_ONE_OUT", "SAMPLE", "TIME", "TIMESTAMP", "SplitView", "Subject", "day", "share"]
