"""The dataset: ids, sequences, attributes and relations of one source of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.ids import Ids
from attrformer.dataset.options import Duplicates
from attrformer.dataset.sequences import Sequences
from attrformer.paths import folder_path

if TYPE_CHECKING:
    from attrformer.dataset.check import CheckReport


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """An edge table between items that the user supplied (also bought, a knowledge graph).

    Args:
        source: int32 `[e]`, item codes.
        target: int32 `[e]`, item codes.
        weight: float32 `[e]`, positive.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"Edges({len(self.source):,})"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Everything that is known before a model sees it.

    Args:
        name: what the protocol line calls it.
        user_ids: external ids of the users, in the order of the rows of `sequences`.
        item_ids: external ids of the catalogue.
        sequences: one row for each user.
        item_attributes: by name, one row for each item.
        user_attributes: by name, one row for each user.
        item_relations: edge tables by relation name.
        item_titles: text shown for each item instead of its id, where the data have one.
        notes: sentences that say what was inferred and what was left out, for the user to read.
        frame_library: library of the tables it was made of, in which results come back ("polars", "pandas", "pyarrow").
    """

    name: str
    user_ids: Ids
    item_ids: Ids
    sequences: Sequences
    item_attributes: dict[str, Attribute] = field(default_factory=dict)
    user_attributes: dict[str, Attribute] = field(default_factory=dict)
    item_relations: dict[str, Edges] = field(default_factory=dict)
    item_titles: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    frame_library: str = "polars"

    def __repr__(self) -> str:
        """What a notebook shows: sizes, and the columns that models can read."""
        columns = {
            "interactions": self.sequences.columns,
            "items": [f"{name} ({attribute.described()})" for name, attribute in self.item_attributes.items()],
            "users": [f"{name} ({attribute.described()})" for name, attribute in self.user_attributes.items()],
            "item_relations": [f"{name} ({len(edges.source):,} edges)" for name, edges in self.item_relations.items()],
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

    # The functions below live in files that need this class, hence the imports inside.

    @classmethod
    def from_frames(
        cls,
        interactions: Any,
        items: Any = None,
        users: Any = None,
        item_relations: Any = None,
        *,
        name: str = "dataset",
        columns: Mapping[str, str] | None = None,
        kinds: Mapping[str, str | AttributeKind] | None = None,
        separators: Mapping[str, str] | None = None,
        catalogue: Literal["interacted", "all"] = "interacted",
        unknown: Literal["error", "drop"] = "drop",
        duplicates: Duplicates | None = None,
    ) -> Dataset:
        """A dataset from up to four tables; see `attrformer.dataset.construct.dataset_from_frames`."""
        from attrformer.dataset.construct import dataset_from_frames

        return dataset_from_frames(
            interactions,
            items,
            users,
            item_relations,
            name=name,
            columns=columns,
            kinds=kinds,
            separators=separators,
            catalogue=catalogue,
            unknown=unknown,
            duplicates=duplicates,
        )

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        name: str | None = None,
        columns: Mapping[str, str] | None = None,
        kinds: Mapping[str, str | AttributeKind] | None = None,
        separators: Mapping[str, str] | None = None,
        catalogue: Literal["interacted", "all"] | None = None,
        unknown: Literal["error", "drop"] = "drop",
        duplicates: Duplicates | None = None,
        encoding: str = "utf-8",
    ) -> Dataset:
        """A dataset from a folder of tables; see `attrformer.dataset.folder.load_dataset`."""
        from attrformer.dataset.folder import load_dataset

        return load_dataset(
            folder_path(folder, "folder"),
            name=name,
            columns=columns,
            kinds=kinds,
            separators=separators,
            catalogue=catalogue,
            unknown=unknown,
            duplicates=duplicates,
            encoding=encoding,
        )

    def save(self, folder: Path | str) -> Path:
        """Writes the dataset as a folder of tables; see `attrformer.dataset.store.save_dataset`."""
        from attrformer.dataset.store import save_dataset

        return save_dataset(self, folder_path(folder, "folder"))

    def check(
        self,
        interactions: Any = None,
        items: Any = None,
        users: Any = None,
        item_relations: Any = None,
        *,
        shuffled: bool = False,
    ) -> CheckReport:
        """What these data will do to figures: see `attrformer check` and docs/check.md.

        Args:
            interactions: the table that the dataset was made of, for findings about columns that it left out.
            items: likewise.
            users: likewise.
            item_relations: likewise.
            shuffled: whether `shuffle_same_time` was applied.

        Raises:
            DataError: a table cannot be read.
        """
        from attrformer.dataset.check import check_frames
        from attrformer.dataset.construct import TABLE_NAMES

        given = zip(TABLE_NAMES, (interactions, items, users, item_relations), strict=True)
        return check_frames(self, dict(given), shuffled=shuffled)
