"""Tables that reach a model after training: their ids in its types, their attributes as training read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute
from attrformer.data.id_map import IdMap
from attrformer.data.options import columns_for
from attrformer.data.tables import MAPPED_BY, Table, open_table
from attrformer.data.vector_tables import Vectors, with_vectors
from attrformer.errors import CheckpointError, DataError
from attrformer.relations.attribute_encoder import AttributeEncoder


def open_incoming(
    frame: Any,
    source: str,
    key: str,
    attributes: Iterable[str],
    vectors: Vectors | None = None,
    columns: Mapping[str, str] | None = None,
) -> Table:
    """A table with a row for each item or user.

    Args:
        frame: of any frame library, or a path.
        source: what error messages call it.
        key: its column of ids.
        attributes: the columns that the model reads besides.
        vectors: files of vectors of the same rows, or mappings of id to vector, by column.
        columns: canonical column name to the user's own.

    Raises:
        DataError: it is no table, has no row, or lacks a column.
    """
    table = with_vectors(
        {source: open_table(frame, source, columns_for(columns or {}, source), mapped_by=MAPPED_BY[:1])}, vectors
    )[source]
    wanted = [key, *attributes]
    missing = [name for name in wanted if name not in table.frame.columns]
    if missing:
        raise DataError(
            f"the column is missing (present: {', '.join(table.frame.columns) or 'none'})",
            fix=f"Give {', '.join(wanted)}, or say in columns= how yours are called; unknown values may be empty",
            source=table.source,
            column=missing[0],
        )
    if table.frame.is_empty():
        raise DataError("the table has no rows", fix="Give at least one row", source=table.source)
    return table


def in_type_of(ids: IdMap, more: pl.Series, source: str, column: str) -> pl.Series:
    """Ids in the type of those that the model has.

    Args:
        ids: of the model.
        more: further ids, none null.
        source: their table, for error messages.
        column: their column.

    Raises:
        DataError: one cannot be had in that type.
    """
    same = ids.in_own_type(more)
    odd = same.is_null().arg_true()
    if len(odd):
        raise DataError(
            f"'{more[int(odd[0])]}' is not of the type that the ids of this model have (such as '{ids.values[0]}')",
            fix="Use ids of one type",
            source=source,
            column=column,
            row=int(odd[0]),
        )
    return same.rename(ids.values.name)


def read_attributes(
    table: Table, encoders: Mapping[str, AttributeEncoder | None], codes: NDArray[np.int32], count: int
) -> dict[str, Attribute]:
    """The attributes that a table holds, each of the kind that it had in training.

    Args:
        table: one row for each item or user.
        encoders: how each attribute was read in training.
        codes: int32 `[rows]`, the item or user of each row.
        count: how many items or users there are.

    Raises:
        DataError: a value does not fit its attribute.
        CheckpointError: the model does not know how an attribute was read.
    """
    found = {}
    for name, encoder in encoders.items():
        if encoder is None:
            raise CheckpointError(
                f"The model was saved by an earlier version, which did not keep how '{name}' is read. Fit it again."
            )
        found[name] = encoder.read(table, name, codes, count)
    return found
