"""Names of columns that the user gives, and the tables that have such columns."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import polars as pl

from attrformer.data.column_names import without_header
from attrformer.data.options import owner_of
from attrformer.data.tables import Table
from attrformer.errors import DataError


def check_mapping(tables: Mapping[str, Table], columns: Mapping[str, str]) -> None:
    """Refuses names of columns that no table has.

    Args:
        tables: all of them, by name.
        columns: canonical column name to the user's own.

    Raises:
        DataError: there is such a name.
    """
    for name, theirs in columns.items():
        ours, held = tables_about(name, tables)
        if not any(ours in table.renamed for table in held):
            there = [column for table in held for column in table.frame.columns]
            near = difflib.get_close_matches(theirs, there, n=3) or there[:5]
            some = f" (there are such as {', '.join(near)})" if near else ""
            raise DataError(
                f"{'no table has' if held else 'there is no table with'} the column that is mapped to '{name}'"
                f"{without_header(there)}",
                fix=f"Correct the name in columns={some}" + _unfold(theirs, held),
                source=", ".join(table.source for table in held) or owner_of(name),
                column=theirs,
            )


def tables_about(name: str, tables: Mapping[str, Table]) -> tuple[str, list[Table]]:
    """The column that a name of `columns` is about, and the tables that may have it.

    Args:
        name: canonical column name, or table and name.
        tables: all of them, by name.
    """
    owner = owner_of(name)
    ours = name if owner is None else name.partition(".")[2]
    return ours, [table for key, table in tables.items() if owner in (None, key)]


def _unfold(theirs: str, tables: list[Table]) -> str:
    """What to do where values are asked for that lie in lists."""
    root = theirs.partition(".")[0]
    listed = any(isinstance(table.frame.schema.get(root), pl.List) for table in tables)
    return f"; '{root}' holds lists, and a row has to be one interaction: write one for each entry" if listed else ""
