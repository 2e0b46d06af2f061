"""Names of columns: those that the user gives, columns that are made of others for them, and names that are near."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from attrformer.columns import ITEM, TIMESTAMP, USER

_NO_NAMES: Final = "the first row looks like values"
_SAID: Final = "--headers interactions=user_id,item_id,..."
HEADLESS: Final = f"Write the names of the columns into the first line, or say them: {_SAID}"
"""What to do with a text file without a header."""

_MOMENT: Final = re.compile(r"^\s*(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}.*|\d{9,})$")
_VALUE: Final = re.compile(r"^(-?\d+(\.\d+)?|\d{4}-\d{2}-\d{2}.*|.*\d{4,}.*|)$")


def with_made_columns(frame: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """The table with a column for what the user names that is none: two columns of a place, a value of mappings.

    Args:
        frame: the table.
        columns: canonical column name to the user's own, such as "latitude,longitude" and "properties.sku".
    """
    return _with_inner_values(_with_pairs(frame, columns), columns)


def with_rows_of_lists(frame: pl.DataFrame, columns: Mapping[str, str]) -> tuple[pl.DataFrame, str | None]:
    """Interactions with a row for each entry of the list in which the items are, and what is to be said of it.

    Items may be in a list, such as the ids of an order, or in a list of mappings, such as "properties.products.sku".

    Args:
        frame: the table; one without users has no interactions, and stays as it is.
        columns: canonical column name to the user's own.
    """
    theirs, user = columns.get(ITEM, ITEM), columns.get(USER, USER)
    if not {user, user.split(".")[0]} & {*frame.columns}:
        return frame, None
    place, held = _list_in(frame, theirs)
    if held is None:
        return frame, None
    frame = frame.with_columns(held.alias(place)).filter(pl.col(place).list.len() > 0).explode(place)
    name = ITEM if place == theirs else place
    return frame, f"column '{name}': each entry of its lists is a row, and rows without one are left out"


def _list_in(frame: pl.DataFrame, theirs: str) -> tuple[str, pl.Expr | None]:
    """The list on the way to a value, such as "properties.products", and where it is; None where there is none."""
    steps = theirs.split(".")
    if theirs in frame.columns:
        steps = [theirs]
    kind: Any = frame.schema.get(steps[0])
    inner = pl.col(steps[0])
    for number, step in enumerate(steps[1:], start=1):
        if not isinstance(kind, pl.Struct):
            break
        kind = {field.name: field.dtype for field in kind.fields}.get(step)
        inner = inner.struct.field(step)
        if isinstance(kind, pl.List):
            return ".".join(steps[: number + 1]), inner
    return steps[0], inner if isinstance(kind, pl.List) else None


def _with_pairs(frame: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """The table with one column for each pair that is mapped to one name, such as "latitude,longitude"."""
    for theirs in columns.values():
        pair = [name.strip() for name in theirs.split(",")]
        if theirs in frame.columns or len(pair) != 2 or not all(name in frame.columns for name in pair):
            continue
        both = pl.struct(pl.col(pair[0]).alias("latitude"), pl.col(pair[1]).alias("longitude"))
        frame = frame.with_columns(both.alias(theirs)).drop(pair)
    return frame


def _with_inner_values(frame: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """The table with a column for each value of mappings that is mapped to a name, such as "properties.sku"."""
    for theirs in columns.values():
        parts = theirs.split(".")
        # A list on the way has become a column of its own.
        known = next((n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in frame.columns), 0)
        root, steps = ".".join(parts[:known]), parts[known:]
        if theirs in frame.columns or not steps or not known:
            continue
        kind: Any = frame.schema[root]
        inner = pl.col(root)
        for step in steps:
            fields = {field.name: field.dtype for field in kind.fields} if isinstance(kind, pl.Struct) else {}
            if step not in fields:
                break
            kind, inner = fields[step], inner.struct.field(step)
        else:
            frame = frame.with_columns(inner.alias(theirs))
    return frame


def without_header(names: Sequence[str]) -> str:
    """What to add to a list of columns that look like the values of a row; empty where they look like names.

    Args:
        names: of all columns.
    """
    values = [name for name in names if _VALUE.match(name)]
    told = 2 * len(values) >= len(names) > 0 or any(_MOMENT.match(name) for name in names)
    return f"; {_NO_NAMES}, and has to hold names (or say them: {_SAID})" if told else ""


def renaming(alike: Mapping[str, str], mapped_by: Collection[str]) -> str:
    """How a column that has another name is given, in a sentence without a full stop.

    Args:
        alike: canonical column name to the user's own.
        mapped_by: the options that say how the user calls columns.
    """
    if not mapped_by:
        return f"Name the column {' and '.join(repr(our) for our in alike)}"
    given = shlex.quote(",".join(f"{our}={your}" for our, your in alike.items()))
    command = f" (on the command line --columns {given})" if "--columns" in mapped_by else ""
    return f"Rename your column, or pass columns={alike}{command}"


def alike_names(columns: Iterable[str]) -> dict[str, str]:
    """Columns that have the library's names in other letters, such as `userId` and `ITEM ID`, by those names.

    Args:
        columns: their names.
    """
    ours = {name.replace("_", ""): name for name in (USER, ITEM, TIMESTAMP)}
    found = [(ours.get(re.sub(r"[\W_]", "", column).lower()), column) for column in columns]
    return {our: column for our, column in found if our is not None and our != column}
