"""What follows an interaction of one kind: what is bought after an item was viewed, one relation for each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations import wording
from attrformer.relations.base import Relation, Sources, Update, chosen
from attrformer.relations.config import RelationsConfig
from attrformer.relations.cooccurrence import counted_rows
from attrformer.relations.naming import relation_name
from attrformer.relations.row_table import RowRelation

KNOWN_COLUMNS: Final = ("event", "event_type", "behaviour", "behavior", "behaviour_type", "behavior_type", "action")
"""Columns whose values get rows of their own where the options leave that open."""

KNOWN_VALUES: Final = range(2, 9)
"""How many values such a column has then."""

MOST_VALUES: Final = 16
"""Values that a column may have which the options name: each is a whole table."""


@dataclass(frozen=True, slots=True, eq=False)
class BehaviourRowsRelation(RowRelation):
    """Items that follow an interaction with an item, of those interactions that have one value of a category.

    Args:
        column: of the interactions' table.
        value: that the earlier interaction has.
        level: of the value at a position.
        predicted: what the later interaction is, as a value; None where it may be of any kind.
    """

    kind: ClassVar[str] = "after"

    column: str = field(kw_only=True)
    value: str = field(kw_only=True)
    level: int = field(kw_only=True)
    predicted: str | None = field(default=None, kw_only=True)

    @property
    def source(self) -> str:
        """The column."""
        return self.column

    @classmethod
    def build(cls, sources: Sources, options: RelationsConfig, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each value of the columns that the options name, or that are called as events are."""
        if not options.behaviours:
            return []
        train, found = sources.train, []
        for column in _columns(options.behaviour_rows, train):
            for code, value in enumerate(train.meaning.values[column]):
                relation = cls.counted(column, value, code, train, sources.n_items, sources.folds, options)
                if relation is not None:
                    found.append(relation)
        return list(found)

    @classmethod
    def counted(
        cls,
        column: str,
        value: str,
        code: int,
        train: Sequences,
        items: int,
        folds: NDArray[np.int64] | None,
        options: RelationsConfig,
    ) -> BehaviourRowsRelation | None:
        """Counts what follows; None where no interaction that counts has the value.

        Args:
            column: of the interactions' table.
            value: that the earlier interaction has.
            code: of the value.
            train: training sequences.
            items: catalogue size.
            folds: fold of each user, int64 `[users]`; None counts for inference only.
            options: of all relations.
        """
        counting = np.ones(len(train.items), dtype=np.float32) if train.counting is None else train.counting
        earlier = counting * (train.behaviours[column] == code)
        if not earlier.any():
            return None
        later = counting if train.targets is None else counting * train.targets
        window = replace(options.cooccurrence_near, enabled=True, backward=0.0)
        # The tables of all values together take no more memory than that of one relation may.
        kept = options.kept_entries(items * len(train.meaning.values[column]))
        top_k = None if kept is None else min(kept, items)
        blocks, tables = counted_rows(train, items, folds, window, (earlier, later), top_k=top_k)
        name = relation_name(cls.kind, f"{_escaped(column)}={value}")
        return cls(
            name,
            items,
            blocks,
            items,
            **tables,
            column=column,
            value=value,
            level=code + 1,
            predicted=_predicted(train),
        )

    def updated(self, update: Update) -> BehaviourRowsRelation:
        """Counted anew."""
        histories, code = update.histories, self.level - 1
        found = self.counted(self.column, self.value, code, histories, update.n_items, None, update.options)
        return self if found is None else found

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """See `Relation.to_arrays`."""
        # `super()` needs the class that slots have replaced.
        arrays, described = RowRelation.to_arrays(self)
        own = {"column": self.column, "value": self.value, "level": self.level, "predicted": self.predicted}
        return arrays, {**described, **own}

    @classmethod
    def own_fields(cls, described: dict[str, Any]) -> dict[str, Any]:
        """See `RowRelation.own_fields`."""
        return {name: described[name] for name in ("column", "value", "level", "predicted")}

    def reason(self, title: str) -> str:
        """See `RowRelation.reason`."""
        return wording.after_event(self.column, self.value, title, self.predicted)


def _columns(asked: tuple[str, ...] | None, train: Sequences) -> list[str]:
    """The columns whose values get rows."""
    values = {name: labels for name, labels in train.meaning.values.items() if name in train.behaviours}
    if asked is None:
        return [name for name in KNOWN_COLUMNS if len(values.get(name, ())) in KNOWN_VALUES]
    for name in chosen(asked, values, "relations.behaviour_rows"):
        if len(values[name]) > MOST_VALUES:
            raise ConfigurationError(
                f"relations.behaviour_rows names '{name}', which has {len(values[name])} values. Each is a table of "
                f"its own: name columns of {MOST_VALUES} values at most."
            )
    return list(asked)


def _predicted(train: Sequences) -> str | None:
    targets = train.meaning.targets
    return targets.values[0] if targets is not None and targets.how == "=" and len(targets.values) == 1 else None


def _escaped(column: str) -> str:
    """The column without "=", so that no two pairs of column and value have one name."""
    return column.replace("%", "%25").replace("=", "%3D")
