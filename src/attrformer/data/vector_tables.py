"""Vectors from files as columns of the tables of items and users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.data.tables import Table, id_column
from attrformer.data.vector_files import VECTOR_ENDINGS, VectorTable, read_vectors
from attrformer.errors import ConfigurationError, DataError

_KEYS: Final = {"items": ITEM, "users": USER}
_FOLDERS: Final = {"items": "item_vectors", "users": "user_vectors"}

VECTOR_FOLDERS: Final = tuple(_FOLDERS.values())
"""Folders of files of vectors in a dataset folder."""

Vectors = Mapping[str, "Path | str | Mapping[Any, Any]"]
"""Attribute, or table and attribute ("users.taste"), to a file or to a mapping of id to vector."""


def vectors_in(folder: Path) -> dict[str, Path]:
    """The files of vectors in a dataset folder, by table and attribute.

    Args:
        folder: with `item_vectors/image.npz` and the like.

    Raises:
        DataError: there are two files of one attribute.
    """
    found = dict[str, Path]()
    for table, name in _FOLDERS.items():
        files = sorted((folder / name).iterdir()) if (folder / name).is_dir() else []
        for file in files:
            if file.suffix.lower() not in VECTOR_ENDINGS or file.name.startswith("."):
                continue
            key = f"{table}.{file.stem}"
            if key in found:
                raise DataError(
                    f"there are two files of one attribute: {found[key].name} and {file.name}",
                    fix="Leave one of them",
                    source=str(folder / name),
                )
            found[key] = file
    return found


def with_vectors(tables: Mapping[str, Table], vectors: Vectors | None) -> dict[str, Table]:
    """The tables with a column of vectors for each file; where there is no table of items or users, it is made.

    Ids that only the interactions and the vectors have get a row of their own. Vectors of other ids are left out.

    Args:
        tables: by name.
        vectors: as `Dataset.from_frames` takes them.

    Raises:
        DataError: a file cannot be read, or does not fit the tables.
        ConfigurationError: `vectors` is no such mapping.
    """
    found = dict(tables)
    for name, given in by_table(vectors).items():
        table, _, column = name.partition(".")
        found[table] = _with_column(found, table, column, given)
    return found


def by_table(vectors: Vectors | None) -> dict[str, Any]:
    """Files and mappings by table and attribute, "items.image", where the table may have been left out.

    Args:
        vectors: as `Dataset.from_frames` takes them.

    Raises:
        ConfigurationError: `vectors` is no mapping.
    """
    if vectors is None:
        return {}
    if not isinstance(vectors, Mapping):
        raise ConfigurationError(f"vectors is {vectors!r}. Give a mapping such as {{'image': 'image.npz'}}.")
    plain = {str(name): given for name, given in vectors.items()}
    return {
        name if "." in name and name.partition(".")[0] in _KEYS else f"items.{name}": given
        for name, given in plain.items()
    }


def _with_column(tables: Mapping[str, Table], name: str, column: str, given: Any) -> Table:
    key = _KEYS[name]
    acted = _texts(tables["interactions"], key).unique() if "interactions" in tables else None
    table = tables.get(name)
    listed = pl.Series([], dtype=pl.String) if table is None else _texts(table, key)
    if table is not None and column in table.frame.columns:
        raise DataError(
            "vectors are given for a column that the table has as well",
            fix="Leave one of them out, or name the vectors otherwise",
            source=table.source,
            column=column,
        )
    wanted = {*listed, *(() if acted is None else acted)}
    vectors = read_vectors(given, f"vectors['{column}']", wanted)
    if vectors.ids is None:
        if table is None or len(table.frame) != len(vectors.vectors):
            rows = "no table" if table is None else f"a table of {len(table.frame):,} rows"
            raise DataError(
                f"it holds {len(vectors.vectors):,} vectors without ids, and there is {rows} of {name}",
                fix=f"Write the ids into {column}.ids.txt beside it, one a line, or use .npz with ids and vectors",
                source=vectors.source,
            )
        vectors = vectors._replace(ids=listed.to_list())
        note = f"column '{column}' holds the vectors of {Path(vectors.source).name}, in the order of the rows"
        return _joined(table, listed, column, vectors, (note,))
    more = pl.Series(vectors.ids, dtype=pl.String)
    more = more.filter(~more.is_in(listed.implode()))
    left = len(more)
    more = more.clear() if acted is None else more.filter(more.is_in(acted.implode()))
    if table is None:
        table = Table(pl.DataFrame({key: more}), name, text=True)
    elif len(more):
        extra = pl.DataFrame({key: more.cast(table.frame[key].dtype, strict=False)})
        table = replace(table, frame=pl.concat([table.frame, extra], how="diagonal"))
    ids = pl.concat([listed, more])
    left -= len(more)
    said = "the vectors that are given" if isinstance(given, Mapping) else f"vectors of {Path(vectors.source).name}"
    note = f"column '{column}' holds {said}"
    note += f"; {left:,} of them are about other ids and left out" if left else ""
    return _joined(table, ids, column, vectors, (note,))


def _joined(table: Table, ids: pl.Series, column: str, vectors: VectorTable, notes: tuple[str, ...]) -> Table:
    """The table with the vectors of its ids, empty where there is none."""
    places = {name: place for place, name in enumerate(vectors.ids or ())}
    rows = np.array([places.get(name, -1) for name in ids], dtype=np.int64)
    known = np.flatnonzero(rows >= 0)
    if not len(known):
        raise DataError(
            "none of its vectors is about an id of the data"
            + (f" (here e.g. '{vectors.ids[0]}')" if vectors.ids else ""),
            fix="Use the same ids as the tables do",
            source=vectors.source,
        )
    found = np.full((len(ids), vectors.vectors.shape[1]), np.nan, np.float32)
    with np.errstate(over="ignore"):
        found[known] = vectors.vectors[rows[known]]
    _require_finite(found, ids, rows, vectors.source)
    values = pl.Series(column, found, dtype=pl.Array(pl.Float32, found.shape[1]))
    values = values.set(pl.Series(np.isnan(found).all(1)), None)
    return replace(table, frame=table.frame.with_columns(values), notes=(*table.notes, *notes))


def _require_finite(found: NDArray[np.float32], ids: pl.Series, rows: NDArray[np.int64], source: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(found).all(1) & ~np.isnan(found).all(1))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"the vector of '{ids[row]}' holds numbers that are missing or not finite",
            fix="Correct it, or leave it out where it is not known",
            source=source,
            row=int(rows[row]),
        )


def _texts(table: Table, key: str) -> pl.Series:
    """The ids of a table as text."""
    if key not in table.frame.columns:
        raise DataError(
            f"the column is missing (present: {', '.join(table.frame.columns) or 'none'})",
            fix=f"Rename your column, or pass columns={{'{key}': 'your column'}}",
            source=table.source,
            column=key,
        )
    return id_column(table, key).cast(pl.String)
