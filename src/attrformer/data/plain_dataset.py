"""What a dataset holds, for the files that read, check, change and write datasets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timezone

from attrformer.data.attributes import Attribute
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.edges import Edges
from attrformer.data.id_map import IdMap
from attrformer.data.sequences import Sequences
from attrformer.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class PlainDataset:
    """The fields of a `Dataset`, which explains them, without the methods that read, check and write tables."""

    name: str
    user_ids: IdMap
    item_ids: IdMap
    sequences: Sequences
    item_attributes: dict[str, Attribute] = field(default_factory=dict)
    user_attributes: dict[str, Attribute] = field(default_factory=dict)
    item_relations: dict[str, Edges] = field(default_factory=dict)
    item_titles: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    frame_library: str = "polars"
    item_changes: dict[str, ChangingAttribute] = field(default_factory=dict)

    def __repr__(self) -> str:
        """What a notebook shows: sizes, and the columns that models can read."""
        columns = {
            "interactions": self.sequences.columns,
            "items": [f"{name} ({attribute.described()})" for name, attribute in self.item_attributes.items()],
            "users": [f"{name} ({attribute.described()})" for name, attribute in self.user_attributes.items()],
            "item_relations": [f"{name} ({len(edges.source):,} edges)" for name, edges in self.item_relations.items()],
            "item_changes": [f"{name} ({changes.described()})" for name, changes in self.item_changes.items()],
        }
        lines = [f"\n  {table}: {', '.join(found)}" for table, found in columns.items() if found]
        sizes = f"{self.user_count:,} users, {self.item_count:,} items, {len(self.sequences.items):,} interactions"
        return f"Dataset {self.name}: {sizes}{''.join(lines)}"

    @property
    def user_count(self) -> int:
        """Number of users."""
        return len(self.user_ids)

    @property
    def item_count(self) -> int:
        """Number of items in the catalogue."""
        return len(self.item_ids)

    def item_values_at(self, column: str, time: int | datetime | None = None) -> Attribute:
        """The value that every item has in a column at a time.

        Args:
            column: of the items' table, whose values are always the same, or of the table of changes.
            time: seconds since 1970, or a datetime (UTC where it has no zone); a change at that very time is known.
                None: the latest values.

        Returns:
            One row for each item, missing before an item's first change.

        Raises:
            DataError: there is no such column.
        """
        if column in self.item_attributes:
            return self.item_attributes[column]
        if column not in self.item_changes:
            known = ", ".join([*self.item_attributes, *self.item_changes]) or "none"
            raise DataError(
                "no attribute of items has that name", fix=f"Use one of: {known}", source=self.name, column=column
            )
        if isinstance(time, datetime):
            time = math.floor((time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp())
        return self.item_changes[column].at(time)
