"""The plain tables that every reader of raw files returns, and the dataset folder they are written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from attrformer.columns import ITEM, RELATION, TIMESTAMP, USER
from attrformer.errors import DataError, WriteError
from attrformer.folders import new_folder
from attrformer.io import IN_FOLDER, is_unfinished
from attrformer.locks import locked_folder

TABLE_NAMES = ("interactions", "items", "users", "item_relations", "item_changes")
_OWN_FILES = frozenset({*(f"{table}.parquet" for table in TABLE_NAMES), "dataset.json"})


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What the raw files of one data set say, in the canonical column names.

    Args:
        interactions: user_id, item_id and, where known, timestamp (whole seconds) and rating; each user's oldest first.
        items: item_id and the attributes of items, or None.
        users: user_id and the attributes of users, or None.
        item_relations: source_item_id, target_item_id, relation and rank (0 is the first named), or None.
        notes: sentences that say what was left out.
        item_changes: item_id, timestamp (whole seconds), column and value of what changes in time, or None.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    item_relations: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    item_changes: pl.DataFrame | None = None

    def frames(self) -> dict[str, pl.DataFrame]:
        """The tables that are there, by name."""
        frames = (self.interactions, self.items, self.users, self.item_relations, self.item_changes)
        every = zip(TABLE_NAMES, frames, strict=True)
        return {name: frame for name, frame in every if frame is not None}


@dataclass(frozen=True, slots=True)
class TablesSummary:
    """How much a set of tables holds.

    Args:
        rows: number of rows by table name.
        acting_users: distinct users in the interactions.
        acted_items: distinct items in the interactions.
        edges: number of edges by relation name.
    """

    rows: dict[str, int]
    acting_users: int
    acted_items: int
    edges: dict[str, int]


def summarise(tables: Tables) -> TablesSummary:
    """Count what the tables hold."""
    relations = tables.item_relations
    edges = {} if relations is None else dict(relations[RELATION].value_counts(sort=True).rows())
    return TablesSummary(
        rows={name: frame.height for name, frame in tables.frames().items()},
        acting_users=tables.interactions[USER].n_unique(),
        acted_items=tables.interactions[ITEM].n_unique(),
        edges=edges,
    )


def chronological(interactions: pl.DataFrame) -> pl.DataFrame:
    """The interactions by user, oldest first; equal times keep their order, and without times nothing moves."""
    if TIMESTAMP not in interactions.columns:
        return interactions
    return interactions.sort(USER, TIMESTAMP, maintain_order=True)


def write_tables(tables: Tables, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write a dataset folder of parquet tables; it appears whole or not at all.

    Args:
        tables: what to write.
        folder: the dataset folder to create; missing parents are created too.
        overwrite: replace an earlier dataset folder. A folder that holds anything else is never replaced.

    Returns:
        The folder.

    Raises:
        DataError: the folder exists and may not be replaced, or it cannot be written.
    """
    folder = Path(folder).expanduser().resolve()
    check_target(folder, overwrite=overwrite)
    try:
        # The lock of `Dataset.save`, too: whatever it has written meanwhile is there to be looked at.
        with locked_folder(folder):
            check_target(folder, overwrite=overwrite)
            with new_folder(folder) as unfinished:
                for name, frame in tables.frames().items():
                    frame.write_parquet(unfinished / f"{name}.parquet")
    except WriteError as error:
        problem, _, fix = str(error).rstrip(".").partition("). ")
        raise DataError(f"{problem})", fix=fix or "Name another folder") from error
    return folder


def check_target(folder: Path | str, *, overwrite: bool) -> None:
    """Refuse a target folder that `write_tables` may not write, before any long work is done.

    Raises:
        DataError: the folder exists and may not be replaced.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError("this is a file, not a folder", fix="Name another output folder", source=str(folder))
    present = sorted(entry.name for entry in folder.iterdir())
    # A lock that a killed process has left is nobody's.
    present = [name for name in present if name != IN_FOLDER and not is_unfinished(name)]
    foreign = [name for name in present if name not in _OWN_FILES]
    if foreign:
        raise DataError(
            f"the output folder holds other files ({', '.join(foreign[:3])}) and is left untouched",
            fix="Name an output folder that does not exist yet",
            source=str(folder),
        )
    if present and not overwrite:
        raise DataError(
            "the output folder already holds a dataset",
            fix="Name another folder, or ask to overwrite it (--overwrite)",
            source=str(folder),
        )
