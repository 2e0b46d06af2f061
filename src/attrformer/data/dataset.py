"""The dataset: ids, sequences, attributes and relations of one source of data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.id_map import IdMap
from attrformer.data.options import Duplicates
from attrformer.data.sequences import Sequences
from attrformer.errors import DataError
from attrformer.paths import folder_path

if TYPE_CHECKING:
    from attrformer.data.check import CheckReport


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
        item_changes: attributes of items that change in time, by name; none of them is in `item_attributes`.
    """

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

    # The functions below live in files that need this class, hence the imports inside.

    @classmethod
    def from_frames(
        cls,
        interactions: Any,
        items: Any = None,
        users: Any = None,
        item_relations: Any = None,
        item_changes: Any = None,
        *,
        name: str = "dataset",
        columns: Mapping[str, str] | None = None,
        kinds: Mapping[str, str | AttributeKind] | None = None,
        separators: Mapping[str, str] | None = None,
        catalogue: Literal["interacted", "all"] = "interacted",
        unknown: Literal["error", "drop"] = "drop",
        duplicates: Duplicates | None = None,
    ) -> Dataset:
        """A dataset from up to five tables: of any frame library, or paths of parquet, Arrow, csv, tsv or JSON lines.

        A table gives the same dataset in whatever library or file it comes. Index columns of frame libraries, and
        columns that are computed from the interactions by their name (`average_rating`, `sales_rank`), are not read.

        Args:
            interactions: `user_id`, `item_id`, optionally `timestamp` (row order counts without it); every other
                numeric column becomes a behaviour attribute.
            items: `item_id`, optionally `title`; every other column becomes an attribute.
            users: `user_id`; every other column becomes an attribute.
            item_relations: `source_item_id`, `target_item_id`, `relation`, optionally `weight` or `rank`.
            item_changes: `item_id`, `timestamp`, `column`, `value`: from that time on the item has that value in that
                column, until the next change (docs/changing-attributes.md).
            name: what protocol lines call the data.
            columns: canonical column name to the user's own.
            kinds: attribute to "categorical", "multi", "numeric" or "time", where inference is not wanted; "ignore"
                leaves a column out. "items.age" and "users.age" tell two columns of one name apart,
                "interactions.price" is one of the interactions. A declared column is always read. Text declared "multi"
                is split at "|".
            separators: attribute to the text between its values, such as {"genres": ", "}; it is then multi-valued.
            catalogue: "interacted": items that somebody acted on; "all": those of the items table as well.
            unknown: what a row about a user or item outside the data is: "drop" leaves it out with a note, "error"
                refuses it.
            duplicates: what becomes of rows of the interactions that repeat an earlier one in every column: "keep" (the
                default), "drop", or "count", which makes one interaction of them with a behaviour attribute `count`.

        Returns:
            The dataset; its `notes` say how every column was read, what was inferred and what was left out.

        Raises:
            DataError: a table cannot be used as it is; the message names the table, column and row.
            ConfigurationError: an option has an unknown value.
        """
        from attrformer.data.construct import dataset_from_frames

        return dataset_from_frames(
            interactions,
            items,
            users,
            item_relations,
            item_changes,
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
        """A dataset from a folder with `interactions` and, where there are any, the other tables of `from_frames`.

        Each is a parquet, Arrow, csv, tsv or JSON lines file, the text files also packed by gzip; of several files of
        one table the parquet file is read. A `dataset.json`, which `save` writes, may hold "name", "columns",
        "kinds", "separators", "catalogue", "duplicates" and "notes"; the arguments go before it.

        Args:
            folder: where the tables are.
            name: what protocol lines call the data; the folder's name by default.
            columns: canonical column name to the one in the files.
            kinds: attribute to "categorical", "multi", "numeric" or "time", where inference is not wanted; "ignore"
                leaves a column out. "items.age" and "users.age" tell two columns of one name apart,
                "interactions.price" is one of the interactions. A declared column is always read. Text declared "multi"
                is split at "|".
            separators: attribute to the text between its values, such as {"genres": ", "}; it is then multi-valued.
            catalogue: "interacted": items that somebody acted on; "all": those of the items table as well; None: as
                `dataset.json` says, else "interacted".
            unknown: what a row about a user or item outside the data is: "drop" leaves it out with a note, "error"
                refuses it.
            duplicates: what becomes of rows of the interactions that repeat an earlier one in every column: "keep",
                "drop", or "count", which makes one interaction of them with a behaviour attribute `count`; None: as
                `dataset.json` says, else "keep".
            encoding: of csv files.

        Returns:
            The dataset; its `notes` say how every column was read, what was inferred and what was left out.

        Raises:
            DataError: there is no such folder, no table of interactions, or a table that cannot be used as it is.
            ConfigurationError: an option has an unknown value.
        """
        from attrformer.data.folder import load_dataset

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
        """Writes the dataset as five parquet tables and a `dataset.json`, from which `load` makes an equal one.

        Args:
            folder: created where needed; files of the same names are replaced, all at once.

        Returns:
            The folder.

        Raises:
            BusyError: another process is writing there.
            WriteError: the folder cannot be written; what lay there is as it was.
        """
        from attrformer.data.store import save_dataset

        return save_dataset(self, folder_path(folder, "folder"))

    def check(
        self,
        interactions: Any = None,
        items: Any = None,
        users: Any = None,
        item_relations: Any = None,
        item_changes: Any = None,
        *,
        shuffled: bool = False,
    ) -> CheckReport:
        """What these data will do to figures, as `attrformer check` says it; docs/check.md explains the findings.

        Args:
            interactions: the table that the dataset was made of, for findings about columns that it left out.
            items: the table of items that it was made of, for the same.
            users: the table of users that it was made of, for the same.
            item_relations: the table of edges between items that it was made of, for the same.
            item_changes: the table of changes of items that it was made of, for the same.
            shuffled: whether `shuffle_same_time` was applied.

        Returns:
            The report: what each column is used as, and findings, each with how grave it is and what to do.

        Raises:
            DataError: a table cannot be read.
        """
        from attrformer.data.check import check_frames
        from attrformer.data.construct import TABLE_NAMES

        given = zip(TABLE_NAMES, (interactions, items, users, item_relations, item_changes), strict=True)
        return check_frames(self, dict(given), shuffled=shuffled)
