"""Behaviour attributes as relations between positions of one sequence: time gap and rating."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.meaning import Meaning
from attrformer.relations.array_checks import require_that
from attrformer.relations.base import Arrays, Labels, Relation, Sources
from attrformer.relations.naming import relation_name

NO_TIMES: Final = -(1 << 62)
"""Stands in place of the times of a history whose times are not known."""

RATING_LEVELS: Final = 5

GAP_BUCKETS = 24
"""Buckets of a time gap: one for no gap, one for up to 3 seconds, then one for each doubling from 4 seconds on."""


def level_edges(values: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """Quantile edges that cut a behaviour attribute (a rating) into at most `levels` levels.

    Args:
        values: all training values, NaN where missing.
        levels: the most levels.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.empty(0, dtype=np.float32)
    return np.unique(np.quantile(known, np.linspace(0, 1, levels + 1)[1:-1])).astype(np.float32)


def level(values: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.int64]:
    """Level of each value, 0 for missing, else 1 to `len(edges) + 1`.

    Args:
        values: any shape, NaN where missing.
        edges: from `level_edges`.
    """
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="left") + 1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TimeGapRelation(Relation):
    """The time between two interactions of one history; what it says is learned."""

    kind: ClassVar[str] = "time_gap"
    reads_times: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """See `Relation.name`."""
        return self.kind

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the options ask for it and interactions have times."""
        return [cls()] if options.behaviours and sources.train.times is not None else []

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> TimeGapRelation:
        """See `Relation.from_arrays`."""
        return cls()


@dataclass(frozen=True, slots=True, eq=False)
class BehaviourRelation(Relation):
    """A number of each interaction, such as a rating, in levels; what each level says is learned.

    Args:
        column: of the interactions' table.
        edges: float32, where levels are cut.
    """

    kind: ClassVar[str] = "behaviour"

    column: str
    edges: NDArray[np.float32]

    @property
    def name(self) -> str:
        """The kind and the column, such as "behaviour_rating"."""
        return relation_name(self.kind, self.column)

    @property
    def source(self) -> str:
        """The column."""
        return self.column

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column of numbers of the interactions, where the options ask for it."""
        train = sources.train
        columns = train.behaviours if options.behaviours else {}
        return [
            cls(name, _with_negative(level_edges(values, RATING_LEVELS), name, train.meaning))
            for name, values in columns.items()
            if name not in train.meaning.values
        ]

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        return {"edges": self.edges}, {"column": self.column}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> BehaviourRelation:
        """See `Relation.from_arrays`."""
        return cls(described["column"], arrays["edges"])

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        numbers = self.edges.ndim == 1 and not np.isnan(self.edges).any()
        require_that(numbers, f"the levels of '{self.column}' are no numbers")


def _with_negative(edges: NDArray[np.float32], column: str, meaning: Meaning) -> NDArray[np.float32]:
    """The edges, and those at which interactions begin to count against their item."""
    negative = meaning.negative
    return edges if negative is None or negative.column != column else np.union1d(edges, negative.edges())


@dataclass(frozen=True, slots=True, eq=False)
class CategoryRelation(BehaviourRelation):
    """A category of each interaction, such as its event or channel; what each pair of values says is learned.

    Args:
        column: of the interactions' table.
        edges: float32, between the codes of the values, so that each value is a level.
        labels: the values.
    """

    kind: ClassVar[str] = "behaviour_category"

    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """The kind of behaviours and the column, such as "behaviour_event"."""
        return relation_name(BehaviourRelation.kind, self.column)

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column of categories of the interactions, where the options ask for it."""
        columns = sources.train.meaning.values if options.behaviours else {}
        return [cls.of(name, labels) for name, labels in columns.items() if name in sources.train.behaviours]

    @classmethod
    def of(cls, column: str, labels: tuple[str, ...]) -> CategoryRelation:
        """The relation of a column.

        Args:
            column: of the interactions' table.
            labels: its values, by code.
        """
        return cls(column, (np.arange(max(len(labels) - 1, 0)) + 0.5).astype(np.float32), labels)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        return {}, {"column": self.column, "labels": list(self.labels)}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> CategoryRelation:
        """See `Relation.from_arrays`."""
        return cls.of(described["column"], tuple(described["labels"]))

    def parameter_axes(self, relations: Mapping[str, Relation]) -> dict[str, list[Labels]]:
        """See `Relation.parameter_axes`."""
        # The first level is that of a missing value.
        levels = ("", *self.labels)
        return {"pair": [levels, levels]}
